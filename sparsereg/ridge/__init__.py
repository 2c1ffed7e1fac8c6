"""Ridge: the normal equations, solved exactly where they are small and by preconditioned conjugate gradients where not.

Reading order: `system` (the equations, the true gradient, the gap), `exact` (Gram, dual, SVD), `precondition` and `cg`, `fields`,
`copies`, `border`, `nested` and `grouped` (the preconditioner of one-hot designs), `preconditioning`, which chooses one, and `solve`, which
chooses a method; then `basis` and `path`, one target at many strengths, with `spectrum` for small ones; `trace` and `cross_validation`, what a strength
is worth; `dropout` makes penalties, `probes` degrees of freedom, and `early` stops gradient descent in place of a penalty. Knows no estimators.
"""
