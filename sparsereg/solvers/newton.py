"""Newton steps on the non-zero coefficients of a working set, their signs held: where coordinate descent crawls.

Coefficients without an l1 penalty have no kink at 0: their signs are free, and unpenalized ones move from 0 too.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sparsereg.solvers.gap_rounding import EPS
from sparsereg.solvers.working_set import MAX_DIRECT, WorkingSet

__all__ = ["newton"]

Vector = NDArray[np.float64]

# Of a step on which coefficients change sign.
HALVINGS = 6
# A direct step that leaves out dependent columns leaves a slope of more than this share of the largest l1 strength
# where the penalty, or the loss of columns that are nearly copies, falls along them; below this share of that of the
# whole slope it is rounding.
FLAT = 1e-10
ROUNDING = 1e-4
# The objective may rise by so much of |y|^2, which is its rounding.
RISE = 1e-12


def newton(
    working_set: WorkingSet, max_products: int, c: Vector | None = None, stuck: bool = False
) -> tuple[int, Vector | None]:
    """Steps towards the minimum over the columns with w != 0 or no penalty; returns the products with the Gram matrix
    they took, the tries of a step counted as one, and the gradient at the end if there was a step.

    While signs hold, the objective is a quadratic there. It is solved directly or by conjugate gradients, which need
    the square root of the iterations that coordinate descent needs. Coordinates that would change sign stop at 0. If
    that does not lower the objective, half of the step does, or a smaller part; where steps are cheap the next one
    follows. `c`: the gradient at the beginning, if it is known. `stuck`: the last call was not enough; steps along
    dependent columns, each to the first coefficient that reaches 0, are then taken where they are not cheap too, one
    after the other: coordinate descent would bring that coefficient back.
    """
    spent, done = 0, False
    while not done and spent < max_products:
        products, c, done = _step(working_set, max_products - spent, c, stuck)
        spent += products
    return spent, c


def _step(ws: WorkingSet, max_products: int, c: Vector | None, stuck: bool) -> tuple[int, Vector | None, bool]:
    """One step from where the gradient is c; returns its products, the gradient after it, and whether another would
    have nothing to do."""
    old = ws.w  # a step replaces it
    bounded = (ws.l1 > 0.0) | ws.quadratic.penalty.positive
    active = old != 0.0
    if ws.unpenalized.size:
        active[ws.unpenalized] |= ~bounded[ws.unpenalized]
    count = np.count_nonzero(active)
    if not count:
        return 0, c, True
    c = ws.gradient() if c is None else c
    kink = ws.l1 * ws.quadratic.penalty.slope(old)
    slope = np.where(active, c - (kink + ws.l2 * old if ws.l1_ratio < 1.0 else kink), 0.0)
    step, products = ws.newton_step(slope, active, max_products)
    few = stuck and count <= MAX_DIRECT
    if np.count_nonzero(step) < count and (few or ws.newton_is_cheap()):
        left = np.where(active, slope - _product(ws, step), 0.0)
        if _is_flat(left, slope, ws.l1):
            part = _along_flat_direction(ws, left, slope, active, bounded)
            if part.any() and (there := _moved(ws, part, c, kink, 0.0)) is not None:
                return products + 1, there, False
    for tried, part in enumerate(_parts(old, step, bounded)):
        if (there := _moved(ws, part, c, kink, 0.0 if tried else RISE)) is not None:
            return products + 1, there, tried == 0 or not ws.newton_is_cheap()
    return products + 1, c, True  # what is left is rounding


def _moved(ws: WorkingSet, part: Vector, before: Vector, kink: Vector, rise: float) -> Vector | None:
    """Take a step from where the gradient is `before`, and the l1 penalty's slope `kink`, both kept by signs that hold;
    return the gradient there. None, and back, if the objective rose by more than the share `rise` of |y|^2.

    A quadratic falls by the step times the mean of the gradients at its ends, of which only what is beyond their
    rounding counts: of huge steps along what moves no prediction there is nothing else. Whoever models a loss checks
    the loss."""
    here, length = ws.position(), ws.lengths()
    ws.set_w(here.w + part)
    after = ws.gradient()
    penalty = float(part @ (kink + 0.5 * ws.l2 * (here.w + ws.w) if ws.l1_ratio < 1.0 else kink))
    moved = float(length @ np.abs(part))
    hidden = EPS * moved * (float(length @ np.abs(here.w)) + moved)
    if penalty + hidden < 0.5 * float(part @ (before + after)) + rise * ws.quadratic.null_deviance:
        return after
    ws.move_to(here)
    return None


def _parts(old: Vector, step: Vector, bounded: NDArray[np.bool_]) -> Iterator[Vector]:
    """The step, halves of it, and it until the first coordinate reaches 0; coordinates that would change sign stop at
    0. Those of duplicates may be as small as rounding: stopping where the first one does would go nowhere."""
    flips = (np.sign(old + step) != np.sign(old)) & bounded
    if not flips.any():
        yield step
        return
    for halved in range(1 + HALVINGS):
        new = old + 0.5**halved * step
        yield np.where((np.sign(new) != np.sign(old)) & bounded, 0.0, new) - old
    yield _until_first(old, step, flips)


def _is_flat(left: Vector, slope: Vector, l1: Vector) -> bool:
    """Whether a direct step left a slope that is the penalty's, and not rounding."""
    return bool(np.abs(left).max() > FLAT * max(l1.max(), ROUNDING * np.abs(slope).max()) and l1.any())


def _product(ws: WorkingSet, step: Vector) -> Vector:
    """`(G + diag(l2)) step`."""
    return ws.gram_product(step) + ws.l2 * step


def _along_flat_direction(
    ws: WorkingSet, left: Vector, slope: Vector, active: NDArray[np.bool_], bounded: NDArray[np.bool_]
) -> Vector:
    """The step where active columns are dependent and the penalty falls along a direction that moves no prediction:
    along it, until the first coefficient is 0. Coordinate descent would go there in steps of constant size.

    `left`: the slope that a step on independent columns leaves, not 0 only on those that depend on them."""
    direction = left - ws.newton_step(np.where(active, _product(ws, left), 0.0), active, 1)[0]
    falls, curvature = float(slope @ direction), float(direction @ _product(ws, direction))  # next to none
    towards = bounded & (ws.w * direction < 0.0)
    if not (towards.any() and falls > 0.0):  # backwards other coefficients would reach 0
        return np.zeros(ws.m)
    step = _until_first(ws.w, direction, towards)
    best = direction * (falls / curvature) if curvature > 0.0 else step
    return step if np.abs(step).max() <= np.abs(best).max() else best


def _until_first(old: Vector, step: Vector, flips: NDArray[np.bool_]) -> Vector:
    """The step until the first of the coordinates that flip reaches 0."""
    fraction = np.divide(-old, step, out=np.full(old.size, np.inf), where=flips)
    step = step * fraction.min()
    past = flips & (np.sign(old + step) != np.sign(old))  # by rounding, where several reach it together
    past[fraction.argmin()] = True
    return np.where(past, -old, step)
