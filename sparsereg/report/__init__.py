"""Reports and plots of fitted models. Solvers are not imported."""
