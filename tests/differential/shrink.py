"""A failing problem made small, and printed so that it runs by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from time import monotonic
from typing import Any

import numpy as np
import scipy.sparse as sp

from differential.calls import arguments
from differential.checks import examine
from differential.problems import Problem


def shrink(problem: Problem, kind: str, seconds: float = 10.0) -> Problem:
    """Fewer rows, columns and options, rounder numbers, as long as there is a failure of the same kind."""
    end, found = monotonic() + seconds, True
    while found and monotonic() < end:
        found = False
        for smaller in _smaller(problem):
            if monotonic() > end:
                break
            if fails(smaller, kind):
                problem, found = smaller, True
                break
    return problem


def fails(problem: Problem, kind: str) -> bool:
    try:
        return any(failure.kind == kind for failure in examine(problem))
    except Exception:  # noqa: BLE001 - the oracle's own trouble with what shrinking made
        return False


def _smaller(problem: Problem) -> Iterator[Problem]:
    n, p = problem.X.shape
    if sp.issparse(problem.X):
        yield replace(problem, X=problem.dense)
    for name, plain in (("weights", None), ("offset", None), ("factor", None), ("solver", "auto"), ("positive", False)):
        if not (getattr(problem, name) is plain or (name == "solver" and problem.solver == plain)):
            yield replace(problem, **{name: plain})
    if problem.standardize:
        yield replace(problem, standardize=False)
    for k in range(problem.alphas.size if problem.alphas.size > 1 else 0):
        yield replace(problem, alphas=np.delete(problem.alphas, k))
    if problem.y.ndim > 1:
        yield replace(problem, y=problem.y[:, 0].copy())
        yield replace(problem, y=problem.y[:, 1].copy())
    for size in (max(p // 2, 1), max(p // 4, 1), 1):
        for begin in range(0, p if p > 1 else 0, size):
            yield _without(problem, np.zeros(0, dtype=int), np.arange(begin, min(begin + size, p)))
    for size in (max(n // 2, 1), max(n // 4, 1), 1):
        for begin in range(0, n if n > 1 else 0, size):
            yield _without(problem, np.arange(begin, min(begin + size, n)), np.zeros(0, dtype=int))
    yield from _rounder(problem)


def _without(problem: Problem, rows: np.ndarray, columns: np.ndarray) -> Problem:
    dense = np.delete(np.delete(problem.dense, rows, 0), columns, 1)
    if not dense.size:
        return problem
    changes: dict[str, Any] = {"X": _like(problem.X, dense), "y": np.delete(problem.y, rows, 0)}
    for name in ("weights", "offset"):
        if getattr(problem, name) is not None:
            changes[name] = np.delete(getattr(problem, name), rows)
    if problem.factor is not None:
        changes["factor"] = np.delete(problem.factor, columns)
    return replace(problem, **changes)


def _like(X: Any, dense: np.ndarray) -> Any:
    if not sp.issparse(X):
        return np.array(dense, order="C" if X.flags.c_contiguous else "F")
    out = type(X)(dense)
    if X.format in ("csr", "csc"):
        out.indices, out.indptr = out.indices.astype(X.indices.dtype), out.indptr.astype(X.indptr.dtype)
    return out


def _rounder(problem: Problem) -> Iterator[Problem]:
    """Each array in two, or four, digits, where that changes anything."""
    for digits in (1, 3):
        for name in ("X", "y", "weights", "offset", "factor", "alphas", "tol"):
            old = problem.dense if name == "X" else getattr(problem, name)
            if old is None or (name != "tol" and old.dtype.kind != "f"):
                continue
            new = np.array([float(f"{v:.{digits}e}") for v in np.ravel(old)]).reshape(np.shape(old))
            if np.array_equal(new, old) or any(_digits(v) <= digits for v in np.ravel(old)[:1]):
                continue
            new = new.astype(np.asarray(old).dtype)
            yield replace(
                problem, **{name: _like(problem.X, new) if name == "X" else new if name != "tol" else float(new)}
            )


def _digits(v: float) -> int:
    return next((d for d in range(17) if float(f"{v:.{d}e}") == v), 17)


def snippet(problem: Problem) -> str:
    """The call in Python, from imports to what came of it."""
    own, of_fit = arguments(problem)
    lines = ["import numpy as np, scipy.sparse as sp, sparsereg as S", f"X = {_written(problem.X)}"]
    lines.append(f"y = np.array({problem.y.tolist()!r})")
    given = ", ".join(f"{name}={_value(value)}" for name, value in own.items())
    if "path" in problem.entry:
        lines.append(f"found = S.{problem.entry}(X, y, {given})")
        lines.append(
            "print(found)" if problem.entry in ("lasso_path", "enet_path") else "print(found.coefs.toarray(), found)"
        )
    else:
        weights = f", {_value(of_fit['sample_weight'])}" if of_fit else ""
        lines.append(f"m = S.{problem.entry}({given}).fit(X, y{weights})")
        lines.append("print(m.coef_, m.intercept_, getattr(m, 'dual_gap_', None), getattr(m, 'gradient_norm_', None))")
    return "\n".join(lines)


def _value(value: Any) -> str:
    return f"np.array({value.tolist()!r})" if isinstance(value, np.ndarray) else repr(value)


def _written(X: Any) -> str:
    dense = X.toarray() if sp.issparse(X) else X
    kind = ", dtype=np.float32" if dense.dtype == np.float32 else ""
    text = f"np.array({dense.tolist()!r}{kind})"
    if not sp.issparse(X):
        return text if X.flags.c_contiguous else f"np.asfortranarray({text})"
    text = f"sp.{X.format}_array({text})"
    long = X.format in ("csr", "csc") and X.indices.dtype == np.int64
    return text + ("; X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)" if long else "")
