"""Checks of what users pass, with errors that name the argument, the value and the remedy. Knows no solvers."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.real_numbers import real_numbers, refuse_unreal_columns, shown

__all__ = [
    "FINITE",
    "LARGEST",
    "MOST_POINTS",
    "check_alphas",
    "check_callback",
    "check_choice",
    "check_dense",
    "check_flag",
    "check_flags",
    "check_number",
    "check_outputs",
    "check_penalty_factor",
    "check_scaled_weights",
    "check_strength",
    "check_target",
    "check_vector",
    "check_weights",
    "not_finite",
    "real_type",
    "refuse_subnormal",
    "relative_weights",
    "strengths_of_sum",
    "summed_weights",
]

Vector = NDArray[np.float64]

# The largest number, and the largest integer where a count is asked for, and where any number is.
FINITE = float(np.finfo(np.float64).max)
LARGEST, LARGEST_FLOAT = 2**63 - 1, int(FINITE)
# Powers of two whose inverses are normal numbers too.
EXPONENTS = (-1000, 1000)
# Points of a path.
MOST_POINTS = 1_000_000


def check_number(
    name: str, value: Any, *, low: float, high: float = np.inf, integer: bool = False, open_low: bool = False
) -> Any:
    """A real number within its limits; `open_low` excludes the lower one."""
    kind: Any = Integral if integer else Real
    what = "an integer" if integer else "a finite number" if high == FINITE else "a number"
    limits = "" if low == -FINITE else f" {'above' if open_low else 'at least'} {low:g}"
    limits += "" if high >= FINITE else f" and at most {high:g}"
    if (
        isinstance(value, bool)
        or not isinstance(value, kind)
        or not (value > low if open_low else value >= low)
        or not value <= float(high)
        or (isinstance(value, Integral) and not int(value) <= (LARGEST if integer else LARGEST_FLOAT))
    ):
        raise ValueError(f"{name}={shown(value)}: expected {what}{limits}.")
    return value


def check_choice(name: str, value: Any, choices: tuple[str, ...], otherwise: str = "") -> str:
    """One of a few words; `otherwise`: what the parameter takes that is no text, for the message."""
    if value not in choices:
        expected = f"{'one of ' * (len(choices) > 1)}{', '.join(map(repr, choices))}"
        raise ValueError(f"{name}={value!r}: expected {expected}{otherwise and ' or ' + otherwise}.")
    return str(value)


def check_flag(name: str, value: Any) -> bool:
    """True or False, no other value."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name}={value!r}: expected True or False.")  # noqa: TRY004 - like every other check here
    return bool(value)


def check_flags(**flags: Any) -> None:
    """Each True or False."""
    for name, value in flags.items():
        check_flag(name, value)


def check_callback(callback: Any, arguments: str) -> None:
    """A function, or None."""
    if callback is not None and not callable(callback):
        raise ValueError(f"callback={callback!r}: expected a function of ({arguments}), or None.")


def check_vector(name: str, value: Any, length: int, of: str = "rows of X") -> Vector:
    """Finite real numbers, one for each of `length`."""
    vector = real_numbers(name, value)
    if vector.ndim != 1 or vector.shape[0] != length:
        raise ValueError(f"{name} has shape {vector.shape}; expected ({length},), one number for each of the {of}.")
    vector = np.ascontiguousarray(vector, dtype=np.float64)
    if not np.isfinite(vector).all():
        where = int(np.flatnonzero(~np.isfinite(vector))[0])
        raise ValueError(
            f"{name} contains {vector[where]} at position {where}; drop or replace it; expected finite numbers."
        )
    return vector


def real_type(name: str, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type in which a matrix of this type is read: float32 or float64."""
    if dtype.kind not in "fiub":
        raise ValueError(
            f"{name} has dtype {dtype}; expected real numbers. Encode categories first, e.g. with FeatureCross."
        )
    return np.dtype(np.float32) if dtype == np.float32 else np.dtype(np.float64)


def check_dense(name: str, X: Any) -> NDArray[Any]:
    """A finite matrix with at least one row and one column, as float32 or float64; borrowed if it is of that type."""
    refuse_unreal_columns(name, X)
    X = np.asarray(X)
    if X.ndim != 2:
        remedy = f" Reshape it with {name}.reshape(-1, 1) if it is one feature." if X.ndim == 1 else ""
        raise ValueError(f"{name} has {X.ndim} dimension(s); expected 2.{remedy}")
    if X.size == 0:
        raise ValueError(f"{name} has shape {X.shape}; expected at least one row and one column.")
    if X.dtype == object:
        try:
            X = X.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} holds something that is not a number: {error}.") from error
    X = X.astype(real_type(name, X.dtype), copy=False)
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.isfinite(np.add.reduce(X, axis=None, dtype=np.float64)) or np.isfinite(X).all()
    if not finite:
        row, column = np.argwhere(~np.isfinite(X))[0]
        raise not_finite(name, X[row, column], row, column)
    return X


def not_finite(name: str, value: float, row: int, column: int) -> ValueError:
    """The error for NaN or infinity in a matrix."""
    word = "NaN" if np.isnan(value) else f"infinity ({value})"
    return ValueError(f"Input {name} contains {word} at row {row}, column {column}; impute or drop it.")


def check_target(y: Any, n_rows: int) -> Vector:
    """One number a row."""
    return check_vector("y", y, n_rows)


def check_outputs(name: str, value: Any, n_rows: int, n_outputs: int | None = None) -> Vector:
    """Finite real numbers of shape (n, K), K at least 1 or as given; in Fortran order."""
    table = real_numbers(name, value)
    wanted = "K" if n_outputs is None else str(n_outputs)
    fits = table.ndim == 2 and table.shape[0] == n_rows and table.shape[1] == (n_outputs or max(table.shape[1], 1))
    if not fits:
        raise ValueError(
            f"{name} has shape {table.shape}; expected ({n_rows}, {wanted}), a row for each row of X and a column for"
            " each output."
        )
    table = np.asarray(table, dtype=np.float64, order="F")
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0]
        raise not_finite(name, table[row, column], row, column)
    return table


def check_weights(sample_weight: Any, n_rows: int) -> Vector | None:
    """Weights whose scale changes no result, brought to one that cannot overflow; None for a scalar."""
    s = check_scaled_weights(sample_weight, n_rows)
    return None if s is None or isinstance(sample_weight, Real) else relative_weights(s)[0]


def relative_weights(s: Vector) -> tuple[Vector, float]:
    """Weights over a power of two that brings very large and small ones near 1, where their products keep within double
    precision; and that power."""
    mean = float(s.mean())
    if 1e-12 < mean < 1e12:
        return s, 1.0
    exponent = int(np.clip(np.log2(mean), *EXPONENTS))
    return np.ldexp(s, -exponent), float(np.ldexp(1.0, exponent))


def summed_weights(s: Vector | None, n_rows: int) -> tuple[Vector | None, float]:
    """Weights whose scale changes no result any more, and the sum of those given, by which it did."""
    if s is None:
        return None, float(n_rows)
    total = float(s.sum())
    if not total > 0.0:
        raise ValueError("sample_weight and class_weight leave no row a positive weight.")
    return relative_weights(s)[0], total


def strengths_of_sum(C: Any, total: float) -> Any:
    """Strengths beside a mean, `1 / (C total)`, of inverse strengths beside a sum over rows whose weights sum to
    `total`.

    Raises
    ------
    ValueError
        Where that overflows.
    """
    least = float(np.min(C)) * total
    if not least >= 1.0 / FINITE:
        raise ValueError(
            f"C={float(np.min(C)):g} times the sum of the weights, {total:g}, has an inverse that overflows; multiply"
            " sample_weight by a constant, and divide C by it."
        )
    return 1.0 / (C * total)


def check_scaled_weights(sample_weight: Any, n_rows: int) -> Vector | None:
    """Non-negative, not all zero; as they are, because their scale matters. A number is that weight in every row."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Real):
        check_number("sample_weight", sample_weight, low=0, high=FINITE, open_low=True)
        return np.full(n_rows, float(sample_weight))
    s = check_vector("sample_weight", sample_weight, n_rows)
    if (s < 0).any():
        where = int(np.flatnonzero(s < 0)[0])
        raise ValueError(f"sample_weight is {s[where]} at position {where}; expected non-negative numbers.")
    with np.errstate(over="ignore"):
        total = s.sum()
    if not np.isfinite(total):
        raise ValueError(
            f"sample_weight reaches {s.max():.3g}, and its sum is too large for float64; divide it by that."
        )
    if not total > 0:
        raise ValueError("sample_weight is zero for every row; expected at least one positive number.")
    return s


def check_penalty_factor(penalty_factor: Any, n_features: int) -> Vector | None:
    """Non-negative, one for each column of X; 0 leaves a column unpenalised."""
    if penalty_factor is None:
        return None
    if isinstance(penalty_factor, str) and penalty_factor == "dropout":
        raise ValueError(
            "penalty_factor='dropout': expected numbers here, one for each column of X. Only Ridge knows dropout, which"
            " adds squares whatever alpha is, while these factors multiply the l1 term as well."
        )
    factor = check_vector("penalty_factor", penalty_factor, n_features, "columns of X")
    if (factor < 0).any():
        where = int(np.flatnonzero(factor < 0)[0])
        raise ValueError(f"penalty_factor is {factor[where]} at position {where}; expected non-negative numbers.")
    return factor


def refuse_subnormal(name: str, values: Any) -> None:
    """Strengths below the smallest normal number, 2.2e-308: their inverses overflow."""
    values, least = np.atleast_1d(np.asarray(values, dtype=np.float64)), np.finfo(np.float64).tiny
    if (tiny := (values > 0.0) & (values < least)).any():
        raise ValueError(
            f"{name}: {values[tiny][0]:g} is refused, as its inverse overflows; pass at least {least:.3g}, or 0 where"
            " that is allowed."
        )


def check_strength(name: str, value: Any) -> None:
    """A finite strength, or 0."""
    check_number(name, value, low=0, high=FINITE)
    refuse_subnormal(name, value)


def check_alphas(alphas: Any) -> int | Vector:
    """A number of points, or the strengths themselves in decreasing order."""
    if isinstance(alphas, Integral):
        return int(check_number("alphas", alphas, low=1, high=MOST_POINTS, integer=True))
    grid = np.atleast_1d(real_numbers("alphas", alphas))
    grid = check_vector("alphas", grid, grid.size, "points")
    if grid.size == 0 or (grid < 0).any():
        raise ValueError(f"alphas={alphas!r}: expected a number of points, or one or more non-negative strengths.")
    refuse_subnormal("alphas", grid)
    return np.sort(grid)[::-1].copy()
