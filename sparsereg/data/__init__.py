"""Matrices as users pass them: checked, borrowed, counted. Knows no targets, losses or penalties."""
