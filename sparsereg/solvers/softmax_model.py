"""The multinomial loss to second order, over a working set of coordinates: a column and a class each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import Pairs, SoftmaxModel
from sparsereg.objective.multi_task import RowCoefficients
from sparsereg.objective.multinomial import MultinomialEvaluation, MultinomialProblem
from sparsereg.objective.softmax_free import DEPENDENT, scaled_eigen, scaled_pinv, softmax_hessian, softmax_totals
from sparsereg.solvers.loop import Options

__all__ = ["SoftmaxStep", "WorkingPairs"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Descent ends when an epoch over all coordinates lowers the model by this share of what the first one did. Between two
# of those are so many over the coordinates that are not 0. After so many in all a Newton step follows, then epochs
# again, in so many rounds.
ENOUGH = 1e-4
MAX_EPOCHS = 30
ACTIVE_EPOCHS = 5
MAX_ROUNDS = 6
# Conjugate gradients: the relative residual, and the most products.
CG_TOL = 1e-3
MAX_PRODUCTS = 100
# Steps in a row that end where a coordinate reaches 0.
MAX_STOPS = 20
# Steps of so few coordinates are solved for directly where conjugate gradients do not end.
MAX_DIRECT = 300
# Slopes are known to this share of gradients and strengths. In directions without curvature predictors move so far.
NOISE, LONGEST = 1e-12, 10.0


class WorkingPairs:
    """Coordinates that may be other than 0, ordered by class and column.

    Attributes
    ----------
    cols, outputs : int64 arrays of shape (m,)
        Column of the design, and class.
    c : float64 array of shape (m,)
        Gradients of the loss where they were last taken.
    l1, l2 : float64 arrays of shape (m,)
        Strengths at the present alpha.
    """

    def __init__(self, problem: MultinomialProblem) -> None:
        self.problem = problem
        self.cols = self.outputs = np.empty(0, dtype=np.int64)
        self.c, self.l1, self.l2, self.shift = (np.empty(0) for _ in range(4))
        self.scale, self.l1_ratio = 0.0, 1.0

    @property
    def m(self) -> int:
        return self.cols.size

    def strengths(self, cols: Int) -> tuple[Vector, Vector]:
        """`l1` and `l2` of these columns at the present alpha."""
        return self.problem.penalty.strengths(self.scale, self.l1_ratio, cols)

    def set_strength(self, alpha: float, l1_ratio: float) -> None:
        """Make alpha the present strength."""
        self.scale, self.l1_ratio = self.problem.weight_sum * alpha, l1_ratio
        self.l1, self.l2 = self.strengths(self.cols)

    def add(self, cols: Int, outputs: Int, c: Vector | None = None) -> None:
        """Coordinates that are not here yet, and their gradients; those that are, are left as they are."""
        n_cols = self.problem.design.n_cols
        keys = np.concatenate([self.outputs * n_cols + self.cols, outputs * n_cols + cols])
        c = np.concatenate([self.c, np.full(cols.size, np.nan) if c is None else c])
        keys, first = np.unique(keys, return_index=True)
        self.outputs, self.cols, self.c = keys // n_cols, keys % n_cols, c[first]
        self.l1, self.l2 = self.strengths(self.cols)
        self.shift = self.problem.means(self.cols)

    def add_rows(self, coef: RowCoefficients) -> None:
        """Those of coefficients that are not 0."""
        place, outputs = np.nonzero(coef.w)
        self.add(coef.cols[place], outputs)

    def columns_of(self, k: int) -> Int:
        """The columns that class k has here, increasing."""
        return self.cols[slice(*np.searchsorted(self.outputs, (k, k + 1)))]

    def take_gradients(self, k: int, cols: Int, c: Vector) -> None:
        """Class k's gradients of increasing columns; coordinates of others cannot reach their threshold, and get 0."""
        part = slice(*np.searchsorted(self.outputs, (k, k + 1)))
        mine = self.cols[part]
        place = np.minimum(np.searchsorted(cols, mine), max(cols.size - 1, 0))
        self.c[part] = np.where(cols[place] == mine, c[place], 0.0) if cols.size else 0.0

    def weights(self, coef: RowCoefficients) -> Vector:
        """Coefficients by coordinate; none of them may be elsewhere."""
        if not coef.cols.size:
            return np.zeros(self.m)
        place = np.minimum(np.searchsorted(coef.cols, self.cols), coef.cols.size - 1)
        return np.where(coef.cols[place] == self.cols, coef.w[place, self.outputs], 0.0)

    def rows(self, w: Vector) -> RowCoefficients:
        """Coefficients by coordinate, as rows; without rows of zeros."""
        keep = np.flatnonzero(w)
        cols, place = np.unique(self.cols[keep], return_inverse=True)
        out = np.zeros((cols.size, self.problem.n_outputs))
        out[place, self.outputs[keep]] = w[keep]
        return RowCoefficients(cols, out)


class SoftmaxStep:
    """A step from where the loss was evaluated: coefficients `w` of the coordinates and, in `d`, the change of the
    predictors, of which intercepts always take their best part.

    `mixed`: the share of equal probabilities that is mixed into those of the curvature. Rows that are predicted nearly
    for certain have hardly any of their own, and would let a step run away. 1: Boehning's bound in place of the
    curvature, which is equal probabilities and K/2 times the weights."""

    def __init__(
        self, problem: MultinomialProblem, pairs: WorkingPairs, found: MultinomialEvaluation, mixed: float
    ) -> None:
        self.problem, self.pairs = problem, pairs
        K, p = problem.n_outputs, found.p
        self.p = p if mixed == 0.0 else (1.0 - mixed) * p + mixed / K
        self.s = np.full(p.shape[1], 0.5 * K if mixed == 1.0 else 1.0)
        if problem.s is not None:
            self.s *= problem.s
        self.sp = self.s * self.p
        self.d, self.mean = np.zeros_like(p), np.zeros(p.shape[1])
        self.model = SoftmaxModel(self.p, self.sp, self.d, self.mean)
        left = found.q - p
        self.rho = (left if problem.s is None else left * problem.s).sum(axis=1)
        self.inverse: Vector | None = None
        if problem.fit_intercept:
            self.inverse = scaled_pinv(softmax_totals(self.sp, self.p))
        self.w, self.unfinished = np.empty(0), False
        self.c = pairs.c.copy()
        self.c[np.isnan(self.c)] = 0.0
        empty = np.zeros(pairs.m)
        self.h = self.model.curvatures(problem.design.matrix, self._coordinates(empty, empty))

    def _coordinates(self, h: Vector, w: Vector) -> Pairs:
        pairs = self.pairs
        return Pairs(pairs.cols, pairs.outputs, pairs.shift, self.c, h, pairs.l1, pairs.l2, w)

    def descend(self, w: Vector, options: Options) -> int:
        """Coordinate descent on the model from w; returns the epochs, those over few coordinates in full."""
        self.w, self.unfinished = w.copy(), False
        epochs = self._epochs(options)
        while self.unfinished and epochs < MAX_ROUNDS * MAX_EPOCHS:
            epochs += self.newton()
            epochs += self._epochs(options)
        return epochs

    def _epochs(self, options: Options) -> int:
        coordinates, matrix = self._coordinates(self.h, self.w), self.problem.design.matrix
        every, first, epochs = np.arange(self.pairs.m), 0.0, 0
        while epochs < MAX_EPOCHS:
            order = every if options.rng is None else options.rng.permutation(every)
            decrease = self.model.cd(matrix, coordinates, order)
            self._move_intercepts()
            epochs += 1
            first = max(first, decrease)
            if decrease <= ENOUGH * first:
                self.unfinished = False
                return epochs
            active = np.flatnonzero(self.w)
            for _ in range(ACTIVE_EPOCHS if 2 * active.size < self.pairs.m else 0):
                moved = self.model.cd(matrix, coordinates, active)
                self._move_intercepts()
                epochs += 1
                if moved <= ENOUGH * first:
                    break
        self.unfinished = True
        return epochs

    def _move_intercepts(self) -> None:
        """To their joint minimum on the model."""
        if self.inverse is None:
            return
        lost = np.einsum("ki,ki->k", self.sp, self.d) - self.sp @ self.mean
        step = self.inverse @ (self.rho - lost)
        self.d += step[:, None]
        self.mean += step @ self.p

    def newton(self) -> int:
        """Steps on the coordinates that are not 0, by conjugate gradients or directly, until one is taken in full;
        where one would change sign under a penalty it stops at 0. Returns the products it took."""
        products = 0
        for _ in range(MAX_STOPS):
            active = np.flatnonzero((self.w != 0.0) | (self.pairs.l1 == 0.0))
            if not active.size:
                break
            # Coordinates without curvature have steps without end, which are not taken.
            with np.errstate(over="ignore", invalid="ignore"):
                x, more, ended = self._conjugate_gradients(active)
                if not ended and active.size <= MAX_DIRECT:
                    x, more = self._direct(active), more + 1
                t = self._shortened(active, x)
            products += more + 1
            if t in (0.0, 1.0):
                break
        return products

    def _conjugate_gradients(self, active: Int) -> tuple[Vector, int, bool]:
        """The step of the active coordinates to the minimum of the model where no sign changes, the products, and
        whether that is it."""
        pairs, slope = self.pairs, self._slope(active)
        inverse = 1.0 / np.maximum(self.h[active] + pairs.l2[active], np.finfo(float).tiny)
        x, r, products = np.zeros_like(slope), slope, 0
        z = inverse * r
        direction, rz = z.copy(), float(r @ z)
        first = rz
        while rz > CG_TOL**2 * first and products < MAX_PRODUCTS:
            hp = self._product(direction, active)
            products += 1
            curvature = float(direction @ hp)
            if not curvature > 0.0:
                break
            x += rz / curvature * direction
            r = r - rz / curvature * hp
            z = inverse * r
            new = float(r @ z)
            direction, rz = z + new / rz * direction, new
        return x, products, rz <= CG_TOL**2 * first

    def _slope(self, active: Int) -> Vector:
        """Minus the derivatives of the model along coordinates whose signs are kept."""
        pairs = self.pairs
        slope = self.c[active] - self._gathered(self._curved(self.d, self.mean), active)
        return slope - pairs.l1[active] * np.sign(self.w[active]) - pairs.l2[active] * self.w[active]

    def _direct(self, active: Int) -> Vector:
        """The same step by the eigenvalues of the model's Hessian: where curvatures are so far apart, as those of
        columns without a penalty that tell classes apart, that conjugate gradients do not end. In
        directions without curvature steps are long, but for predictors, unless slopes there are rounding."""
        pairs, problem = self.pairs, self.problem
        parts = softmax_hessian(problem.design, self.s, self.p, pairs.cols[active], pairs.outputs[active])
        hessian = parts.coefficients + np.diag(pairs.l2[active])
        if problem.fit_intercept:
            hessian -= parts.sums @ scaled_pinv(parts.totals) @ parts.sums.T
        unit, size, vectors = scaled_eigen(hessian)
        slope = vectors.T @ (unit * self._slope(active))
        noise = NOISE * np.linalg.norm(unit * (np.abs(self.c[active]) + pairs.l1[active]))
        curved, flat = size > 0.0, (size == 0.0) & (np.abs(slope) > noise)
        x = unit * (vectors[:, flat] @ slope[flat]) / (DEPENDENT * size[-1])
        moved = float(np.abs(self._moved(x, active)[0]).max())
        x *= LONGEST / max(moved, LONGEST)
        return x + unit * (vectors[:, curved] @ (slope[curved] / size[curved]))

    def _shortened(self, active: Int, x: Vector) -> float:
        """Take x, or where that does not lower the model the share of it at which the first coordinate reaches 0;
        returns the share, 0 where that does not either."""
        old, pairs = self.w[active], self.pairs
        turns = (old * (old + x) < 0.0) & (pairs.l1[active] > 0.0)
        shares = np.divide(-old, x, out=np.full_like(x, np.inf), where=turns)
        slope = self.c[active] - self._gathered(self._curved(self.d, self.mean), active)
        for t in (1.0, float(shares.min())):
            if not t <= 1.0:
                break
            step = np.where(turns & (shares <= t), -old, t * x)
            d, mean = self._moved(step, active)
            penalty = pairs.l1[active] @ (np.abs(old + step) - np.abs(old))
            penalty += 0.5 * (pairs.l2[active] @ ((old + step) ** 2 - old**2))
            if penalty - slope @ step + 0.5 * float(np.vdot(self._curved(d, mean), d)) < 0.0:
                self.w[active] = old + step
                self.d += d
                self.mean += mean
                self._move_intercepts()
                return t
        return 0.0

    def _moved(self, v: Vector, active: Int) -> tuple[Vector, Vector]:
        """The change of the predictors by v, with the best part of the intercepts, and its mean."""
        d = np.zeros_like(self.d)
        for k, part in self._by_class(active):
            at = active[part]
            self.problem.design.matrix.add_matvec(np.ascontiguousarray(v[part]), d[k], self.pairs.cols[at])
            d[k] -= float(v[part] @ self.pairs.shift[at])
        mean = np.einsum("ki,ki->i", self.p, d)
        if self.inverse is not None:
            step = -self.inverse @ (np.einsum("ki,ki->k", self.sp, d) - self.sp @ mean)
            d += step[:, None]
            mean += step @ self.p
        return d, mean

    def _product(self, v: Vector, active: Int) -> Vector:
        """The model's Hessian, intercepts eliminated, times v."""
        return self._gathered(self._curved(*self._moved(v, active)), active) + self.pairs.l2[active] * v

    def _curved(self, d: Vector, mean: Vector) -> Vector:
        return self.sp * (d - mean)

    def _gathered(self, r: Vector, active: Int) -> Vector:
        """`(x_j - mean_j)' r_k` of each coordinate."""
        out = np.empty(active.size)
        for k, part in self._by_class(active):
            at = active[part]
            out[part] = self.problem.design.matrix.rmatvec(np.ascontiguousarray(r[k]), self.pairs.cols[at])
            out[part] -= self.pairs.shift[at] * r[k].sum()
        return out

    def _by_class(self, active: Int) -> list[tuple[int, slice]]:
        ends = np.searchsorted(self.pairs.outputs[active], np.arange(self.problem.n_outputs + 1))
        return [(k, slice(ends[k], ends[k + 1])) for k in range(self.problem.n_outputs) if ends[k] < ends[k + 1]]
