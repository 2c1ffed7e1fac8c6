"""A preconditioner for one-hot designs under strong penalties. Knows the fields and the normal equations, not the iteration.

The heavy columns are solved exactly, each of the others by itself: so an application meets the rows once, to know `H z`, where a sweep
over the fields meets them for each of its steps. It takes more iterations, hardly more where a penalty outweighs what
the other columns of a row come to together.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from sparsereg._core.kernels import exchange
from sparsereg.ridge.normal_equations import System
from sparsereg.ridge.pcg import ApproximateInverse
from sparsereg.ridge.preconditioners.factors import Fields
from sparsereg.ridge.preconditioners.nested_factors import InFieldOrder, collected, rows_of
from sparsereg.ridge.preconditioners.subspace_correction import Rows, spread
from sparsereg.ridge.preconditioners.two_level import HeavyBlock, factorised

__all__ = ["BlockDiagonal"]

Vector = NDArray[np.float64]


class _Blocks(ApproximateInverse):
    """The inverses of the blocks, on vectors in the order of the fields."""

    def __init__(self, fields: Fields, H: Vector, penalty: Vector, sums: Vector, rows: Rows, heavy: HeavyBlock) -> None:
        self.fields, self.penalty, self.sums, self.rows = fields, penalty, sums, rows
        self.inverse = 1.0 / H
        place = np.empty(H.size, dtype=np.int64)
        place[fields.order] = np.arange(H.size)
        self.heavy = place[heavy.cols]
        self.factor = factorised(heavy.gram, penalty[self.heavy]) if self.heavy.size else None

    def apply(self, g: Vector) -> tuple[Vector, Vector]:
        """`(z, H z)` with z near `H^-1 g`."""
        z = g * self.inverse
        if self.factor is not None:
            z[self.heavy] = scipy.linalg.cho_solve((self.factor, True), g[self.heavy], check_finite=False)
        return z, self._times(z)

    def _times(self, z: Vector) -> Vector:
        fields, rows = self.fields, self.rows
        give = {t: np.append(z[fields.parts[t]], 0.0) for t in fields.tops}
        for f, host in fields.host.items():
            spread(fields.nested[host, f], z[fields.parts[f]], give[host][:-1])
        q = {t: np.zeros(levels.m + 1) for t, levels in fields.tops.items()}
        v = np.zeros(rows.n)
        if rows.valued:
            X, cols = rows.valued
            X.add_matvec(z[fields.n_levels :], v, cols, 1.0, rows.s)
        exchange(v, *([(levels, by_top[t]) for t, levels in fields.tops.items()] for by_top in (give, q)), rows.s)
        out = collected(fields, q, z.size)
        if rows.valued:
            out[fields.n_levels :] = X.rmatvec(v, cols)
        if rows.weight_sum:
            out -= self.sums * (float(next(iter(q.values())).sum()) / rows.weight_sum)
        out += self.penalty * z
        return out


class BlockDiagonal(InFieldOrder):
    """Heavy columns together and each other column by itself, for a design of fields and a few valued columns, each penalised.

    Memory: as that of `NestedSweep`, without copies.

    Parameters
    ----------
    system : System
        With positive penalties only.
    fields : Fields
        Of the same design.
    heavy : HeavyBlock
        With all valued columns in it, and no shadows.
    """

    def __init__(self, system: System, fields: Fields, heavy: HeavyBlock) -> None:
        equations, order = system.equations, fields.order
        H = (equations.diagonal + system.penalty)[order]
        inner = _Blocks(fields, H, system.penalty[order], equations.sums[order], rows_of(equations), heavy)
        super().__init__(fields, inner)
