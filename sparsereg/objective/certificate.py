"""The duality gap: how far an objective can be from its minimum, at most. Written once, for every loss and penalty.

For any dual point theta with `sum theta = 0` (where there is an intercept) and `x_j' theta = 0` for unpenalized
columns (at most 0 where these must not be negative),

    gap = [loss(w) + loss*(-theta)] + sum_j pen_j(w_j) + pen_j*(x_j' theta)

bounds `S (F(w) - min F)` from above (Fenchel-Rockafellar). Two points are tried, the residual rho and `t rho`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from sparsereg.penalties import GapTerms

__all__ = ["combine_gap", "dual_ratio", "squared_fenchel_gap"]


def combine_gap(terms: GapTerms, fenchel_gap: Callable[[float], float], outside: float = 0.0) -> float:
    """The better of two duality gaps of `S F`; each bounds the distance to the minimum from above.

    Parameters
    ----------
    terms : GapTerms
        Sums over the columns.
    fenchel_gap : callable
        `fenchel_gap(t) = sum_i s_i [l(z_i) + l*(-t rho_i / s_i)] + t rho_i z_i`; 0 at t = 1.
    outside : float
        Upper bound on `dual_magnitude(c_j) / l1_j` over the columns that are not in `terms`, all with w_j = 0.

    Notes
    -----
    (1) theta = rho: `sum_j pen(w_j) + pen*(c_j) - c_j w_j`, a bound only while the other columns have `pen*(c_j) = 0`,
    that is `outside <= 1`. (2) `theta = t (rho, -sqrt(l2) w)` on the data with rows `sqrt(l2_j) e_j` and targets 0
    added, which make a lasso of the elastic net (Mairal 2010, section 2.4), with t = 1/dual norm, so that it is
    feasible: `fenchel_gap(t) + (1-t)^2/2 sum_j l2_j w_j^2 + sum_j l1_j g(w_j) - t sum_j (c_j - l2_j w_j) w_j`. No large
    number is subtracted from a large one, so gaps far below the rounding of the objective are right. Where products
    overflowed, nothing is known: the gap is infinite.
    """
    direct = terms.fenchel if outside <= 1.0 else math.inf
    dual_norm = max(terms.dual_norm, outside, 1.0)
    if not math.isfinite(dual_norm):
        return _bound(direct)
    t = 1.0 / dual_norm
    scaled = fenchel_gap(t) + 0.5 * (1.0 - t) ** 2 * terms.l2_sq + terms.l1_norm - t * terms.slope
    return _bound(direct if math.isnan(scaled) else min(direct, scaled))


def _bound(gap: float) -> float:
    return math.inf if math.isnan(gap) else max(float(gap), 0.0)


def dual_ratio(magnitude: float, threshold: float) -> float:
    """A dual magnitude over its threshold; infinite where that overflows."""
    if threshold > 0.0:
        return float(magnitude) / float(threshold)
    return math.inf if magnitude > 0.0 else 0.0


def squared_fenchel_gap(squared_residual: float) -> Callable[[float], float]:
    """`(1 - t)^2 / 2 |r|_s^2`: that of the squared loss."""
    return lambda t: 0.5 * (1.0 - t) ** 2 * squared_residual
