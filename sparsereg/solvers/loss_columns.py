"""The certificate of a loss at the present point, for all columns, and which of those outside join. Knows no steps.

Columns outside are bounded by the displacement of the residual (`screening`); those whose bound passes the threshold
are evaluated.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.certificate import dual_ratio
from sparsereg.objective.problem import Problem
from sparsereg.rows.units import Units
from sparsereg.solvers.curvature_cd import CurvatureCD
from sparsereg.solvers.curvature_residual import CurvatureResidual
from sparsereg.solvers.known_gradients import KnownGradients
from sparsereg.solvers.loop import Certificate, Descent, Options
from sparsereg.solvers.loss_working_set import as_rows, eliminated_bound
from sparsereg.solvers.path_solver import BOUND_ROUNDING, GRAM_BATCH, MEMBERS_PER_ADDED, SMALL_GRAM
from sparsereg.solvers.point_gap import PointGap
from sparsereg.solvers.screening import EliminatedColumns, Screening

__all__ = ["LossColumns"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Columns added at a time, the nearest first: so many and twice the active ones. A round costs more than a few columns
# too many.
MIN_ADDED = 20
# No columns, and no gradients of them.
NONE = np.empty(0, dtype=np.int64), np.empty(0)


class LossColumns(Descent):
    """The columns of a problem under a loss: those of the working set, and bounds on the others.

    Parameters
    ----------
    problem : Problem
    l1_ratio : float
    options : Options
    working_set : CurvatureCD or CurvatureResidual
        Without columns.
    c : float64 array of shape (n_cols,), optional
        The gradient at w = 0 where it is known.
    """

    working_set: CurvatureCD | CurvatureResidual

    def __init__(
        self,
        problem: Problem,
        l1_ratio: float,
        options: Options,
        working_set: CurvatureCD | CurvatureResidual,
        c: Vector | None,
    ) -> None:
        super().__init__(working_set.quadratic, l1_ratio, options, working_set)
        self.problem, self._threshold = problem, 0.0
        self._outside = np.inf  # the largest bound outside over its threshold, at the last certificate
        self._many_rounds = False  # whether columns joined at the last strength after its first step
        if c is not None:
            self.units.know_gradients(c)
        at_zero = self.units.gradients(None) if c is None else c
        self._known = KnownGradients(at_zero)
        self.screening = Screening(problem.quadratic, at_zero)

    @property
    def units(self) -> Units:
        return self.working_set.units

    def _certify_point(self, own: PointGap, target: float) -> tuple[Certificate, Vector]:
        """The duality gap, from bounds on the columns outside or their gradients; columns to add, and their
        gradients."""
        threshold, none = self._threshold, np.empty(0, dtype=np.int64)
        self.screening.displace(*self.units.displacement(own.mean))
        candidates, worst, others = self.screening.above(threshold, own.dual_shift)
        others = max(others, self._eliminated_bound(own.mean))
        self._outside = dual_ratio(max(worst, others), threshold)
        gap = own(self._outside)
        if gap <= target or not candidates.size:
            self._refuse_eliminated(gap, target, own)
            return Certificate(gap, 0.0, none), np.empty(0)
        c = self._gradients(candidates, own.mean)
        magnitude, worst = self.screening.record(candidates, c, own.dual_shift)
        self._outside = dual_ratio(max(worst, others), threshold)
        gap = own(self._outside)
        new = self._to_add(candidates, magnitude)
        if not new.size:
            self._refuse_eliminated(gap, target, own)
        c = c[np.searchsorted(candidates, new)] if own.mean is None else self.units.gradients(new)
        return Certificate(gap, 0.0, new), c

    def _gradients(self, cols: Int, mean: Vector | None) -> Vector:
        """Of columns outside."""
        return self._known.of(self.units, cols) if mean is None else self.units.gradients(cols, mean)

    def _add_foreseen(self) -> None:
        """Columns that were over the present threshold when they were last evaluated join before the first step; not
        on dense X, as for squares."""
        if self._threshold == 0.0 or self.problem.rows.is_dense:
            return
        cols, _, _ = self.screening.last_above((1.0 + BOUND_ROUNDING) * self._threshold)
        if cols.size:
            self.screening.displace(*self.units.displacement())
            self._add(*self._evaluated(cols)[0])

    def _violated(self, own: PointGap, target: float) -> tuple[tuple[Int, Vector], bool]:
        """Columns to add because a step left them over the threshold, with their gradients, and whether scaling the
        dual point because of them would cost more than the target."""
        self.screening.displace(*self.units.displacement())
        cols, _, _ = self.screening.above(self._threshold)
        if not cols.size:
            return NONE, False
        new, worst = self._evaluated(cols)
        return new, (worst - self._threshold) * own.terms.l1_norm > worst * target

    def _evaluated(self, cols: Int) -> tuple[tuple[Int, Vector], float]:
        """Those of some columns outside that are over the threshold or nearly, with their gradients, and the largest
        magnitude of all."""
        c = self._gradients(cols, None)
        magnitude, worst = self.screening.record(cols, c)
        new = self._to_add(cols, magnitude)
        return (new, c[np.searchsorted(cols, new)]), worst

    def _to_add(self, cols: Int, magnitude: Vector) -> Int:
        limit = MIN_ADDED + 2 * int(np.count_nonzero(self.working_set.at))
        return self._nearest(cols, magnitude, self._threshold, limit)

    def _refuse_eliminated(self, gap: float, target: float, own: PointGap) -> None:
        if gap > target and self._eliminated_bound(own.mean) > self._threshold:
            raise EliminatedColumns

    def _eliminated_bound(self, mean: Vector | None = None) -> float:
        """The largest possible gradient of an eliminated column, by its entries, at the residual or at `y - mean`."""
        return eliminated_bound(self.problem, self.units, self._threshold, mean)

    def _add(self, cols: Int, c: Vector) -> None:
        if not cols.size:
            return
        ws = self.working_set
        if not self.units.can_join(cols):
            assert isinstance(ws, CurvatureCD)
            ws.use(as_rows(self.problem, ws, self.screening))
        size = max(GRAM_BATCH, ws.m // MEMBERS_PER_ADDED)
        for begin in range(0, cols.size, size):
            batch = slice(begin, begin + size)
            ws.join(cols[batch], c[batch])
            if isinstance(ws, CurvatureCD) and ws.gram_entries > self.problem.rows.nnz + SMALL_GRAM:
                rows = as_rows(self.problem, ws, self.screening, with_gram=False)
                ws = self.working_set = CurvatureResidual(self.problem, rows, ws)
        self.screening.drop(cols)
