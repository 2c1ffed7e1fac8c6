"""Models in files. Knows no solvers."""
