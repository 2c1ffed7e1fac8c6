"""The walk along the strengths, all folds side by side, until the path has gone far enough. Knows no data.

At each strength the path on all rows and every fold go one point on, each from its own last solution. So a path can
end where the held-out loss has turned: the losses of all folds are known up to there.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.threads import run
from sparsereg.results import PathResult
from sparsereg.selection.ending import Ending, has_turned
from sparsereg.selection.fold_fits import FoldPoint
from sparsereg.selection.relaxed import WITHOUT_END
from sparsereg.selection.results import ValidatedPath
from sparsereg.solvers.loop import Solution
from sparsereg.solvers.path import PathSolvers, collect, warn_uncertified
from sparsereg.solvers.rows_path import RowsSolver, ScreenedColumns

__all__ = ["Advancing", "Progress", "Walk"]

Vector = NDArray[np.float64]
# Called with the number of the point, how many there may be, alpha, the coefficients on all rows, the mean held-out
# loss, the seconds so far, and an estimate of those left.
Progress = Callable[[int, int, float, int, float, float, float], None]


class Advancing(Protocol):
    """A fold as `FoldFit`."""

    @property
    def solver(self) -> PathSolvers | RowsSolver: ...

    def advance(self, alpha: float) -> FoldPoint: ...


class Walk:
    """One path on all rows, and its folds.

    Parameters
    ----------
    whole : PathSolver or LossPathSolver
        The solver on all rows.
    fits : sequence of FoldFit
    ending : Ending
    solve : callable
        `solve(whole, alpha)` gives the next point on all rows.
    n_threads : int
        Folds solved at a time.
    keep, by_rows : bool
        Whether to keep the folds' coefficients, as their paths, or only as `fold_points`.
    """

    def __init__(
        self,
        whole: PathSolvers | RowsSolver,
        fits: Sequence[Advancing],
        ending: Ending,
        solve: Callable[[Any, float], Solution],
        n_threads: int = 1,
        keep: bool = False,
        by_rows: bool = False,
    ) -> None:
        self.whole, self.fits, self.ending = whole, list(fits), ending
        self.solve, self.n_threads, self.keep = solve, n_threads, keep
        self.by_rows = by_rows
        self.points: list[Solution] = []
        self.losses: list[list[float]] = []
        self.seconds: list[float] = []
        self.fold_points: list[list[Solution]] = [[] for _ in fits]
        self.ends, self.going = [0] * len(self.fits), list(range(len(self.fits)))
        self.tol, self.missed = max((fit.solver.options.tol for fit in self.fits), default=0.0), 0
        self.without_end = 0

    def go(self, alphas: Vector, progress: Progress | None = None) -> ValidatedPath:
        """Through the strengths in order. An interrupt keeps the points that all folds have finished."""
        begin, stopped = perf_counter(), "grid"
        try:
            for i, alpha in enumerate(alphas.tolist()):
                self._advance(alpha)
                spent = perf_counter() - begin
                if progress is not None:
                    left = spent / (i + 1) * (alphas.size - i - 1)
                    n_nonzero, mean = self.points[-1].coef.w.size, float(np.mean(self.losses[-1]))
                    progress(i, alphas.size, alpha, n_nonzero, mean, spent, left)
                if i + 1 < alphas.size and (reason := self._reason(alphas, spent)):
                    stopped = reason
                    break
            self._complete(alphas)
        except ScreenedColumns:
            if not (self.losses and (self.ending.turned or self.ending.patience)):
                raise
            stopped = "screen"
        except KeyboardInterrupt:
            if not self.losses:
                raise
            stopped = "interrupted"
            warnings.warn(
                f"Interrupted after {len(self.losses)} of {alphas.size} strengths, which are kept.", stacklevel=4
            )
        return self._result(alphas, stopped)

    def _reason(self, alphas: Vector, seconds: float) -> str | None:
        """What ends the path here. Folds that have stopped are asked before it ends by their losses: those may go on
        falling where they were taken to rise."""
        reason = self._reason_so_far(seconds)
        if reason in ("turned", "patience") and self._complete(alphas):
            reason = self._reason_so_far(seconds)
        return reason

    def _reason_so_far(self, seconds: float) -> str | None:
        if not self.ending.may_come:
            return None
        losses, sizes = np.array(self.losses), [point.coef.w.size for point in self.points]
        most, best = self.whole.problem.design.n_features, int(np.argmin(losses.mean(axis=1)))
        grows = sizes[-1] > sizes[best] or sizes[-1] >= most
        holders = self.whole, self.solve, self.fits, self.points, self.fold_points
        return self.ending.reason(losses, sizes[-1], seconds, grows, holders)

    def _advance(self, alpha: float) -> None:
        """One strength. What an interrupt leaves incomplete is dropped."""
        begin, n = perf_counter(), len(self.losses)
        whole = self.solve(self.whole, alpha)
        results = run(lambda f: self.fits[f].advance(alpha), [(f,) for f in self.going], self.n_threads)
        losses = self._extrapolated() if n else [np.nan] * len(self.fits)
        for f, point in zip(self.going, results, strict=True):
            self._note(f, n, point, losses)
        self.points[n:], self.seconds[n:] = [whole], [perf_counter() - begin]
        self.losses.append(losses)
        if self.ending.turned:
            own = np.array(self.losses)
            self.going = [f for f in self.going if not has_turned(own[:, [f]], self.ending.turned)]

    def _complete(self, alphas: Vector) -> bool:
        """Measure the best point in every fold: folds that stopped before it go on to the end of the path. Returns
        whether any did."""
        ends = list(self.ends)
        while late := [f for f, end in enumerate(self.ends) if end <= int(np.argmin(np.mean(self.losses, axis=1)))]:
            for f in late:
                for i in range(self.ends[f], len(self.losses)):
                    self._note(f, i, self.fits[f].advance(float(alphas[i])), self.losses[i])
        return self.ends != ends

    def _note(self, f: int, i: int, point: FoldPoint, losses: list[float]) -> None:
        """Point i of fold f."""
        losses[f], self.ends[f] = point.loss, i + 1
        self.missed += point.solution.dual_gap > self.tol * self.fits[f].solver.problem.gap_scale
        self.without_end += point.solution.method == WITHOUT_END
        if self.keep or self.by_rows:
            self.fold_points[f][i:] = [point.solution]

    def _extrapolated(self) -> list[float]:
        """The last losses, those of folds that have stopped risen by as much a point as since their least value.

        If they stayed where they are, weaker penalties would look better than they are."""
        losses = list(self.losses[-1])
        for f in set(range(len(self.fits))) - set(self.going):
            own = np.array(self.losses[: self.ends[f]])[:, f]
            best = int(np.argmin(own))
            losses[f] += max(own[-1] - own[best], 0.0) / max(own.size - 1 - best, 1)
        return losses

    def _result(self, alphas: Vector, stopped: str) -> ValidatedPath:
        n = len(self.losses)
        path = collect(self.whole, alphas[:n], self.points[:n], np.array(self.seconds[:n]))
        warn_uncertified(self.whole.problem, path)
        self._warn_missed()
        self._warn_without_end()
        fold_paths: tuple[PathResult, ...] | None = None
        if self.keep:
            pairs = zip(self.fits, self.fold_points, self.ends, strict=True)
            fold_paths = tuple(
                replace(collect(fit.solver, alphas[:end], points[:end], np.full(end, np.nan)), classes=path.classes)
                for fit, points, end in pairs
            )
        return ValidatedPath(path, np.array(self.losses[:n]), np.array(self.ends), stopped, fold_paths)

    def _warn_missed(self) -> None:
        """Say so when points of folds were left short of the tolerance."""
        if self.missed:
            from sklearn.exceptions import ConvergenceWarning  # a slow import

            warnings.warn(
                f"{self.missed} points of the folds did not reach tol={self.tol:g}. Increase max_iter, or look only at"
                " stronger alphas.",
                ConvergenceWarning,
                stacklevel=5,
            )

    def _warn_without_end(self) -> None:
        """Say so where columns have no best coefficients without a penalty."""
        n = self.without_end + sum(point.method == WITHOUT_END for point in self.points)
        if n:
            warnings.warn(
                f"relax=True: at {n} points, of the folds or all rows, the loss has no minimum without a penalty, as"
                " columns tell targets apart; ridge at the same alpha took its place. Look only at stronger alphas, or"
                " take an l1_ratio below 1, whose l2 term stays.",
                stacklevel=5,
            )
