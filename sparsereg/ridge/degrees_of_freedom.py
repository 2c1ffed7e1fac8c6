"""Degrees of freedom of ridge at many strengths, by random probes. Knows the normal equations, no estimators.

For random signs u, `u' A u` is on average the trace of A (Hutchinson 1989). With `A = S^1/2 Xc H^-1 Xc' S^1/2`, the hat matrix without
its intercept, that is `b' w`: w ridge fitted to the target `S^-1/2 u`. So a probe is a target like any other, and a reduced basis
serves all its strengths. Where w is the combination of the basis that is best in energy, `b' w` misses its value by `g' H^-1 g` only, the
square of what the gradient is small by, and always from below; the combination with the least gradient misses no less, so that its gap
is a bound. Probes are solved loosely.

How far a mean of m such numbers may be off needs no sample of them. The variance of `u' B u` is at most `2 trace(B^2)`, and so, where no
eigenvalue of B exceeds c, `2 c trace(B)`. Those of A are `sigma / (sigma + alpha)`, with the same vectors at every alpha: below 1
for a trace; and for the difference of two, all of one sign and at most `tanh(|log(alpha / alpha')| / 4)`. So neighbouring strengths are
compared far better than either trace is known, and one probe may be enough for many rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.ridge.normal_equations import NormalEquations
from sparsereg.ridge.path import Preconditioners, solve_path
from sparsereg.ridge.reduced_basis import Until

__all__ = ["SURE", "difference_error", "probe_traces", "trace_error"]

Vector = NDArray[np.float64]

# Probes are solved until the bound on what they miss is this share of what they are, and the truth less; or to this relative
# gradient, whichever is the sooner: the first is for strong penalties, where gradients say little, the second for weak ones.
SHARE, TOL = 3e-3, 3e-3
# And in units of curvature to so many times that: what a probe misses is nearly the square of this, whatever columns are measured in.
UNITS = 10.0
# Standard errors that nothing is expected to exceed.
SURE = 3.0


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
        found = solve_path(equations, u, alphas, Until(TOL, max_iter, SHARE, UNITS), preconditioners)
        traces[k] = found.explained
        missing[k] = found.dual_gaps
    return traces, missing


def trace_error(trace: Vector, n_probes: int, largest: float | Vector = 1.0) -> Vector:
    """Standard error at most of the mean of so many estimates of a trace.

    Parameters
    ----------
    trace : float64 array of shape (k,)
        Their means, not negative; that they may be too small by chance is allowed for.
    n_probes : int
        None are as many as it takes: an exact trace.
    largest : float, or array of shape (k,), default 1
        What no eigenvalue exceeds.

    Returns
    -------
    float64 array of shape (k,)
    """
    if not n_probes:
        return np.zeros_like(trace)
    root = np.sqrt(2.0 * largest / n_probes)  # the error is at most this times the root of the true trace
    return np.asarray(root * (SURE * root + np.sqrt((SURE * root) ** 2 + 4.0 * trace)) / 2.0)


def difference_error(trace: Vector, alphas: Vector, k: int, n_probes: int) -> Vector:
    """The same for the differences of all traces from the k-th, by the same probes."""
    apart = np.tanh(np.abs(np.log(alphas / alphas[k])) / 4.0)
    return trace_error(np.abs(trace - trace[k]), n_probes, apart)
