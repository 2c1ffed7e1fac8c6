"""What every adaptor offers, and the list of them. An adaptor knows its package; it knows no workload and no timing.

An adaptor is a module with the functions of `Rival`. The objective is that of docs/design.md: squared loss, intercept,
no standardising; without an intercept, y comes centred already. What the adaptor's `path` and `fit` do is timed; what
`prepare` does is not.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy.sparse as sp

Matrix = sp.csr_array | sp.csc_matrix | np.ndarray


@dataclass(frozen=True)
class Fitted:
    """What a solver returned.

    Attributes
    ----------
    coefs : (p, k) dense or sparse, as the package returns it
    intercepts : (k,)
    certified : bool or None
        The package's own word that every point meets the tolerance; None when it gives none.
    n_iter : int or None
        The package's own count of iterations, of ridge.
    timed, peak_bytes : (wall seconds, CPU seconds) and int, or None
        Set by adaptors whose package runs in a process of its own and is timed there.
    """

    coefs: np.ndarray | sp.sparray | sp.spmatrix
    intercepts: np.ndarray
    certified: bool | None = None
    n_iter: int | None = None
    timed: tuple[float, float] | None = None
    peak_bytes: int | None = None


class Rival(Protocol):
    """The functions of an adaptor module."""

    def version(self) -> str:
        """The package's version; ImportError (or FileNotFoundError) when it is not installed."""

    def tolerances(self, gap: float, /) -> list[float]:
        """Settings of the package's own tolerance to try, loosest first, for a relative duality gap of `gap`."""

    def prepare(self, X: Matrix, y: np.ndarray, l1_ratio: float, intercept: bool, /) -> object:
        """X in the format the package likes best, after any compilation."""

    def path(
        self, X: object, y: np.ndarray, alphas: np.ndarray, l1_ratio: float, tol: float, intercept: bool
    ) -> Fitted:
        """Solve at every strength, largest first."""

    def fit(self, X: object, y: np.ndarray, alpha: float, l1_ratio: float, tol: float, intercept: bool, /) -> Fitted:
        """Solve at one strength, from nothing."""


class RidgeRival(Protocol):
    """What a rival for ridge offers; its strength is scikit-learn's, on the unnormalised sum."""

    def version(self) -> str:
        """As above."""

    def tolerances(self, gradient: float, /) -> list[float]:
        """Settings of the package's own tolerance to try, loosest first, for a relative gradient."""

    def prepare(self, X: Matrix, y: np.ndarray, intercept: bool, /) -> object:
        """As above."""

    def ridge(self, X: object, y: np.ndarray, alpha: float, tol: float, intercept: bool, /) -> Fitted:
        """Coefficients, (p,)."""


class LogisticRival(Protocol):
    """What a rival for the l1 logistic loss with an intercept offers; targets are 0 and 1."""

    def version(self) -> str:
        """As above."""

    def tolerances(self, gap: float, /) -> list[float]:
        """As above, for a gap relative to the null model's loss."""

    def prepare(self, X: Matrix, y: np.ndarray, /) -> object:
        """As above."""

    def path(self, X: object, y: np.ndarray, alphas: np.ndarray, tol: float, /) -> Fitted:
        """Solve at every strength, largest first."""

    def fit(self, X: object, y: np.ndarray, alpha: float, tol: float, /) -> Fitted:
        """Solve at one strength, from nothing."""


RIVALS: dict[str, str] = {
    "sparsereg": "sparsereg_",
    "sparsereg-csc": "sparsereg_csc",
    "scikit-learn": "scikit_learn",
    "celer": "celer_",
    "skglm": "skglm_",
    "adelie": "adelie_",
    "skein-glm": "skein_glm_",
    "glmnet": "glmnet_r",
}


def load(name: str) -> Rival:
    """The adaptor of a package, by the package's name."""
    return importlib.import_module(f"rivals.{RIVALS[name]}")  # type: ignore[return-value]


def load_for(task: str, name: str) -> Rival | RidgeRival | LogisticRival:
    """What solves a task, by its name."""
    return load(name) if task in ("path", "fit") else _listed(task)[name]


def names(task: str) -> list[str]:
    """The rivals that there are for a task."""
    return [*RIVALS] if task in ("path", "fit") else [*_listed(task)]


def _listed(task: str) -> dict[str, RidgeRival] | dict[str, LogisticRival]:
    from rivals import logistic, ridge

    return ridge.RIVALS if task == "ridge" else logistic.RIVALS


def columns(X: Matrix) -> sp.csc_matrix | np.ndarray:
    """X by columns: CSC with 32-bit indices, or a dense array in Fortran order."""
    if not sp.issparse(X):
        return np.asfortranarray(X)
    by_column = sp.csc_matrix(X)
    by_column.sort_indices()
    return by_column


Columns = sp.csc_matrix | np.ndarray


def centred(X: Columns, y: np.ndarray, intercept: bool) -> tuple[Columns, np.ndarray, np.ndarray]:
    """(X, centred y, column means), X centred only if dense, as estimators do around a solver without intercept.

    Without an intercept everything is left as it is, and the means are zeros.
    """
    if not intercept:
        return X, y, np.zeros(X.shape[1])
    means = np.asarray(X.mean(axis=0)).ravel()
    return X if sp.issparse(X) else np.asfortranarray(X - means), y - y.mean(), means


def decades(first: float, last: float) -> list[float]:
    """first, first / 10, ... down to last."""
    return [first * 10.0**-k for k in range(round(np.log10(first / last)) + 1)]
