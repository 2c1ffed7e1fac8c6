"""Newton steps on the non-zero coefficients of a working set, their signs held: where coordinate descent crawls."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.solvers.working_set import WorkingSet

__all__ = ["newton"]

Vector = NDArray[np.float64]


def newton(working_set: WorkingSet, max_products: int) -> int:
    """Steps towards the minimum over the columns with w != 0; returns the products with the Gram matrix they took.

    While signs hold, the objective is a quadratic there. It is solved directly or by conjugate gradients, which need
    the square root of the iterations that coordinate descent needs. Coordinates that would change sign stop at 0 if
    that lowers the objective; else the whole step stops where the first one reaches 0, and where steps are cheap the
    next one follows.
    """
    spent, done = 0, False
    while not done and spent < max_products:
        products, done = _step(working_set, max_products - spent)
        spent += products
        done = done or not working_set.newton_is_cheap()
    return spent


def _step(ws: WorkingSet, max_products: int) -> tuple[int, bool]:
    """One step; returns its products, and whether another would have nothing to do."""
    old, sign = ws.w.copy(), np.sign(ws.w)
    active = sign != 0.0
    if not active.any():
        return 0, True
    slope = np.where(active, ws.gradient() - ws.l1 * ws.quadratic.penalty.slope(old) - ws.l2 * old, 0.0)
    step, products = ws.newton_step(slope, active, max_products)
    # F(w + t step) - F(w) = t^2/2 step' (G + l2) step - t slope' step, while no sign changes.
    new, whole = old + step, True
    flips = np.sign(new) != sign
    if flips.any():
        clipped = np.where(flips, 0.0, new) - old
        curvature = clipped @ (ws.gram_product(clipped) + ws.l2 * clipped)
        whole = bool(0.5 * curvature - slope @ clipped < 0.0)
        step = clipped if whole else _until_first(old, step, flips)
    lower = 0.5 * step @ (ws.gram_product(step) + ws.l2 * step) < slope @ step  # else the decrease is rounding
    if lower:
        ws.set_w(old + step)
    return products + 1, whole or not lower


def _until_first(old: Vector, step: Vector, flips: NDArray[np.bool_]) -> Vector:
    """The step until the first of the coordinates that flip reaches 0."""
    fraction = np.divide(-old, step, out=np.full(old.size, np.inf), where=flips)
    first = int(fraction.argmin())
    step = step * fraction[first]
    step[first] = -old[first]
    return step
