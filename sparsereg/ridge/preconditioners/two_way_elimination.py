"""Two fields that face each other, as the latitudes and longitudes of the cells of a map do. Knows weighted rows, not what they stand for.

Given one field, the levels of the other follow, each by itself but for the intercept. So the larger one is eliminated with the intercept, and
iterations are over the smaller: what a symmetric sweep over both comes to, without the third of its walks that would find the larger solved.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import Levels, carry, collect
from sparsereg.ridge.pcg import ApproximateInverse, ReducedSystem
from sparsereg.ridge.preconditioners.subspace_correction import Rows

__all__ = ["Facing"]

Vector = NDArray[np.float64]


class _Field:
    """One of the two: what the rows have of it, and where those of each level begin if they are in its order; its place in a vector, its penalty,
    and that and its weight inverted."""

    def __init__(
        self, levels: Levels, begin: NDArray[np.int64] | None, part: slice, penalty: Vector, sums: Vector
    ) -> None:
        self.levels, self.begin, self.part = levels, begin, part
        self.penalty, self.sums = penalty[part], sums[part]
        self.inverse = 1.0 / (self.penalty + self.sums)


class _Smaller(ApproximateInverse):
    """The smaller field with the larger one and the intercept eliminated: preconditioned by its own diagonal."""

    def __init__(self, small: _Field, large: _Field, rows: Rows) -> None:
        self.small, self.large, self.rows = small, large, rows
        self.share = large.sums * large.inverse
        self.free = float(large.penalty @ self.share)  # the weight that the larger field leaves to the intercept

    def apply(self, g: Vector) -> tuple[Vector, Vector]:
        """`(z, H z)` with z near `H^-1 g`."""
        z = g * self.small.inverse
        taken = self.met(self.small, z, self.large)
        _, moved = self.following(-taken, -float(taken.sum()))
        return z, self.met(self.large, moved, self.small) + z / self.small.inverse

    def following(self, right: Vector, total: float) -> tuple[Vector, Vector]:
        """The larger field's coefficients where this is the right side, and `total` the intercept's; without and with the intercept."""
        z = right * self.large.inverse
        if not self.rows.weight_sum:
            return z, z
        intercept = (total - float(self.share @ right)) / self.free
        z -= intercept * self.share
        return z, z + intercept

    def met(self, give: _Field, x: Vector, take: _Field) -> Vector:
        """What one field has of the rows, where the other has coefficients x."""
        out = np.zeros(take.levels.m + 1)
        if give.begin is not None:
            carry(self.rows.s, give.begin, x, (take.levels, out))
        else:
            collect(self.rows.s, take.begin, (give.levels, np.append(x, 0.0)), out[:-1])
        return out[:-1]


class Facing(ReducedSystem):
    """Vectors over the columns of two fields, iterated with over the smaller one only.

    Parameters
    ----------
    begin : int64 array of shape (m + 1,)
        Where the rows of each level of the first field begin, and where they end.
    levels : list of two Levels
        Of the rows, each of which has one of both.
    parts : list of two slices
        Where the two stand in a vector.
    penalty, sums : float64 arrays of shape (n_cols,)
        Positive penalties, and `X' s`.
    rows : Rows
        With weights.
    """

    inner: _Smaller

    def __init__(
        self,
        begin: NDArray[np.int64],
        levels: list[Levels],
        parts: list[slice],
        penalty: Vector,
        sums: Vector,
        rows: Rows,
    ) -> None:
        self.sums, self.rows = sums, rows
        runs = (begin, None)
        fields = [_Field(*field, penalty, sums) for field in zip(levels, runs, parts, strict=True)]
        self.small, self.large = sorted(fields, key=lambda field: field.levels.m)
        self.inner = _Smaller(self.small, self.large, rows)

    def restrict(self, g: Vector) -> Vector:
        """What the larger field and the intercept leave of a g that is centred."""
        _, moved = self.inner.following(g[self.large.part], 0.0)
        return g[self.small.part] - self.inner.met(self.large, moved, self.small)

    def prolong(self, g: Vector, step: Vector, rest: Vector) -> tuple[Vector, Vector]:
        """The step of both; that of the larger leaves no gradient there."""
        taken = self.inner.met(self.small, step, self.large)
        out, left = np.empty(g.size), np.zeros(g.size)
        out[self.small.part], left[self.small.part] = step, rest
        out[self.large.part], _ = self.inner.following(g[self.large.part] - taken, -float(taken.sum()))
        return out, left
