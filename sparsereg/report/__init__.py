"""Reports and plots of fitted models. Knows no solvers."""
