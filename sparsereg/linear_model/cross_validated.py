"""The choice of a strength, which `RidgeCV` and `RidgeClassifierCV` share, with scikit-learn's interface."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring, get_scorer
from sklearn.model_selection import check_cv
from sklearn.utils import Bunch, check_random_state, check_scalar
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import _check_method_params

from sparsereg.data.design import as_design
from sparsereg.data.real_numbers import shown
from sparsereg.data.validation import check_choice, check_flag, check_number, check_strength
from sparsereg.linear_model.coefficients import FittedCoefficients, set_coefficients
from sparsereg.linear_model.ridge import FLOOR, GRADIENT_SHARE, MAX_ITER, Ridge, warn_missed
from sparsereg.linear_model.ridge_path import warn_unconverged
from sparsereg.ridge.cross_validation import Probes, choose_validation, fit_fold, generalized_cv, left_out_spectrum
from sparsereg.ridge.normal_equations import NormalEquations, RidgeSolution
from sparsereg.ridge.solve import SolverSettings, choose_method, handed_out, solve_ridge
from sparsereg.selection.measures import takes_weights

__all__ = ["CrossValidated"]

Vector = NDArray[np.float64]

# Fitted attributes that only some ways of validation set.
OPTIONAL_ATTRIBUTES = ("cv_results_", "trace_", "trace_error_", "n_probes_", "cv_separated_")


@dataclass(frozen=True)
class RidgeTask:
    """A problem to validate: y as scorers expect it, and the target as numbers, in the shape of the predictions."""

    X: Any
    y: NDArray[Any]
    target: NDArray[Any]
    equations: NormalEquations
    alphas: Vector
    settings: SolverSettings

    @property
    def strengths(self) -> Vector:
        """What the equations take for `alphas`."""
        return self.equations.strengths(self.alphas)

    @property
    def Y(self) -> Vector:
        """The target as columns."""
        return np.asfortranarray(self.target.reshape(self.target.shape[0], -1), dtype=np.float64)


class CrossValidated(FittedCoefficients):
    """Chooses among `alphas`, one of the parameters of subclasses."""

    # `RidgeClassifierCV` has no such parameters.
    gcv_mode: Any = None
    alpha_per_target: bool = False
    # The scorer that metadata are routed to where scoring is None, as in scikit-learn.
    _default_scoring: str

    def _estimator_of_predictions(self) -> Any:
        """An estimator whose X is its predictions, to be passed to scorers."""
        raise NotImplementedError

    def _choose(
        self, X: Any, y: NDArray[Any], target: NDArray[Any], sample_weight: Any, params: dict[str, Any]
    ) -> None:
        """Validate every strength, and fit at the best one."""
        alphas, scorer = self._check_parameters(), self._get_scorer()
        if sp.issparse(X) and not X.nnz:  # methods need at least one observed column
            X = sp.csr_array(([0.0], ([0], [0])), shape=X.shape, dtype=X.dtype)
        equations = Ridge(fit_intercept=self.fit_intercept)._equations(as_design(X), sample_weight)
        routed = self._routed(scorer, params, equations.s)
        settings = SolverSettings("auto", max(GRADIENT_SHARE * self.tol, FLOOR), self.max_iter or MAX_ITER)
        task = RidgeTask(X, y, target, equations, alphas, settings)
        for name in OPTIONAL_ATTRIBUTES:  # of an earlier fit
            self.__dict__.pop(name, None)
        if self.cv is not None:
            self._validate_by_folds(task, scorer, routed)
            return
        validation, method = self._choose_validation(task)
        if validation == "loo":
            self._validate_by_leave_one_out(task, method, None if self.scoring is None else scorer, routed.scorer.score)
        else:
            self._validate_by_gcv(replace(task, settings=replace(settings, method=method)))

    def _choose_validation(self, task: RidgeTask) -> tuple[str, str]:
        if self.gcv_mode in (None, "auto"):
            return choose_validation(task.equations.summary, task.strengths)
        if self.gcv_mode == "svd" and not sp.issparse(task.X):
            return "loo", "svd"
        if self.gcv_mode == "svd":
            warnings.warn(
                "The 'svd' mode is not supported for sparse X, we fallback to `gcv_mode='eigen'`; use that, or None.",
                FutureWarning,
                stacklevel=5,
            )
        n, m = task.equations.design.n_rows, task.equations.design.n_cols
        return "loo", "dual" if n <= m else "gram"

    def _validate_by_leave_one_out(
        self, task: RidgeTask, method: str, scorer: Any, score_params: dict[str, Any]
    ) -> None:
        s, unit, Y = task.equations.s, task.equations.weight_unit, task.Y
        scores, results, squares = [], [], []
        spectrum = left_out_spectrum(task.equations, method)
        for E in spectrum.leave_one_out(Y, task.strengths):
            rows = E**2 if s is None else s[:, None] * E**2
            squares.append(rows.sum(axis=0))
            if scorer is None:
                rows *= unit
                scores.append(-rows.mean(axis=0))
            else:
                rows = Y - E
                scores.append(np.atleast_1d(self._score(scorer, rows, task.y, score_params)))
            if self.store_cv_results:
                results.append(rows)
        if (uncertain := spectrum.uncertain(Y, task.strengths, np.array(squares))).any():
            warnings.warn(
                f"Leave-one-out scores at alphas={task.alphas[uncertain].tolist()} may be off by more than 1%: these"
                " strengths, or what is left of y, are near the rounding of X and y; leave these strengths out.",
                ConvergenceWarning,
                stacklevel=5,
            )
        self._set_scores(task, np.array(scores), results, f"loo-{method}")
        self.cv_score_error_ = np.zeros_like(self.cv_scores_)
        self._fit_at_best(task, method)

    def _validate_by_gcv(self, task: RidgeTask) -> None:
        if self.scoring is not None:
            raise ValueError(
                f"scoring={self.scoring!r} needs leave-one-out predictions, which would take too long on data of this"
                " size; set cv=5, or scoring=None for generalised cross-validation."
            )
        rng = np.random.default_rng(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        Y, per_target = task.Y, self._per_target(task)
        scored = generalized_cv(task.equations, Y, task.strengths, task.settings, Probes(rng, per_target))
        unit = task.equations.weight_unit
        results = [rows * unit for rows in scored.row_scores(Y)] if self.store_cv_results else []
        self._set_scores(task, scored.scores * unit, results, f"gcv-{task.settings.method}")
        errors = scored.score_errors * unit
        self.cv_score_error_ = errors if per_target else errors.mean(axis=1)
        self.trace_, self.trace_error_, self.n_probes_ = scored.trace, scored.trace_errors, scored.n_probes
        self.cv_separated_ = scored.separated(per_target)
        for path in scored.paths:
            warn_unconverged(path, task.alphas, task.settings)
        best = np.broadcast_to(self._best, len(scored.paths))
        W = np.stack([path.w(k) for path, k in zip(scored.paths, best, strict=True)])
        set_coefficients(self, task.equations, W, task.target)
        pairs = zip(W, scored.paths, best, strict=True)
        found = [RidgeSolution(w, path.gradient_norms[k], path.dual_gaps[k], 0) for w, path, k in pairs]
        found = handed_out(task.equations, found, task.target, task.strengths[best])
        self.gradient_norm_ = np.array([solution.gradient_norm for solution in found])
        self.n_iter_ = np.array([path.n_iters.sum() for path in scored.paths])

    def _validate_by_folds(self, task: RidgeTask, scorer: Any, routed: Any) -> None:
        splitter, n = check_cv(self.cv, task.y, classifier=is_classifier(self)), task.target.shape[0]
        scores, methods = [], set()
        for train, test in splitter.split(task.X, task.y, **routed.splitter.split):
            self._check_fold(train, test, n)
            fold = fit_fold(task.equations, task.Y, task.strengths, np.arange(n)[train], task.settings)
            methods.add(fold.method)
            for path in fold.paths:
                warn_unconverged(path, task.alphas, replace(task.settings, method=fold.method))
            own_params = _check_method_params(task.X, routed.scorer.score, test)
            scores.append([self._score(scorer, Z[test], task.y[test], own_params) for Z in fold.predictions()])
        by_fold = np.array(scores, dtype=np.float64)
        self._set_scores(task, by_fold.mean(axis=0)[:, None], [], "folds-" + "-".join(sorted(methods)))
        spread = by_fold.std(axis=0, ddof=1) if len(by_fold) > 1 else np.full(task.alphas.size, np.nan)
        self.cv_score_error_ = spread / np.sqrt(len(by_fold))
        self._fit_at_best(task, choose_method(task.equations.summary, task.strengths[[self._best]]))

    def _check_fold(self, train: NDArray[Any], test: NDArray[Any], n: int) -> None:
        for name, rows in (("training", np.asarray(train)), ("held-out", np.asarray(test))):
            mask = rows.dtype == np.bool_ and rows.shape == (n,)
            if not mask and (rows.dtype.kind not in "iu" or not rows.size or rows.min() < -n or rows.max() >= n):
                raise ValueError(
                    f"cv={shown(self.cv)} has {name} rows {shown(rows)}; expected numbers of rows of X, below {n}."
                )

    def _score(self, scorer: Any, predictions: Vector, y: NDArray[Any], params: dict[str, Any]) -> Any:
        if self.alpha_per_target and y.ndim == 2:
            pairs = zip(predictions.T, y.T, strict=True)
            return np.array([scorer(self._estimator_of_predictions(), z, y_t, **params) for z, y_t in pairs])
        predictions = predictions[:, 0] if y.ndim == 1 and predictions.shape[1] == 1 else predictions
        return scorer(self._estimator_of_predictions(), predictions, y, **params)

    def _set_scores(self, task: RidgeTask, scores: Vector, results: list[Vector], method: str) -> None:
        """Set the scores, given of shape (k, T), the best strength, and with `store_cv_results` what was scored."""
        self.cv_method_ = method
        per_target = self._per_target(task)
        self.cv_scores_ = scores if per_target else scores.mean(axis=1)
        self._best = np.argmax(np.where(np.isnan(self.cv_scores_), -np.inf, self.cv_scores_), axis=0)
        self.alpha_ = task.alphas[self._best] if per_target else float(task.alphas[self._best])
        best = np.take_along_axis(self.cv_scores_, np.atleast_1d(self._best)[None], axis=0)[0] if per_target else None
        self.best_score_ = self.cv_scores_[self._best] if best is None else best
        if self.alpha_per_target and task.target.ndim == 2 and not per_target:
            self.best_score_ = np.atleast_1d(self.best_score_)
        if self.store_cv_results:
            rows = np.stack(results, axis=-1)
            self.cv_results_ = (rows[:, 0] if task.target.ndim == 1 else rows).astype(task.equations.dtype)

    def _fit_at_best(self, task: RidgeTask, method: str) -> None:
        Y = task.Y
        alphas = np.broadcast_to(task.strengths[self._best], Y.shape[1]).copy()
        solutions = solve_ridge(task.equations, Y, alphas, replace(task.settings, method=method))
        set_coefficients(self, task.equations, np.stack([solution.w for solution in solutions]), task.target)
        warn_missed(method, solutions, replace(task.settings, method=method), stacklevel=6)
        solutions = handed_out(task.equations, solutions, task.target, alphas)
        self.gradient_norm_ = np.array([solution.gradient_norm for solution in solutions])
        self.n_iter_ = np.array([solution.n_iter for solution in solutions])

    def _per_target(self, task: RidgeTask) -> bool:
        return self.alpha_per_target and task.target.ndim == 2 and task.target.shape[1] > 1

    def _check_parameters(self) -> Vector:
        """The strengths, in the order given."""
        for name in ("fit_intercept", "store_cv_results", "alpha_per_target"):
            check_flag(name, getattr(self, name))
        check_number("tol", self.tol, low=0)
        if self.max_iter is not None:
            check_number("max_iter", self.max_iter, low=1, integer=True)
        check_random_state(self.random_state)
        if self.gcv_mode is not None:
            check_choice("gcv_mode", self.gcv_mode, ("auto", "svd", "eigen"))
        for name in ("store_cv_results", "alpha_per_target"):
            if self.cv is not None and getattr(self, name):
                raise ValueError(f"cv!=None and {name}=True are incompatible; set cv=None or {name}=False.")
        if not (self.scoring is None or isinstance(self.scoring, str) or callable(self.scoring)):
            raise ValueError(f"scoring={self.scoring!r}: expected the name of one scorer, a function, or None.")
        if self.alphas is None or np.ndim(self.alphas) > 1 or not np.size(self.alphas) or isinstance(self.alphas, str):
            raise ValueError(f"alphas={self.alphas!r}: expected one or more strengths.")
        boundaries = "neither" if self.cv is None else "left"
        given = [self.alphas] if np.ndim(self.alphas) == 0 else list(self.alphas)
        for i, alpha in enumerate(given):
            name = "alphas" if len(given) == 1 else f"alphas[{i}]"
            check_scalar(alpha, name, Real, min_val=0.0, include_boundaries=boundaries)
            check_strength(name, alpha)
        return np.array(given, dtype=np.float64)

    def _routed(self, scorer: Any, params: dict[str, Any], sample_weight: Vector | None) -> Any:
        """The metadata for the scorer and for the splitter."""
        if params and not get_config()["enable_metadata_routing"]:
            raise ValueError(
                f"[{', '.join(params)}] are passed but cannot be routed: call"
                " sklearn.set_config(enable_metadata_routing=True) first."
            )
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        if get_config()["enable_metadata_routing"]:
            return process_routing(self, "fit", **params, **weights)
        if weights and self.scoring is not None and not takes_weights(scorer):
            weights = {}
            warnings.warn(
                f"The scoring {scorer} does not support sample_weight, so scores of weighted fits are not weighted.",
                UserWarning,
                stacklevel=4,
            )
        return Bunch(scorer=Bunch(score=weights), splitter=Bunch(split={}))

    def _get_scorer(self) -> Any:
        if get_config()["enable_metadata_routing"] and self.scoring is None:
            return get_scorer(self._default_scoring).set_score_request(sample_weight=True)
        return check_scoring(estimator=self, scoring=self.scoring, allow_none=True)

    def get_metadata_routing(self) -> MetadataRouter:
        """The routing of metadata to the scorer and to the splitter.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        scores = MethodMapping().add(caller="fit", callee="score")
        splits = MethodMapping().add(caller="fit", callee="split")
        return router.add(scorer=self._get_scorer(), method_mapping=scores).add(splitter=self.cv, method_mapping=splits)
