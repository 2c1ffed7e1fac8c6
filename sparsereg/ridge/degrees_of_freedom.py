"""Degrees of freedom of ridge at many strengths, estimated by random probes of the rows.

For random signs u, `u' A u` has the trace of A as its mean (Hutchinson 1989). With `A = S^1/2 Xc H^-1 Xc' S^1/2`, the
hat matrix without the intercept, it equals `b' w`, where w is ridge fitted to the target `S^-1/2 u`. So a probe is a
target like any other, and one reduced basis serves all its strengths. If w is the combination of the basis that is
best in energy, `b' w` is too small by `g' H^-1 g`, which is of second order in the gradient. The combination with the
least gradient misses no less, so its gap is a bound. Probes are therefore solved loosely.

The error of the mean of m probes is bounded without their scatter. The variance of `u' B u` is at most `2
trace(B^2)`, hence `2 c trace(B)` if no eigenvalue of B exceeds c. The eigenvalues of A are `sigma / (sigma + alpha)`,
with the same vectors at every alpha. They are below 1. Differences between two alphas all have one sign and are at
most `tanh(|log(alpha / alpha')| / 4)`. So neighbouring strengths are compared far more precisely than either trace is
known, and one probe may suffice for many rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.ridge.normal_equations import NormalEquations
from sparsereg.ridge.path import solve_path
from sparsereg.ridge.preconditioners.choose import Preconditioning
from sparsereg.ridge.sketched_basis import StoppingRule

__all__ = ["SURE", "difference_error", "probe_traces", "trace_error"]

Vector = NDArray[np.float64]

# A probe is solved until the bound on what it misses is at most this share of its value (its true error is less), or
# to this relative gradient. The first decides at strong penalties, where gradients say little, the second at weak
# ones.
PROBE_GAP_SHARE, PROBE_TOL = 3e-3, 3e-3
# In units of curvature the relative gradient may be so many times larger: what a probe misses is nearly its square.
PROBE_UNIT_RATIO = 10.0
# No error is expected to exceed so many standard errors.
SURE = 3.0


def probe_traces(
    equations: NormalEquations,
    alphas: Vector,
    n_probes: int,
    rng: np.random.Generator,
    max_iter: int,
    shared: Preconditioning | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Estimates of the trace of the hat matrix, and bounds on how much the probes' inexact solutions lower them.

    Parameters
    ----------
    equations : NormalEquations
    alphas : float64 array of shape (k,)
        Positive.
    n_probes : int
    rng : numpy.random.Generator
    max_iter : int
        Most iterations at one alpha.
    shared : Preconditioning or None
        As for `solve_path`.

    Returns
    -------
    traces, missing : float64 arrays of shape (n_probes, k)
    """
    root = equations.root_weights
    stop = StoppingRule(PROBE_TOL, max_iter, PROBE_GAP_SHARE, PROBE_UNIT_RATIO)
    traces, missing = np.empty((2, n_probes, alphas.size))
    for k in range(n_probes):
        u = np.divide(rng.choice((-1.0, 1.0), root.size), root, out=np.zeros(root.size), where=root > 0.0)
        found = solve_path(equations, u, alphas, stop, shared)
        traces[k], missing[k] = found.explained, found.dual_gaps
    return traces, missing


def trace_error(trace: Vector, n_probes: int, largest: float | Vector = 1.0) -> Vector:
    """Upper bound on the standard error of the mean of `n_probes` estimates of a trace.

    Parameters
    ----------
    trace : float64 array of shape (k,)
        Their means, not negative. The bound allows for a mean that is too small by chance.
    n_probes : int
        0 for an exact trace.
    largest : float, or array of shape (k,), default 1
        Upper bound on the eigenvalues.

    Returns
    -------
    float64 array of shape (k,)
    """
    if not n_probes:
        return np.zeros_like(trace)
    root = np.sqrt(2.0 * largest / n_probes)  # the standard error is at most this times the root of the true trace
    return np.asarray(root * (SURE * root + np.sqrt((SURE * root) ** 2 + 4.0 * trace)) / 2.0)


def difference_error(trace: Vector, alphas: Vector, k: int, n_probes: int) -> Vector:
    """The same for the differences of all traces from the k-th, estimated by the same probes."""
    apart = np.tanh(np.abs(np.log(alphas / alphas[k])) / 4.0)
    return trace_error(np.abs(trace - trace[k]), n_probes, apart)
