"""Newton steps on the non-zero coefficients of a working set, their signs held: where coordinate descent crawls."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sparsereg.solvers.working_set import WorkingSet

__all__ = ["newton"]

Vector = NDArray[np.float64]

# Of a step on which coefficients change sign.
HALVINGS = 6


def newton(working_set: WorkingSet, max_products: int) -> int:
    """Steps towards the minimum over the columns with w != 0; returns the products with the Gram matrix they took.

    While signs hold, the objective is a quadratic there. It is solved directly or by conjugate gradients, which need
    the square root of the iterations that coordinate descent needs. Coordinates that would change sign stop at 0. If
    that does not lower the objective, half of the step does, or a smaller part; where steps are cheap the next one
    follows.
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
    for tried, part in enumerate(_parts(old, step)):
        products += 1
        # F(w) - F(w + part) = slope' part - part' (G + l2) part / 2, while no sign changes.
        if slope @ part > 0.5 * part @ (ws.gram_product(part) + ws.l2 * part):
            ws.set_w(old + part)
            return products, tried == 0
    return products, True  # what is left is rounding


def _parts(old: Vector, step: Vector) -> Iterator[Vector]:
    """The step, halves of it, and it until the first coordinate reaches 0; coordinates that would change sign stop at
    0. Those of duplicates may be as small as rounding: stopping where the first one does would go nowhere."""
    flips = np.sign(old + step) != np.sign(old)
    if not flips.any():
        yield step
        return
    for halved in range(1 + HALVINGS):
        new = old + 0.5**halved * step
        yield np.where(np.sign(new) != np.sign(old), 0.0, new) - old
    yield _until_first(old, step, flips)


def _until_first(old: Vector, step: Vector, flips: NDArray[np.bool_]) -> Vector:
    """The step until the first of the coordinates that flip reaches 0."""
    fraction = np.divide(-old, step, out=np.full(old.size, np.inf), where=flips)
    first = int(fraction.argmin())
    step = step * fraction[first]
    step[first] = -old[first]
    return step
