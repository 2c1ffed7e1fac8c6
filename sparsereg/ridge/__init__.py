"""Ridge: the normal equations, solved directly if they are small and by preconditioned conjugate gradients if not.

Reading order: `normal_equations` (the equations, the true gradient, the gap); `direct` (Gram, dual, SVD); `pcg` and
`preconditioners`; `solve`, which chooses a method. One target at many strengths: `spectrum` for small problems,
`sketched_basis`, `reduced_basis`, `saturated_basis` and `path` for large ones. What a strength is worth:
`degrees_of_freedom` and `cross_validation`. Other ways to set a penalty: `dropout` and `early_stopping`.

Nothing here knows estimators.
"""
