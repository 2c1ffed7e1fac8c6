"""What is asked of one part of rows about a loss other than the squared one. Knows no penalties and no solvers.

All that a Newton step and its certificate need comes in one answer (`LossSums`): nothing in it is as long as the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg._core.kernels import mean_of, mean_value
from sparsereg.losses import Loss
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.loss_rows import FAR
from sparsereg.rows.partition import AtCoefficients, Partition, Question
from sparsereg.rows.units import MIN_CURVATURE

__all__ = ["SHARES", "CheckTargets", "LossAt", "LossSums", "Losses", "Slope", "TargetFacts"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Rows taken at a time: what is known of each stays in the cache.
LOSS_CHUNK = 1 << 14
# Numbers of a Gram matrix worked out together: 32 MB.
MAX_TRIANGLE = 1 << 22
# Where a loss is not self-concordant, its part of the gap is asked for at the dual points scaled by 1 less these
# shares; as it is convex, it lies below the chords between them, which are at most an eighth above it for a square.
SHARES = 2.0 ** -np.arange(30.0)


@dataclass(frozen=True)
class TargetFacts:
    """Of the rows of positive weight: `low <= y <= high`. Of all: `sum s`, `sum s y`, and the least `LossSums.total`
    that any predictors could reach."""

    low: float
    high: float
    weight_sum: float
    y_sum: float
    least: float


@dataclass(frozen=True)
class CheckTargets(Question):
    """The `TargetFacts`; a ValueError where a target is none that the loss takes."""

    loss: Loss

    def answer(self, part: Partition) -> TargetFacts:
        self.loss.check_target(part.y)
        s = np.ones(part.n_rows) if part.s is None else part.s
        y = part.y[s > 0.0]
        none, least = np.zeros(part.n_rows), 0.0
        if part.n_rows:
            least = -float(s @ self.loss.conjugate(part.y, none))
            if self.loss.kernel is not None:
                least += mean_value(self.loss.kernel, s, s * part.y, none) - self.loss.total(part.y, none, s)
        return TargetFacts(
            float(y.min(initial=np.inf)), float(y.max(initial=-np.inf)), float(s.sum()), float(s @ part.y), least
        )

    def combine(self, one: TargetFacts, other: TargetFacts) -> TargetFacts:
        return TargetFacts(
            min(one.low, other.low),
            max(one.high, other.high),
            one.weight_sum + other.weight_sum,
            one.y_sum + other.y_sum,
            one.least + other.least,
        )


def at_predictors(part: Partition, coef: Coefficients, base: float) -> Iterator[tuple[slice, Vector, Vector, Vector]]:
    """Some rows at a time: which, their predictors `offset + base + X w`, targets and weights."""
    w, ones = None, np.ones(min(part.n_rows, LOSS_CHUNK))
    if coef.w.size:
        w = np.zeros(part.n_cols)
        w[coef.cols] = coef.w
    for rows in part.chunks(LOSS_CHUNK):
        z = np.zeros(rows.stop - rows.start) if w is None else part.predictor(rows, w)
        z += base
        if part.offset is not None:
            z += part.offset[rows]
        yield rows, z, part.y[rows], ones[: z.size] if part.s is None else part.s[rows]


@dataclass(frozen=True)
class Slope(AtCoefficients):
    """`sum s rho`, `sum s h` and `sum s |rho|`, with `rho = -loss'` and `h = loss''`."""

    loss: Loss

    def answer(self, part: Partition) -> Vector:
        sums = np.zeros(3)
        for _, z, y, s in at_predictors(part, self.coef, self.base):
            rho, h = self.loss.residual(y, z), self.loss.curvature(y, z)
            sums += s @ rho, s @ h, s @ np.abs(rho)
        return sums


@dataclass(frozen=True)
class LossSums:
    """A loss at given predictors z, with `rho = -loss'(z)` and `h = loss''(z)`.

    Attributes
    ----------
    total : float
        `sum s loss(y, z)`; of losses with a kernel less what depends on the targets only.
    slope, curvature : float
        `sum s rho` and `sum s h`.
    c, u : float64 arrays of shape (n_cols,)
        `x_j' (s rho)`, and `x_j' (s h)` or, of losses that are not self-concordant, `x_j' (s max(rho, 0))`.
    squared, far : float
        Of self-concordant losses `sum s rho^2 / h` over rows where that is small, and for the others how far the loss
        is above its least.
    largest, largest_curvature : float
        `max |s rho|` and `max s h`.
    fenchel : float64 array of shape (2, 30)
        Of other losses their part of the gap at the dual points scaled by `1 - SHARES`, for rows of positive rho and
        for the others.
    positive : float
        Of other losses `sum s max(rho, 0)`.
    model_curvature : float
        `sum s h` with the curvatures of the model, none so small that a step would run away.
    gram : scipy.sparse.csr_array of shape (m, m)
        `X_W' S H X_W` with those, the lower triangle.
    model_sums : float64 array of shape (m,)
        `x_j' (s h)` with those.
    held : float
        `total` of the rows that are held out.
    """

    total: float
    slope: float
    curvature: float
    c: Vector
    u: Vector
    squared: float
    far: float
    largest: float
    largest_curvature: float
    fenchel: Vector
    model_curvature: float
    gram: sp.csr_array
    model_sums: Vector
    positive: float = 0.0
    held: float = 0.0


@dataclass(frozen=True)
class Losses(Question):
    """`sum s loss(y, offset + base_k + X w_k)` of k models, above the least that any predictors could reach; `coefs` is
    of shape (n_cols, k)."""

    coefs: sp.csc_array
    bases: Vector
    loss: Loss

    def answer(self, part: Partition) -> Vector:
        totals = np.zeros(self.bases.size)
        for k, base in enumerate(self.bases.tolist()):
            at = slice(*self.coefs.indptr[k : k + 2])
            w = Coefficients(self.coefs.indices[at].astype(np.int64), self.coefs.data[at])
            for _, z, y, s in at_predictors(part, w, base):
                totals[k] += self.loss.total(y, z, s)
        s = np.ones(part.n_rows) if part.s is None else part.s
        return totals + float(s @ self.loss.conjugate(part.y, np.zeros(part.n_rows)) if part.n_rows else 0.0)


class RowTerms(NamedTuple):
    """Of some rows `s rho` and `s h`; the first sums of `LossSums`: total, slope, curvature, squared, far; and
    `fenchel`, in one row."""

    rho: Vector
    h: Vector
    sums: tuple[float, float, float, float, float]
    fenchel: list[float] = []  # noqa: RUF012 - never written to


@dataclass(frozen=True)
class LossAt(AtCoefficients):
    """The `LossSums`, and the Gram matrix of the columns `cols`, which are sorted.

    Attributes
    ----------
    highest : float
        Largest target of all rows.
    """

    loss: Loss
    cols: Int
    highest: float

    def answer(self, part: Partition) -> LossSums:
        concordant, held, positive = self.loss.self_concordant, 0.0, 0.0
        sums = np.zeros(6 if concordant else 6 + 2 * SHARES.size)
        products, largest, raised = np.zeros((part.n_cols, 2)), np.zeros(2), np.empty(part.n_rows)
        with np.errstate(over="ignore", invalid="ignore"):
            for rows, z, y, s in at_predictors(part, self.coef, self.base):
                found = self._by_kernel(y, z, s) if self.loss.kernel is not None else self._by_rows(y, z, s)
                other = found.h if concordant else np.maximum(found.rho, 0.0)
                part.add_rmatvec_pair(rows, np.column_stack([found.rho, other]), products)
                positive += 0.0 if concordant else float(other.sum())
                np.maximum(found.h, MIN_CURVATURE * self._floor(found.rho, s), out=raised[rows])
                np.maximum(largest, [np.abs(found.rho).max(), found.h.max()], out=largest)
                sums += [*found.sums, raised[rows].sum(), *found.fenchel]
                if part.held is not None:
                    held += self._total(y, z, part.held[rows])
            gram = self._gram(part, raised)
        model_sums = gram.diagonal()
        for place in np.flatnonzero(self.cols >= part.n_codes).tolist():
            model_sums[place] = part.numbers[self.cols[place] - part.n_codes] @ raised
        total, slope, curvature, squared, far, model_curvature = sums[:6].tolist()
        c, u = np.ascontiguousarray(products.T)
        return LossSums(
            total,
            slope,
            curvature,
            c,
            u,
            squared,
            far,
            float(largest[0]),
            float(largest[1]),
            sums[6:].reshape(-1, SHARES.size),
            model_curvature,
            gram,
            model_sums,
            positive,
            held,
        )

    def combine(self, one: LossSums, other: LossSums) -> LossSums:
        largest = ("largest", "largest_curvature")
        pairs = {field.name: (getattr(one, field.name), getattr(other, field.name)) for field in fields(LossSums)}
        sums: dict[str, Any] = {name: max(a, b) if name in largest else a + b for name, (a, b) in pairs.items()}
        return LossSums(**sums)

    def _total(self, y: Vector, z: Vector, s: Vector) -> float:
        """As `LossSums.total`."""
        kernel = self.loss.kernel
        return self.loss.total(y, z, s) if kernel is None else mean_value(kernel, s, s * y, z)

    def _by_kernel(self, y: Vector, z: Vector, s: Vector) -> RowTerms:
        """For losses whose sums have a C kernel."""
        loss, kernel = self.loss, self.loss.kernel
        assert kernel is not None
        mean, sy = np.empty(z.size), s * y
        sums = s, sy, sy * y
        slope, curvature, squared = mean_of(kernel, sums, z, None, 0.0, 0.0, mean)
        total, far = self._total(y, z, s), 0.0
        h = loss.curvature_at(mean)
        if not squared <= FAR * float(s.sum()):
            squares = loss.scaled_squares(sums, mean, h)
            away = ~(squares <= FAR * s)
            far = float(loss.above_least(s[away], sy[away], z[away], self.highest).sum())
            squared = float(squares[~away].sum())
        return RowTerms(sy - s * mean, s * h, (total, slope, curvature, squared, far))

    def _by_rows(self, y: Vector, z: Vector, s: Vector) -> RowTerms:
        """For any loss."""
        loss, squared, fenchel = self.loss, 0.0, list[float]()
        rho, h = loss.residual(y, z), loss.curvature(y, z)
        if loss.self_concordant:
            squared = loss.scaled_square((s, s * y, s * y * y), y - rho, h)
        else:
            up = rho > 0.0
            sides = [(y[rows], z[rows], s[rows]) for rows in (up, ~up)]
            fenchel = [loss.fenchel_gap(*side, 1.0 - share) for side in sides for share in SHARES.tolist()]
        sums = loss.total(y, z, s), float(s @ rho), float(s @ h), squared, 0.0
        return RowTerms(s * rho, s * h, sums, fenchel)

    def _floor(self, rho: Vector, s: Vector) -> Vector:
        """As in `Units.raised`."""
        bound = self.loss.curvature_bound
        if self.loss.self_concordant or not np.isfinite(bound):
            return np.abs(rho)
        return np.maximum(np.abs(rho), s * bound)

    def _gram(self, part: Partition, h: Vector) -> sp.csr_array:
        """The lower triangle, some rows at a time."""
        cols, m = self.cols, self.cols.size
        codes, numbers = cols[cols < part.n_codes], cols[cols >= part.n_codes] - part.n_codes
        height = max(1, MAX_TRIANGLE // max(codes.size, 1))
        blocks = [sp.csr_array((0, m))]
        for first in range(0, codes.size, height):
            block = sp.csr_array(part.view.gram(codes, h, first, min(first + height, codes.size)))
            blocks.append(sp.csr_array((block.data, block.indices, block.indptr), shape=(block.shape[0], m)))
        for place, number in enumerate(numbers, codes.size):
            row = part.rmatvec(h * part.numbers[number])[cols]
            blocks.append(sp.csr_array(np.tril(row[None], place)))
        return sp.csr_array(sp.vstack(blocks, format="csr"))
