"""The factors of a one-hot design, found from its rows, and which of them are nested in which.

A *factor* is a run of columns of which no row has two, such as the one-hot columns of a category or of a cross; its
columns are its levels. A factor is *nested* in a coarser one where all rows of each of its levels have the same level
of the other, as a cross is nested in what it was crossed from. The *finest* factors are those in which no other is
nested. They determine the levels of a row in all others, so that passes over the rows read the codes of the finest
factors alone. Finding factors and codes takes two passes over X, and nestings a pass over the codes for each pair until
it is refuted.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import FactorCodes, number_levels
from sparsereg.data.design import Design

__all__ = ["Factors", "smallest_refinements"]

# A table of more categories is not one-hot data. The kernels take 64 factors at a time.
MAX_FACTORS = 64
# Columns with values other than 1; each costs two passes over its entries an application.
MAX_VALUED = 100
# Levels of all near-nested factors together.
MAX_NEAR_NESTED_LEVELS = 600
# Rows per level of the finer factor on average; with fewer, rows would have their level's majority by chance.
MIN_ROWS_PER_LEVEL = 20
# Share of the rows outside the most frequent coarse level that must have their fine level's majority.
MIN_AGREEMENT = 0.7
# A pilot of n / 8 rows refutes most pairs.
PILOT = 8
# Share of rows with a level, averaged over factors; with less, runs of columns share no row by chance.
MIN_FILLED = 0.5


@dataclass(frozen=True)
class NearNestedFactor:
    """A factor without columns: each level of a finer factor lies in the coarse level that most of its rows have.

    `parents` are, for the finer factor and those nested in it, the level that contains each of theirs; `refinement` is
    the smallest finest factor among these.
    """

    n_levels: int
    parents: dict[int, FactorCodes]
    refinement: int


@dataclass(frozen=True)
class Factors:
    """All columns of a design, factor by factor.

    Memory: an int32 for each row and finest factor and for each column and nesting. To find it, one for each row and
    factor.

    Attributes
    ----------
    order : int64 array of shape (n_cols,)
        The columns of the design in factor order, each factor's in their own. Columns with values other than 1 come
        last.
    slices : list of slice
        Each factor's place in that order.
    finest : dict of int to FactorCodes
        The finest factors' codes by row.
    nesting : dict of (int, int) to FactorCodes
        `nesting[fine, coarse]`: the level of `coarse` that contains each level of `fine`.
    refinement : dict of int to int
        For each other factor, the finest factor of fewest levels that is nested in it.
    near_nested : list of NearNestedFactor
    saturated : bool
        Whether a single finest factor determines the whole row. Its levels then take the place of the rows.
    """

    order: NDArray[np.int64]
    slices: list[slice]
    finest: dict[int, FactorCodes]
    nesting: dict[tuple[int, int], FactorCodes]
    refinement: dict[int, int]
    near_nested: list[NearNestedFactor]
    saturated: bool

    @property
    def n_factor_cols(self) -> int:
        """Columns that belong to a factor."""
        return self.slices[-1].stop

    @property
    def n_rows(self) -> int:
        """Rows that the finest factors' codes are for."""
        return next(iter(self.finest.values())).codes.size

    @classmethod
    def of(cls, design: Design, min_rows: float = 0.0) -> Factors | None:
        """The factors of a sparse design of ones and at most a few valued columns; None for any other design.

        Near-nested factors have `min_rows` a level on average at least."""
        rows, n_ones = design.rows, design.n_ones
        if rows is None or n_ones == 0 or design.n_cols - n_ones > MAX_VALUED:
            return None
        factor_of, ends = rows.find_factors(MAX_FACTORS)
        if not 0 < ends.size * MIN_FILLED <= design.nnz / design.n_rows:
            return None
        level, order, sizes = number_levels(factor_of, design.index_in_rows, n_ones, ends.size)
        valued = np.arange(n_ones, design.n_cols)
        filled = not valued.size and design.nnz == ends.size * design.n_rows  # every row has a level of each factor
        arrays = [np.full(design.n_rows, m, dtype=np.int32) for m in sizes]
        rows.factor_codes(ends, level, arrays)
        codes = [FactorCodes(code, m) for code, m in zip(arrays, sizes, strict=True) if m]  # a run may be all valued
        stops = np.cumsum([own.n_levels for own in codes])
        slices = [slice(int(stop) - own.n_levels, int(stop)) for stop, own in zip(stops, codes, strict=True)]
        nesting = _nestings(codes)
        refined = {coarse for _, coarse in nesting}
        finest = {f: own for f, own in enumerate(codes) if f not in refined}
        saturated = filled and len(finest) == 1 and bool(nesting)
        near_nested = [] if saturated else _near_nested(codes, nesting, finest, min_rows)
        if saturated:
            m = {t: own.n_levels for t, own in finest.items()}
            finest = {t: FactorCodes(np.arange(m[t], dtype=np.int32), m[t]) for t in finest}
        refinement = smallest_refinements(finest, nesting)
        return cls(np.concatenate([order, valued]), slices, finest, nesting, refinement, near_nested, saturated)


def smallest_refinements(finest: dict[int, FactorCodes], nesting: dict[tuple[int, int], FactorCodes]) -> dict[int, int]:
    """For each factor with another nested in it, the finest factor of fewest levels among these."""
    refined = {coarse for _, coarse in nesting}
    return {f: min((t for t in finest if (t, f) in nesting), key=lambda t: finest[t].n_levels) for f in refined}


def _nestings(codes: list[FactorCodes]) -> dict[tuple[int, int], FactorCodes]:
    """Every pair of a fine and a coarse factor; of two equal factors, the first is the coarse one."""
    nesting = {}
    for fine, a in enumerate(codes):
        for coarse, b in enumerate(codes):
            if (b.n_levels, coarse) >= (a.n_levels, fine):
                continue
            parents = a.parents(b)
            if parents is not None:
                nesting[fine, coarse] = FactorCodes(parents, b.n_levels)
    return nesting


def _near_nested(
    codes: list[FactorCodes],
    nesting: dict[tuple[int, int], FactorCodes],
    finest: dict[int, FactorCodes],
    min_rows: float,
) -> list[NearNestedFactor]:
    """Pairs that are nested but for some rows, small factors first, until their levels are too many."""
    found: list[NearNestedFactor] = []
    n = codes[0].codes.size
    pairs, budget = set(), MAX_NEAR_NESTED_LEVELS
    by_size = sorted(range(len(codes)), key=lambda f: codes[f].n_levels)
    for fine, coarse in itertools.product(by_size, by_size):
        a, b = codes[fine], codes[coarse]
        if (fine, coarse) in nesting or MIN_ROWS_PER_LEVEL * a.n_levels > n or 2 * b.n_levels > a.n_levels:
            continue
        if b.n_levels > budget or b.n_levels * min_rows > n:
            continue
        if any((between, coarse) in pairs for start, between in nesting if start == fine):
            continue
        parents = _majority(a, b, n // PILOT)
        if parents is None or (parents := _majority(a, b, n)) is None:
            continue
        used, code = np.unique(parents, return_inverse=True)
        by_factor = {fine: FactorCodes(code.astype(np.int32), used.size)}
        for (finer, start), own in nesting.items():
            if start == fine:
                by_factor[finer] = FactorCodes(by_factor[fine].codes[own.codes], used.size)
        refinement = min((t for t in finest if t in by_factor), key=lambda t: finest[t].n_levels)
        found.append(NearNestedFactor(used.size, by_factor, refinement))
        pairs.add((fine, coarse))
        budget -= used.size
    return found


def _majority(fine: FactorCodes, coarse: FactorCodes, n: int) -> NDArray[np.int32] | None:
    """The coarse level that most of the first n rows of each fine level have; None unless enough rows have it."""
    parents, agreed = fine.majority(coarse, n)
    chance = np.bincount(coarse.codes[:n], minlength=1).max(initial=0)
    return parents if agreed - chance > MIN_AGREEMENT * (n - chance) else None
