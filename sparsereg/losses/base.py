"""What a loss must say, one row at a time. Knows nothing of X, penalties or solvers.

A loss is a function `l(y, z)` of the target y and the predictor `z = offset + b0 + x . w`, convex and differentiable in
z. Everything a solver, a certificate, an oracle or a report needs follows from the methods below; a new loss is one
file with one class, and one line in `sparsereg.losses.LOSSES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import rows_residuals

__all__ = ["Loss", "enclosed_newton", "log_of_mean", "row_blocks"]

Vector = NDArray[np.float64]

# Newton's method for the null model has converged when a step moves the predictor by less than this share.
NULL_TOL = 1e-14
MAX_NULL_STEPS = 200
# Of a self-concordant loss: the next step would be of half the square of this one, at most.
QUADRATIC = 1e-7
# A sum of residuals below this share of the sum of their sizes is rounding.
ZERO_SLOPE = 1e-15
ROWS_AT_A_TIME = 1 << 13


class Loss(ABC):
    """A convex, differentiable loss `l(y, z)`; vectors are float64 of shape (n,).

    Attributes
    ----------
    name : str
        Its key in `LOSSES`.
    link : str
        Name of the function g with `z = g(prediction)`.
    quadratic : bool
        Whether l is `(y - z)^2 / 2`: one quadratic model then serves every strength.
    curvature_bound : float
        The least upper bound of `l''`; infinite where there is none.
    residual_bound : float
        An upper bound of `|l'|`; infinite where there is none.
    canonical : bool
        Whether `l(y, z) = a(z) - y z` and a function of y: rows with equal predictors then are one row, of their mean
        target and the sum of their weights.
    kernel : int or None
        Its number among the C kernels for a'(z) and a''(z), if it is canonical.
    exponential : bool
        Whether `l''(z + t) = l''(z) exp(+-t)`, with one sign for all z.
    self_concordant : bool
        Whether `|l'''| <= l''`, so that slopes at both ends of a step bound the loss between them, and l'' is concave
        as a function of l', so that at the point with `l'(z_t) = t l'(z)` it is at least `t l''(z)`.
    """

    name: ClassVar[str]
    link: ClassVar[str] = "identity"
    quadratic: ClassVar[bool] = False
    curvature_bound: ClassVar[float] = np.inf
    residual_bound: ClassVar[float] = np.inf
    canonical: ClassVar[bool] = False
    kernel: ClassVar[int | None] = None
    exponential: ClassVar[bool] = False
    self_concordant: ClassVar[bool] = False

    def __str__(self) -> str:
        """Its name; where it has a parameter, "name:value", which `as_loss` reads."""
        return self.name

    def check_target(self, y: Vector) -> None:  # noqa: B027 - any number will do unless a loss says otherwise
        """Raise ValueError for a target outside the range of the loss, naming the value and the range."""

    def check_intercept(self, y: Vector) -> None:  # noqa: B027 - a finite one is best unless a loss says otherwise
        """Raise ValueError where no finite intercept is best, for the targets y of the rows of positive weight."""

    @abstractmethod
    def value(self, y: Vector, z: Vector) -> Vector:
        """`l(y_i, z_i)`."""

    @abstractmethod
    def residual(self, y: Vector, z: Vector) -> Vector:
        """`-l'(y_i, z_i)`, the negative derivative in z."""

    @abstractmethod
    def curvature(self, y: Vector, z: Vector) -> Vector:
        """`l''(y_i, z_i)`, the second derivative in z, or an upper model of it where l' has kinks."""

    @abstractmethod
    def conjugate(self, y: Vector, u: Vector) -> Vector:
        """`l*(y_i, u_i) = sup_z u_i z - l(y_i, z)`; infinite outside its domain."""

    def inverse_link(self, z: Vector) -> Vector:
        """The prediction for a predictor."""
        return z

    def total(self, y: Vector, z: Vector, s: Vector | None = None) -> float:
        """`sum_i s_i l(y_i, z_i)`."""
        values = self.value(y, z)
        return float(values.sum() if s is None else s @ values)

    def fenchel_gap(self, y: Vector, z: Vector, s: Vector | None, t: float) -> float:
        """`sum_i s_i [l(z_i) + l*(-t rho_i) + t rho_i z_i]`, with `rho_i = -l'(z_i)`: at least 0, and 0 at t = 1.

        The loss's part of the duality gap at the dual point `t s rho`. The domain of `l*` is convex and holds `-rho`; a
        loss whose domain does not hold 0 gives infinity for small t.
        """
        rho = self.residual(y, z)
        with np.errstate(invalid="ignore"):
            terms = self.value(y, z) + self.conjugate(y, -t * rho) + t * rho * z
        return float(terms.sum() if s is None else s @ terms)

    def null_predictor(self, y: Vector, s: Vector | None, offset: Vector | None = None) -> float:
        """The intercept b0 of the model without columns: `sum_i s_i l'(y_i, offset_i + b0) = 0`, by safeguarded Newton
        steps."""
        return self.best_intercept(y, np.zeros_like(y) if offset is None else offset, s)

    def best_intercept(self, y: Vector, z: Vector, s: Vector | None) -> float:
        """The b minimising `sum_i s_i l(y_i, z_i + b)`."""
        targets = 0.0 if self.kernel is None else float(y.sum() if s is None else s @ y)

        def slope_and_curvature(b: float) -> tuple[float, float]:
            if self.kernel is not None:
                slope, total, means, _ = rows_residuals(self.kernel, y, s, z, b)
                size = means + targets
            else:
                rho, h = self.residual(y, z + b), self.curvature(y, z + b)
                slope, total, size = (float(v.sum() if s is None else s @ v) for v in (rho, h, np.abs(rho)))
            return (slope if abs(slope) > ZERO_SLOPE * size else 0.0), total

        return enclosed_newton(slope_and_curvature, 0.0, QUADRATIC if self.self_concordant else 0.0)

    def fit_term(self, deviance: Vector, dispersion: float | None) -> Vector:  # noqa: ARG002
        """Minus twice the log-likelihood of a row, but for what depends on y alone, at these mean unit deviances.

        A `dispersion` of None is 1, or where the distribution has another its best value.

        Raises
        ------
        ValueError
            Where there is no such distribution, or its best dispersion does not follow from deviances.
        """
        raise ValueError(
            f"loss='{self}' is not the likelihood of a distribution, as criteria need it; choose the strength by"
            " held-out rows, with cross_validate_path."
        )

    # ---- for losses with `canonical` or `self_concordant` --------------------------------------------------------

    def above_least(self, s: Vector, sy: Vector, z: Vector, largest: float) -> Vector:
        """For losses with a kernel, an upper bound of `sum_i s_i [l(y_i, z) - min l(y_i)]` of each group of rows, y at
        most `largest`."""
        raise NotImplementedError

    def curvature_at(self, mean: Vector) -> Vector:
        """For losses with a kernel, `l''` where the mean `a'(z)` is so much."""
        raise NotImplementedError

    def scaled_square(self, sums: tuple[Vector, Vector, Vector], mean: Vector, curvature: Vector) -> float:
        """The sum of `scaled_squares`."""
        return float(self.scaled_squares(sums, mean, curvature).sum())

    def scaled_squares(self, sums: tuple[Vector, Vector, Vector], mean: Vector, curvature: Vector) -> Vector:
        """`sum_i s_i rho_i^2 / l''_i`, or an upper bound, of each group of rows of equal predictors.

        `sums` has `sum s_i`, `sum s_i y_i` and `sum s_i y_i^2` of each group. For self-concordant losses
        `(1 - t)^2 / (2 t)` times this bounds `fenchel_gap(t)`."""
        s, sy, syy = sums
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            terms = (syy - 2.0 * mean * sy + s * mean * mean) / curvature
        return np.where(s > 0.0, np.maximum(terms, 0.0), 0.0)


def enclosed_newton(
    slope_and_curvature: Callable[[float], tuple[float, float]], enough: float, settled: float = 0.0
) -> float:
    """The b where a decreasing slope is at most `enough`, by Newton steps kept between the points that enclose it.

    Where those do not exist yet, steps are at most twice as long as the last; where the slope falls slowly, the
    interval is halved. A Newton step of at most `settled` is the last."""
    b, low, high, reach, last = 0.0, -np.inf, np.inf, 4.0, np.inf
    for _ in range(MAX_NULL_STEPS):
        slope, total = slope_and_curvature(b)
        if abs(slope) <= enough:
            break
        low, high = (b, high) if slope > 0.0 else (low, b)
        newton = slope / total if total > 0.0 else np.inf
        step = newton = newton if np.isfinite(newton) else float(np.copysign(np.inf, slope))
        enclosed = np.isfinite(low) and np.isfinite(high)
        if enclosed and (not low < b + step < high or abs(slope) > 0.5 * last):
            step = 0.5 * (low + high) - b
        if not enclosed and abs(step) > reach:
            step, reach = float(np.copysign(reach, step)), 2.0 * reach
        last = abs(slope)
        b += step
        if abs(step) <= (settled if step == newton else 0.0) or abs(step) <= NULL_TOL * max(1.0, abs(b)):
            break
    return float(b)


def row_blocks(n: int) -> Iterator[slice]:
    """Rows in blocks whose vectors stay in the processor's cache: formulas of many steps take a third of the time."""
    return (slice(begin, begin + ROWS_AT_A_TIME) for begin in range(0, n, ROWS_AT_A_TIME))


def log_of_mean(y: Vector, z: Vector, s: Vector | None) -> float:
    """`log(sum_i s_i y_i exp(z_i) / sum_i s_i)` for y >= 0, without overflow."""
    used = y > 0.0 if s is None else (y > 0.0) & (s > 0.0)
    if not used.any():
        return -np.inf
    top = float(z[used].max())
    terms = np.where(used, y, 0.0) * np.exp(np.where(used, z, top) - top)
    return top + float(np.log(np.average(terms, weights=s)))
