"""What estimators that choose a strength by folds share: settings, metadata for the splitter, fitted attributes."""

from __future__ import annotations

import sys
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import get_config
from sklearn.model_selection import check_cv
from sklearn.utils import check_scalar
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from sparsereg.data.threads import thread_count
from sparsereg.data.validation import check_alphas, check_choice, check_flag, check_number
from sparsereg.linear_model.loss_task import Fitted
from sparsereg.selection.cross_validation import check_ending, check_relax
from sparsereg.selection.engine import Settings
from sparsereg.selection.results import CrossValidation
from sparsereg.selection.rules import check_rule

__all__ = ["PathChoice", "rectangle"]

# Points of the grid where none is given.
N_ALPHAS = 100


class PathChoice:
    """An estimator with parameters `alphas`, `eps`, `cv`, `rule`, `verbose`, `n_jobs`, `keep_fold_paths`, budgets."""

    if TYPE_CHECKING:  # parameters are attributes too

        def __getattr__(self, name: str) -> Any: ...

    def _settings(self) -> Settings:
        """How paths are validated."""
        check_rule(self.rule)
        return self._settings_of(self.alphas, self.eps, "alphas")

    def _settings_of(self, strengths: Any, eps: Any, name: str) -> Settings:
        grid: Any = N_ALPHAS
        budgets = self.max_seconds, self.max_columns, self.max_memory
        ending = check_ending(eps, budgets, grid)
        if isinstance(strengths, str):
            check_choice(name, strengths, ("auto",), "a number of strengths, or the strengths")
            eps, ending = "auto", check_ending("auto", budgets, grid)
        else:
            grid = _check_grid(strengths)
            ending = check_ending(eps, budgets, grid)
        progress = _print_progress if self.verbose else None
        keep = bool(self.keep_fold_paths)
        return Settings(grid, eps, ending, thread_count(self.n_jobs), keep, progress, self.rule)

    def _check_loss_fit(self) -> None:
        """The parameters that fits of a loss by folds share."""
        for name in ("fit_intercept", "standardize", "positive", "keep_fold_paths", "relax"):
            check_flag(name, getattr(self, name))
        check_relax(self.relax, self.positive)
        check_number("tol", self.tol, low=0)
        check_number("max_iter", self.max_iter, low=1, integer=True)

    def _relaxed(self, fitted: Fitted) -> Any:
        """The intercepts of the fit at the choice; with `relax` those of the path, whose coefficients are set too."""
        if not self.relax:
            return fitted.intercept
        k, path = self.validation_.k, self.validation_.path
        self._coef = path.coef(k).astype(fitted.coef.dtype)
        return np.atleast_1d(path.intercepts[k])

    def _split_parameters(self, params: dict[str, Any]) -> dict[str, Any]:
        """What the splitter gets, such as groups."""
        if get_config()["enable_metadata_routing"]:
            return dict(process_routing(self, "fit", **params).splitter.split)
        if params:
            raise ValueError(
                f"{', '.join(params)}: metadata for the splitter is only supported if enable_metadata_routing=True;"
                " call sklearn.set_config(enable_metadata_routing=True) first."
            )
        return {}

    def _choose(self, validation: CrossValidation) -> None:
        """Set the choice and what it was made from."""
        self.validation_, self.alpha_ = validation, validation.alpha
        self.cv_results_ = validation.results
        self._set_l1_ratio(validation.l1_ratio)
        paths = validation.paths
        alphas, losses = self._arrays(validation)
        given = not isinstance(self.alphas, (str, Integral))
        self.alphas_ = alphas[0] if len(paths) == 1 or given else alphas
        self.mse_path_ = np.squeeze(losses)

    @staticmethod
    def _arrays(validation: CrossValidation) -> tuple[Any, Any]:
        """Strengths and losses of all paths, (L, k) and (L, k, F)."""
        paths = validation.paths
        return rectangle([p.alphas for p in paths]), rectangle([p.fold_losses for p in paths])

    def _set_l1_ratio(self, l1_ratio: float) -> None:
        self.l1_ratio_ = l1_ratio

    def get_metadata_routing(self) -> MetadataRouter:
        """The routing of metadata to the splitter.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(splitter=check_cv(self.cv), method_mapping=MethodMapping().add(caller="fit", callee="split"))


def _check_grid(alphas: Any) -> Any:
    """As `check_alphas`, and scikit-learn's message for a wrong strength."""
    if not isinstance(alphas, Integral) and np.ndim(alphas) == 1:
        for i, alpha in enumerate(alphas):
            check_scalar(alpha, f"alphas[{i}]", Real, min_val=0.0, include_boundaries="left")
    return check_alphas(alphas)


def rectangle(arrays: list[Any]) -> Any:
    """Arrays of different lengths one above the other, the shorter ones with NaN at their ends."""
    out = np.full((len(arrays), max(map(len, arrays)), *arrays[0].shape[1:]), np.nan)
    for row, array in zip(out, arrays, strict=True):
        row[: len(array)] = array
    return out


def _print_progress(i: int, n: int, alpha: float, n_nonzero: int, loss: float, spent: float, left: float) -> None:
    print(
        f"validation: {i + 1} of {n}, alpha {alpha:.4g}, {n_nonzero} non-zero, loss {loss:.6g}, {spent:.1f} s,"
        f" {left:.1f} s left",
        file=sys.stderr,
    )
