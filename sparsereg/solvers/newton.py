"""Newton steps on the non-zero coefficients of a working set, their signs held: where coordinate descent crawls."""

from __future__ import annotations

import numpy as np

from sparsereg.solvers.working_set import WorkingSet

__all__ = ["newton"]


def newton(working_set: WorkingSet, max_products: int) -> int:
    """One step towards the minimum over the columns with w != 0; returns the products with the Gram matrix it took.

    While signs hold, the objective is a quadratic there. It is solved directly or by conjugate gradients, which need
    the square root of the iterations that coordinate descent needs. Coordinates that would change sign stop at 0 if
    that lowers the objective; else the whole step stops where the first one reaches 0.
    """
    ws, old, sign = working_set, working_set.w.copy(), np.sign(working_set.w)
    active = sign != 0.0
    if not active.any():
        return 0
    slope = np.where(active, ws.gradient() - ws.l1 * ws.quadratic.penalty.slope(old) - ws.l2 * old, 0.0)
    step, products = ws.newton_step(slope, active, max_products)
    # F(w + t step) - F(w) = t^2/2 step' (G + l2) step - t slope' step, while no sign changes.
    new = old + step
    flips = np.sign(new) != sign
    if flips.any():
        clipped = np.where(flips, 0.0, new) - old
        curvature = clipped @ (ws.gram_product(clipped) + ws.l2 * clipped)
        if 0.5 * curvature - slope @ clipped < 0.0:
            step = clipped
        else:
            fraction = np.divide(-old, step, out=np.full(old.size, np.inf), where=flips)
            first = int(fraction.argmin())
            step = step * fraction[first]
            step[first] = -old[first]
    if 0.5 * step @ (ws.gram_product(step) + ws.l2 * step) < slope @ step:  # else the decrease is rounding
        ws.set_w(old + step)
    return products + 1
