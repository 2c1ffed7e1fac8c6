"""Degrees of freedom of ridge at many strengths, by random probes. Knows the normal equations, no estimators.

For random signs u, `u' A u` is on average the trace of A (Hutchinson 1989). With `A = S^1/2 Xc H^-1 Xc' S^1/2`, the hat matrix without
its intercept, that is `b' w`: w ridge fitted to the target `S^-1/2 u`. So a probe is a target like any other, and a reduced basis
serves all its strengths. Where w is the combination of the basis that is best in energy, `b' w` misses its value by `g' H^-1 g` only, the
square of what the gradient is small by, and always from below; the combination with the least gradient misses no less, so that its gap
is a bound. Probes are solved loosely. The variance of a probe is at most `2 trace(A)`, which is small beside the square of `n - trace(A)`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.ridge.basis import Until
from sparsereg.ridge.path import Preconditioners, solve_path
from sparsereg.ridge.system import NormalEquations

__all__ = ["probe_traces"]

Vector = NDArray[np.float64]

# Probes are solved until the bound on what they miss is this share of what they are, and the truth less; or to this relative
# gradient, whichever is the sooner: the first is for strong penalties, where gradients say little, the second for weak ones.
SHARE, TOL = 3e-3, 3e-3


def probe_traces(
    equations: NormalEquations,
    alphas: Vector,
    n_probes: int,
    rng: np.random.Generator,
    max_iter: int,
    preconditioners: Preconditioners,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Estimates of the trace of the hat matrix, and bounds on how much too small their solutions make them.

    Parameters
    ----------
    equations : NormalEquations
    alphas : float64 array of shape (k,)
        Positive.
    n_probes : int
    rng : numpy.random.Generator
    max_iter : int
        Most iterations at one alpha.
    preconditioners : Preconditioners

    Returns
    -------
    traces, missing : float64 arrays of shape (n_probes, k)
    """
    n = equations.design.n_rows
    root = np.ones(n) if equations.s is None else np.sqrt(equations.s)
    traces, missing = np.empty((n_probes, alphas.size)), np.empty((n_probes, alphas.size))
    for k in range(n_probes):
        u = np.divide(rng.choice((-1.0, 1.0), n), root, out=np.zeros(n), where=root > 0.0)
        found = solve_path(equations, u, alphas, Until(TOL, max_iter, SHARE), preconditioners)
        traces[k] = found.explained
        missing[k] = found.dual_gaps
    return traces, missing
