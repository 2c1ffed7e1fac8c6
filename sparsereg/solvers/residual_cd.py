"""Ways to descend over a few member columns, behind one interface. Knows no grid of strengths and no screening.

Here are those that need no Gram, `ResidualDescent` and `ProximalGradient`; `gram_descent.py` has the one that reads no row of X once
a column is in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import Coordinates, prox_step
from sparsereg.objective.problem import Coefficients, Problem

__all__ = ["Descent", "ProximalGradient", "ResidualDescent"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]


class Descent:
    """The member columns, side by side with all that is known of each; subclasses know how to move them.

    Attributes
    ----------
    cols, w : arrays of shape (m,)
        The members and their coefficients.
    sums, sq, peak, c0 : float64 arrays of shape (m,)
        `x_j' s`, the curvature, the largest `|x_ij|`, and the centred gradient at w = 0.
    l1, l2 : float64 arrays of shape (m,)
        Strengths at the present alpha.
    loose : int64 array
        Positions of the members that are not penalised.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.cols = np.empty(0, dtype=np.int64)
        self.nnz = 0
        self.w, self.sums, self.sq, self.peak, self.c0, self.l1, self.l2 = (np.empty(0) for _ in range(7))
        self._scale, self._l1_ratio = 0.0, 1.0
        self.loose = np.empty(0, dtype=np.int64)
        self._sy = problem.y if problem.s is None else problem.s * problem.y
        self._room: Vector | None = None

    @property
    def m(self) -> int:
        return self.cols.size

    def add(self, cols: Int) -> None:
        """Take columns in, at w = 0."""
        problem = self.problem
        stats = problem.stats(cols)
        l1, l2 = problem.penalty.strengths(self._scale, self._l1_ratio, cols)
        known = {"cols": cols, "w": np.zeros(cols.size), "l1": l1, "l2": l2}
        known |= {"sums": stats.sums, "sq": stats.sq, "peak": stats.peak}
        known["c0"] = self._gradient_at_zero(cols, stats.sums)
        for name, values in known.items():
            setattr(self, name, np.concatenate([getattr(self, name), values]))
        self._find_loose()
        self.nnz += int(problem.design.lengths(cols).sum())
        self._added(cols)

    def set_strength(self, alpha: float, l1_ratio: float) -> None:
        self._scale, self._l1_ratio = self.problem.weight_sum * alpha, l1_ratio
        self.l1, self.l2 = self.problem.penalty.strengths(self._scale, l1_ratio, self.cols)
        self._find_loose()

    def _find_loose(self) -> None:
        self.loose = np.flatnonzero(self.l1 + self.l2 == 0.0)

    def coefficients(self) -> Coefficients:
        """The non-zero ones, in the order of the columns."""
        return Coefficients(self.cols, self.w).nonzero()

    def squared_residual(self, c: Vector) -> float:
        """`|r|^2` from the members' gradient: r'r = r'y - c'w and r'y = y'y - c0'w."""
        return max(self.problem.null_deviance - float((self.c0 + c) @ self.w), 0.0)

    def _coordinates(self, r_sum: float) -> Coordinates:
        kind = self.problem.penalty.kind
        return Coordinates(self.w, self.sums, self.sq, self.l1, self.l2, self.problem.weight_sum, kind, r_sum)

    def _gradient_at_zero(self, cols: Int, sums: Vector) -> Vector:
        return self.problem.gradient(self._sy, cols) - sums * self.problem.centre

    def _added(self, cols: Int) -> None:
        raise NotImplementedError

    def set_w(self, w: Vector) -> None:
        """Put the members at `w`."""
        raise NotImplementedError

    def descend(self, max_epochs: int, tol: float, order: Int) -> int:
        """Epochs over the members in `order`, at most `max_epochs`, fewer once every step has
        `(sq + l2) step^2 <= tol`. Returns how many."""
        raise NotImplementedError

    def gradient(self) -> Vector:
        """`c_j` of each member, centred."""
        raise NotImplementedError

    def gram_product(self, x: Vector) -> Vector:
        """`X_M' X_M x` in the centred and weighted geometry."""
        raise NotImplementedError

    def newton(self, max_products: int) -> int:
        """One step towards the minimum over the members that are not 0, their signs held: where coordinate descent crawls.

        There the objective is a quadratic, solved directly or by conjugate gradients (scaled by the diagonal), which need
        the square root of what coordinate descent needs. Coordinates that would change sign stop at 0 if that lowers the objective; else the
        whole step stops where the first one gets there. Returns the products with the Gram spent.
        """
        old, sign = self.w.copy(), np.sign(self.w)
        active = sign != 0.0
        if not active.any():
            return 0
        slope = np.where(active, self.gradient() - self.l1 * sign - self.l2 * old, 0.0)
        step, products = self._newton_step(slope, active, max_products)
        # The change of the objective along the step: F(w + t step) - F(w) = t^2/2 curve - t gain, while no sign changes.
        new = old + step
        flips = np.sign(new) != sign
        if flips.any():
            clipped = np.where(flips, 0.0, new) - old
            curve = clipped @ (self.gram_product(clipped) + self.l2 * clipped)
            if 0.5 * curve - slope @ clipped < 0.0:
                step = clipped
            else:
                reach = np.divide(-old, step, out=np.full(old.size, np.inf), where=flips)
                first = int(reach.argmin())
                step = step * reach[first]
                step[first] = -old[first]
        if 0.5 * step @ (self.gram_product(step) + self.l2 * step) < slope @ step:  # else rounding has the word
            self.set_w(old + step)
        return products + 1

    def newton_is_cheap(self) -> bool:
        """Whether a Newton step takes no longer than some epochs."""
        return False

    def _newton_step(self, slope: Vector, active: NDArray[np.bool_], most: int) -> tuple[Vector, int]:
        return self._conjugate_gradients(slope, active, most)

    def _conjugate_gradients(self, slope: Vector, active: NDArray[np.bool_], most: int) -> tuple[Vector, int]:
        """Solve `(G + diag(l2)) step = slope` on the active members, to a hundredth of the slope."""
        diagonal = np.where(active & (self.sq + self.l2 > 0.0), self.sq + self.l2, np.inf)
        x, r = np.zeros_like(slope), slope.copy()
        z = r / diagonal
        p, rz, products = z.copy(), float(r @ z), 0
        enough = 1e-8 * rz
        while products < most and rz > enough:
            Ap = np.where(active, self.gram_product(p) + self.l2 * p, 0.0)
            products += 1
            curvature = float(p @ Ap)
            if curvature <= 1e-14 * float(p @ (p * np.where(active, diagonal, 0.0))):  # a flat direction: duplicates
                break
            x += (rz / curvature) * p
            r -= (rz / curvature) * Ap
            z = r / diagonal
            rz, before = float(r @ z), rz
            p = z + (rz / before) * p
        return x, products

    def residual(self, mean: float) -> Vector:
        """`r = s (y - centre - mean - X w)`, in a room of this object's own: O(n + entries of the members with w != 0)."""
        self._room = self.problem.target(mean, self._room)
        self.problem.design.matrix.add_matvec(self.w, self._room, self.cols, -1.0, self.problem.s)
        return self._room

    def gradient_of(self, cols: Int | None) -> Vector:
        """`c_j` of columns that are not members, or (None) of every observed column: O(entries of those, and of the members with w != 0)."""
        return self.problem.gradient(self.residual(-float(self.sums @ self.w) / self.problem.weight_sum), cols)


class ResidualDescent(Descent):
    """Coordinate descent on the residual: an epoch costs the members' entries, twice.

    in and out of every method: r = s (y - X w), not centred, r_sum = sum(r).
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.r = problem.target()
        self.r_sum = 0.0

    def _added(self, cols: Int) -> None:
        pass

    def set_w(self, w: Vector) -> None:
        self.w[:] = w
        self.r, self.r_sum = self.residual(0.0).copy(), -float(self.sums @ self.w)

    def descend(self, max_epochs: int, tol: float, order: Int) -> int:
        co = self._coordinates(self.r_sum)
        matrix, moved, epochs = self.problem.design.matrix, np.inf, 0
        while epochs < max_epochs and moved > tol:
            moved = matrix.cd_residual(self.cols, co, order, self.r, self.problem.s)
            epochs += 1
        self.r_sum = co.r_sum
        return epochs

    def gradient(self) -> Vector:
        return self._gradient_at(self.r, self.r_sum)

    def gram_product(self, x: Vector) -> Vector:
        z = np.zeros_like(self.r)
        self.problem.design.matrix.add_matvec(x, z, self.cols, 1.0, self.problem.s)
        return self._gradient_at(z, float(self.sums @ x))

    def _gradient_at(self, r: Vector, r_sum: float) -> Vector:
        c: Vector = self.problem.design.matrix.rmatvec(r, self.cols)
        c -= self.sums * (r_sum / self.problem.weight_sum)
        return c


class ProximalGradient(ResidualDescent):
    """Accelerated proximal gradient with restarts, in the metric `L diag(sq)`; an epoch costs the members' entries, twice.

    Beck & Teboulle 2009 (FISTA), restarted by the gradient scheme of O'Donoghue & Candes 2015, section 3.2. L starts at 1
    and doubles until the step is majorised; it is never more than the longest row, as each row of the design with k entries
    has `(x w)^2 <= k sum_j x_j^2 w_j^2`.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.lipschitz = 1.0
        self._before: tuple[Vector, Vector, float] | None = None

    def _added(self, cols: Int) -> None:  # noqa: ARG002 - whichever they are, the momentum is of another size now
        self._before = None

    def set_strength(self, alpha: float, l1_ratio: float) -> None:
        super().set_strength(alpha, l1_ratio)
        self._before = None

    def set_w(self, w: Vector) -> None:
        super().set_w(w)
        self._before = None

    def descend(self, max_epochs: int, tol: float, order: Int) -> int:  # noqa: ARG002 - all coordinates move at once
        moved, epochs = np.inf, 0
        while epochs < max_epochs and moved > tol:
            moved = self._step()
            epochs += 1
        self.r_sum = -float(self.sums @ self.w)
        return epochs

    def _step(self) -> float:
        """One step from the extrapolated point; the momentum is (w before, r before, t)."""
        w_before, r_before, t = self._before or (self.w.copy(), self.r.copy(), 1.0)
        t_next = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t))
        beta = (t - 1.0) / t_next
        z, r_z = self.w + beta * (self.w - w_before), self.r + beta * (self.r - r_before)
        c = self._gradient_at(r_z, -float(self.sums @ z))
        while True:
            metric = self.lipschitz * self.sq
            step = prox_step(self.problem.penalty.kind, z, c, metric, self.l1, self.l2) - z
            change = np.zeros_like(self.r)  # X step
            self.problem.design.matrix.add_matvec(step, change, self.cols)
            if self._curvature(change) <= metric @ (step * step) * (1.0 + 1e-12):
                break
            self.lipschitz *= 2.0
        w_old, r_old = self.w.copy(), self.r
        self.w[:] = z + step
        self.r = r_z - (change if self.problem.s is None else self.problem.s * change)
        uphill = (metric * -step) @ (self.w - w_old) > 0.0
        self._before = (self.w.copy(), self.r.copy(), 1.0) if uphill else (w_old, r_old, t_next)
        moved = (metric + self.l2) * (self.w - w_old) ** 2
        return float(moved.max(initial=0.0))

    def _curvature(self, change: Vector) -> float:
        """`|X step|^2`, centred and weighted."""
        s, total = self.problem.s, self.problem.weight_sum
        weighted = change if s is None else s * change
        centre = weighted.sum() ** 2 / total if self.problem.fit_intercept else 0.0
        return float(change @ weighted - centre)
