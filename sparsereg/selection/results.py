"""Validated paths: the held-out loss of every point, and the point that was chosen. Knows no solvers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.printed import Printed
from sparsereg.results import PathResult
from sparsereg.selection.rules import best_point, choose_point, paired_differences, standard_errors

__all__ = ["CrossValidation", "ValidatedPath"]

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class ValidatedPath(Printed):
    """A path of one l1_ratio on all rows, and the held-out losses of its folds.

    Attributes
    ----------
    path : PathResult
        On all rows.
    fold_losses : float64 array of shape (k, F)
        Of each point in each fold: small is good; a score is negated. After the end of a fold it
        goes on rising as it did since its least value.
    fold_ends : int64 array of shape (F,)
        Points that each fold has solved.
    stopped : str
        Why the path ended: "grid" (the last strength was reached), "turned", "patience", "max_seconds", "max_columns",
        "max_memory", "interrupted", or "screen": `eps="auto"` came to where columns that a static screen left out
        might matter.
    fold_paths : tuple of F PathResult, or None
        The folds' own paths, where they were asked for.
    is_deviance : bool
        Whether the losses are mean deviances; False for those of a scorer.
    by_rows : pair of float64 arrays of shape (k,), or None
        Of each point up to the best the mean difference of the held-out rows' losses to those of the best point, and
        its standard error by rows: for a single fold, and where the rule asks for it.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import cross_validate_path
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 20))
    >>> chosen = cross_validate_path(X, X[:, 0] + rng.normal(size=200), alphas=20).chosen
    >>> chosen.fold_losses.shape, bool(chosen.best == chosen.fold_losses.mean(axis=1).argmin())
    ((20, 5), True)
    """

    path: PathResult
    fold_losses: Vector
    fold_ends: NDArray[np.int64]
    stopped: str
    fold_paths: tuple[PathResult, ...] | None = None
    is_deviance: bool = True
    by_rows: tuple[Vector, Vector] | None = None

    @property
    def alphas(self) -> Vector:
        """Strengths, decreasing, of shape (k,)."""
        return self.path.alphas

    @property
    def l1_ratio(self) -> float:
        """1 for the lasso."""
        return self.path.l1_ratio

    @property
    def n_nonzero(self) -> NDArray[np.int64]:
        """Coefficients of each point on all rows."""
        return self.path.n_nonzero

    @property
    def mean_losses(self) -> Vector:
        """Mean over the folds, of shape (k,)."""
        return np.asarray(self.fold_losses.mean(axis=1))

    @property
    def best(self) -> int:
        """The point of least mean loss."""
        return best_point(self.fold_losses)

    def choose(self, rule: Any) -> int:
        """The point that a rule chooses; see `cross_validate_path`."""
        return choose_point(rule, self.fold_losses, self.n_nonzero, self)

    @property
    def differences(self) -> tuple[Vector, Vector]:
        """Of each point the mean difference to the best one, and its standard error, in pairs: over the folds, or of a
        single one over its rows."""
        if self.fold_losses.shape[1] == 1 and self.by_rows is not None:
            return self.by_rows
        return paired_differences(self.fold_losses, self.best)

    def columns_of_table(self) -> dict[str, NDArray[Any]]:
        """A row a point: see `CrossValidation.results`."""
        differences, paired = paired_differences(self.fold_losses, self.best)[0], self.differences[1]
        table = {
            "l1_ratio": np.full(self.alphas.size, self.l1_ratio),
            "alpha": self.alphas,
            "n_nonzero": self.n_nonzero,
            "mean_loss": self.mean_losses,
            "se_loss": standard_errors(self.fold_losses),
            "mean_difference": differences,
            "se_difference": paired,
        }
        return table | {f"split{f}_loss": losses for f, losses in enumerate(self.fold_losses.T)}

    def __repr__(self) -> str:
        k, (n, folds) = self.best, self.fold_losses.shape
        return (
            f"<ValidatedPath: {n} points, {folds} folds, l1_ratio {self.l1_ratio:g}, least loss"
            f" {self.mean_losses[k]:.6g} at alpha {self.alphas[k]:.4g}, ended by {self.stopped}>"
        )


@dataclass(frozen=True, eq=False, repr=False)
class CrossValidation(Printed):
    """Validated paths, one for each l1_ratio, and the point that a rule chose. `print(validation)` shows some points.

    Attributes
    ----------
    paths : tuple of ValidatedPath
        One for each l1_ratio, in the order given.
    rule : str or callable
    which, k : int
        The chosen path and its chosen point.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import cross_validate_path
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 20))
    >>> validation = cross_validate_path(X, X[:, 0] + rng.normal(size=200), l1_ratio=[0.5, 1.0], alphas=20)
    >>> len(validation.paths), validation.chosen.fold_losses.shape, bool(validation.path.certified[validation.k])
    (2, (20, 5), True)
    """

    paths: tuple[ValidatedPath, ...]
    rule: Any
    which: int
    k: int

    @classmethod
    def of(cls, paths: list[ValidatedPath], rule: Any) -> CrossValidation:
        """The path whose best point has the least mean loss, the first of equals; in it, what the rule chooses."""
        which = int(np.argmin([validated.mean_losses[validated.best] for validated in paths]))
        return cls(tuple(paths), rule, which, paths[which].choose(rule))

    @property
    def chosen(self) -> ValidatedPath:
        """The path of the chosen l1_ratio."""
        return self.paths[self.which]

    @property
    def path(self) -> PathResult:
        """Its fits on all rows; `path.point(k)` are the chosen coefficients."""
        return self.chosen.path

    @property
    def alpha(self) -> float:
        """The chosen strength."""
        return float(self.path.alphas[self.k])

    @property
    def l1_ratio(self) -> float:
        """The chosen l1_ratio."""
        return self.chosen.l1_ratio

    @property
    def results(self) -> dict[str, NDArray[Any]]:
        """A table by columns, a row a point, which `pandas.DataFrame` and `polars.DataFrame` take.

        `l1_ratio`, `alpha`, `n_nonzero` (on all rows); `mean_loss` over the folds and its standard error `se_loss`;
        `mean_difference` to the best point of the same path and its standard error over the folds, `se_difference`;
        `split0_loss` and so on, one for each fold.
        """
        tables = [validated.columns_of_table() for validated in self.paths]
        return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}

    def to_frame(self) -> Any:
        """`results` as a pandas data frame.

        Raises
        ------
        ImportError
            Where pandas is not installed.
        """
        import pandas as pd

        return pd.DataFrame(self.results)

    def __repr__(self) -> str:
        n_folds = self.chosen.fold_losses.shape[1]
        return (
            f"<CrossValidation: {len(self.paths)} path(s), {n_folds} folds, rule {self.rule!r}: alpha"
            f" {self.alpha:.4g}, l1_ratio {self.l1_ratio:g}, {self.path.n_columns(self.k)} columns>"
        )

    def __str__(self) -> str:
        """A table of at most a dozen points around the chosen one and the best one."""
        chosen, k, best = self.chosen, self.k, self.chosen.best
        table, n = chosen.columns_of_table(), chosen.alphas.size
        shown = np.unique(np.clip([0, k - 2, k - 1, k, k + 1, best - 1, best, best + 1, best + 5, n - 1], 0, n - 1))
        lines = [repr(self), "point       alpha   non-zero    mean loss   above the best  +- (paired)"]
        for i in shown.tolist():
            mark = " <- chosen" if i == k else " <- best" if i == best else ""
            lines.append(
                f"{i:>5} {table['alpha'][i]:>11.4g} {table['n_nonzero'][i]:>10} {table['mean_loss'][i]:>12.6g}"
                f" {table['mean_difference'][i]:>16.3g} {table['se_difference'][i]:>12.2g}{mark}"
            )
        return "\n".join([*lines, f"The path ended by: {chosen.stopped}."])
