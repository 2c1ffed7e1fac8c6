"""Models in files. Solvers are not imported."""
