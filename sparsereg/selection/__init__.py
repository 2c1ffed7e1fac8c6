"""Rules that choose a strength from losses of rows or folds."""
