"""Accelerated proximal gradient, for any penalty that has a prox."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.quadratic import Quadratic
from sparsereg.solvers.residual_cd import ResidualCD

__all__ = ["ProxGradient"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]


class ProxGradient(ResidualCD):
    """Steps in the metric `L diag(sq)`, with restarts; each costs the entries of the working set, twice.

    Beck & Teboulle 2009 (FISTA), restarted by the gradient scheme of O'Donoghue & Candes 2015, section 3.2. L starts at
    1 and doubles until the step is majorised; it never exceeds the longest row, as a row with k entries has `(x w)^2 <=
    k sum_j x_j^2 w_j^2`.
    """

    name = "prox_gradient"

    def __init__(self, quadratic: Quadratic) -> None:
        super().__init__(quadratic)
        self.lipschitz = 1.0
        self._previous: tuple[Vector, Vector, float] | None = None  # w, r and t of the momentum

    def _added(self, cols: Int) -> None:  # noqa: ARG002 - whichever they are, the momentum has another length now
        self._previous = None

    def set_strength(self, alpha: float, l1_ratio: float) -> None:
        super().set_strength(alpha, l1_ratio)
        self._previous = None

    def set_w(self, w: Vector) -> None:
        super().set_w(w)
        self._previous = None

    def descend(self, max_epochs: int, tol: float, order: Int) -> int:  # noqa: ARG002 - all coordinates move at once
        moved, epochs = np.inf, 0
        while epochs < max_epochs and moved > tol:
            moved = self._step()
            epochs += 1
        self.r_sum = -self.products_sum()
        return epochs

    def _step(self) -> float:
        """One step from the extrapolated point; returns the largest `(L sq + l2) step^2`."""
        w_before, r_before, t = self._previous or (self.w.copy(), self.r.copy(), 1.0)
        t_next = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t))
        beta = (t - 1.0) / t_next
        z, r_z = self.w + beta * (self.w - w_before), self.r + beta * (self.r - r_before)
        c = self._gradient_at(r_z, -float(self.sums @ z))
        while True:
            metric = self.lipschitz * self.sq
            step = self.quadratic.penalty.prox(c + metric * z, metric, self.l1, self.l2) - z
            change = np.zeros_like(self.r)  # X step
            self.rows.design.matrix.add_matvec(step, change, self.cols)
            if self._curvature(change) <= metric @ (step * step) * (1.0 + 1e-12):
                break
            self.lipschitz *= 2.0
        w_old, r_old = self.w.copy(), self.r
        self.w[:] = z + step
        self.r = r_z - (change if self.rows.s is None else self.rows.s * change)
        uphill = (metric * -step) @ (self.w - w_old) > 0.0
        self._previous = (self.w.copy(), self.r.copy(), 1.0) if uphill else (w_old, r_old, t_next)
        moved = (metric + self.l2) * (self.w - w_old) ** 2
        return float(moved.max(initial=0.0))

    def _curvature(self, change: Vector) -> float:
        """`|X step|_s^2`, centred."""
        s = self.rows.s
        weighted = change if s is None else s * change
        mean = weighted.sum() ** 2 / self.quadratic.weight_sum if self.quadratic.fit_intercept else 0.0
        return float(change @ weighted - mean)
