"""Accelerated proximal gradient, for any penalty with a prox: on the working set's Gram matrix or on the residual."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.quadratic import Quadratic
from sparsereg.solvers.gram_cd import GramCD
from sparsereg.solvers.residual_cd import ResidualCD
from sparsereg.solvers.working_set import Position, WorkingSet

__all__ = ["ProxGradient", "ProxGradientOnResidual"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]


class _ProximalSteps(WorkingSet):
    """Steps in the metric `L diag(sq)`, with restarts.

    Beck & Teboulle 2009 (FISTA), restarted by the gradient scheme of O'Donoghue & Candes 2015, section 3.2. L starts at
    1 and doubles until the step is majorised; it never exceeds the longest row, as a row with k entries has `(x w)^2 <=
    k sum_j x_j^2 w_j^2`. Gradients are linear in the position, so those of the extrapolated point follow from two.
    """

    name = "prox_gradient"

    def __init__(self, quadratic: Quadratic) -> None:
        super().__init__(quadratic)
        self.lipschitz = 1.0
        self._previous: tuple[Position, float] | None = None  # the position before, and t of the momentum

    @abstractmethod
    def gradient_at(self, position: Position) -> Vector:
        """`c_j` of each column at a position of this working set."""

    @abstractmethod
    def moved(self, position: Position, step: Vector) -> tuple[Position, float]:
        """The position a step further, and `|X step|_s^2`, centred."""

    def _added(self, cols: Int) -> None:
        super()._added(cols)  # type: ignore[safe-super]  # that of the storage, the other base class
        self._previous = None  # the momentum has another length now

    def set_strength(self, alpha: float, l1_ratio: float) -> None:
        super().set_strength(alpha, l1_ratio)
        self._previous = None

    def set_w(self, w: Vector) -> None:
        super().set_w(w)  # type: ignore[safe-super]
        self._previous = None

    def move_to(self, there: Position) -> None:
        super().move_to(there)  # type: ignore[safe-super]
        self._previous = None

    def descend(self, max_epochs: int, tol: float, order: Int) -> int:  # noqa: ARG002 - all coordinates move at once
        largest, epochs = np.inf, 0
        while epochs < max_epochs and largest > tol:
            largest = self._step()
            epochs += 1
        return epochs

    def _step(self) -> float:
        """One step from the extrapolated point; returns the largest `(L sq + l2) step^2`."""
        here = self.position()
        before, t = self._previous or (here, 1.0)
        t_next = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t))
        beta = (t - 1.0) / t_next
        w = here.w + beta * (here.w - before.w)
        state = here.state + beta * (here.state - before.state)
        ahead = Position(w, state, here.r_sum + beta * (here.r_sum - before.r_sum))
        c = self.gradient_at(ahead)
        while True:
            metric = self.lipschitz * self.sq
            step = self.quadratic.penalty.prox(c + metric * w, metric, self.l1, self.l2) - w
            there, curvature = self.moved(ahead, step)
            if curvature <= metric @ (step * step) * (1.0 + 1e-12):
                break
            self.lipschitz *= 2.0
        self.move_to(there)
        change = there.w - here.w
        uphill = (metric * -step) @ change > 0.0
        self._previous = (there, 1.0) if uphill else (here, t_next)
        return float(((metric + self.l2) * change**2).max(initial=0.0))


class ProxGradient(_ProximalSteps, GramCD):
    """A step costs the entries of the Gram columns of what moves."""

    def gradient_at(self, position: Position) -> Vector:
        return position.state - self.sums * (position.r_sum / self.quadratic.weight_sum)

    def moved(self, position: Position, step: Vector) -> tuple[Position, float]:
        change, total = np.zeros(self.m), float(self.sums @ step)
        self.gram.store.subtract(step, change)
        there = Position(position.w + step, position.state + change, position.r_sum - total)
        return there, -float(step @ change) - total**2 / self.quadratic.weight_sum


class ProxGradientOnResidual(_ProximalSteps, ResidualCD):
    """A step costs the entries of the working set, twice."""

    def gradient_at(self, position: Position) -> Vector:
        return self._gradient_at(position.state, position.r_sum)

    def moved(self, position: Position, step: Vector) -> tuple[Position, float]:
        s, change = self.rows.s, np.zeros_like(position.state)
        self.rows.design.matrix.add_matvec(step, change, self.cols)
        weighted, total = change if s is None else s * change, float(self.sums @ step)
        there = Position(position.w + step, position.state - weighted, position.r_sum - total)
        return there, float(change @ weighted) - total**2 / self.quadratic.weight_sum
