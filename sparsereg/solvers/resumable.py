"""A path over rows in parts that is written down after every point, and goes on from there. Knows no tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.atomic_write import write_whole
from sparsereg.results import PathResult
from sparsereg.rows.contract import Coefficients
from sparsereg.solvers.loop import Solution
from sparsereg.solvers.path import collect, solve_point, warn_uncertified
from sparsereg.solvers.rows_path import RowsSolver

__all__ = ["resumable_path"]

Vector = NDArray[np.float64]
Callback = Callable[[int, int, float, int], None]


def resumable_path(
    solver: RowsSolver, alphas: Vector, file: Path | None, call: str, callback: Callback | None = None
) -> PathResult:
    """Solve at each of the strengths, in order, and note each solution in a file; begin behind those noted there.

    Parameters
    ----------
    solver : RowsSolver
    alphas : float64 array of shape (k,)
    file : Path or None
        None: nothing is noted.
    call : str
        What is fitted, how and on which data.
    callback : callable, optional
        See `regularization_path`.

    Raises
    ------
    ValueError
        If the file was written for another `call`.
    """
    points, seconds = ([], []) if file is None or not file.exists() else _read(file, call)
    if points:
        solver.start_from(points[-1].coef)
    for i in range(len(points), alphas.size):
        begin = perf_counter()
        points.append(solve_point(solver, float(alphas[i]), None))
        seconds.append(perf_counter() - begin)
        if file is not None:
            _write(file, call, points, seconds)
        if callback is not None:
            callback(i, alphas.size, float(alphas[i]), points[-1].coef.w.size)
    result = collect(solver, alphas, points, np.array(seconds))
    warn_uncertified(solver.problem, result)
    return result


def _write(file: Path, call: str, points: list[Solution], seconds: list[float]) -> None:
    arrays = {
        "call": np.array(call),
        "sizes": np.array([point.coef.w.size for point in points]),
        "columns": np.concatenate([point.coef.cols for point in points]),
        "w": np.concatenate([point.coef.w for point in points]),
        "numbers": np.array([[p.intercept, p.dual_gap, p.epochs, p.deviance] for p in points]),
        "seconds": np.array(seconds),
    }
    with write_whole(file) as out:
        np.savez(out, allow_pickle=False, **arrays)


def _read(file: Path, call: str) -> tuple[list[Solution], list[float]]:
    try:
        with file.open("rb") as source, np.load(source, allow_pickle=False) as found:
            same = str(found["call"]) == call
            ends = np.cumsum(found["sizes"])[:-1]
            parts = zip(np.split(found["columns"], ends), np.split(found["w"], ends), found["numbers"], strict=True)
            points = [
                Solution(Coefficients(cols, w), cols, float(b0), float(gap), int(epochs), float(deviance))
                for cols, w, (b0, gap, epochs, deviance) in parts
            ]
            seconds = found["seconds"].tolist()
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise ValueError(f"checkpoint {str(file)!r} cannot be read ({error}); delete it to begin anew.") from error
    if not same:
        raise ValueError(
            f"checkpoint {str(file)!r} is of a fit with other options or data; delete it, or name another folder."
        )
    return points, seconds
