"""`LogisticRegressionCV`: two classes or several, the strength chosen by folds."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from sparsereg.data.validation import (
    check_choice,
    check_flag,
    check_number,
    check_scaled_weights,
    strengths_of_sum,
    summed_weights,
)
from sparsereg.linear_model.class_choice import ClassifierChoice
from sparsereg.linear_model.class_targets import ClassTargets
from sparsereg.linear_model.coefficients import set_parameters
from sparsereg.linear_model.fold_coefficients import MeanOfFolds, by_class, fold_coefficients, mean_of_folds
from sparsereg.linear_model.logistic import PENALTIES, SOLVERS, LogisticRegression
from sparsereg.linear_model.loss_fit import FitTask
from sparsereg.linear_model.path_choice import rectangle
from sparsereg.linear_model.paths import EPOCHS
from sparsereg.losses import LOSSES
from sparsereg.losses.multinomial import MULTINOMIAL
from sparsereg.selection.class_folds import ClassTask, make_class_measure
from sparsereg.selection.cross_validation import check_ratios
from sparsereg.selection.engine import validate
from sparsereg.selection.fold_fits import Task
from sparsereg.selection.folds import make_folds
from sparsereg.selection.measures import make_measure, refuse_labels_wanted
from sparsereg.selection.results import CrossValidation
from sparsereg.selection.rules import check_rule
from sparsereg.solvers.loop import Options

__all__ = ["LogisticRegressionCV"]

Vector = NDArray[np.float64]


class LogisticRegressionCV(ClassifierChoice, LogisticRegression):
    """Logistic regression, of two classes or multinomial, whose strength is chosen by cross-validation.

    The objective is that of `LogisticRegression`, in each fold over its training rows. As there, C stands beside a sum,
    so that with `Cs` given a fold of 4/5 of the rows is penalised as scikit-learn's is. X is not copied.

    Parameters
    ----------
    Cs : "auto", int or array, default "auto"
        Inverse strengths. A number means so many, spread geometrically from 1e-4 to 1e4, as in scikit-learn. "auto"
        begins where all coefficients are 0 and goes on until the mean held-out loss has turned for good, as in
        `ElasticNetCV`; for ridge, which has no such strength, it means 10.
    l1_ratios : array of floats in [0, 1], one of these, "auto" or None, default "auto"
        1 is the lasso, 0 ridge, which is also what None means, as in scikit-learn. "auto" is the lasso where it finds
        its own strengths, and ridge, scikit-learn's default, where `Cs` is given.
    fit_intercept, class_weight, penalty_factor, standardize, positive, n_jobs
        As in `LogisticRegression`.
    cv : int, splitter, iterable or None, default None
        Folds; None is 5 stratified folds, of soft targets 5 folds of consecutive rows.
    rule : {"min", "1se", "1se-rows", "1se-unpaired"}, "within x%", or callable, default "min"
        What chooses the strength; see `cross_validate_path`.
    scoring : str or callable, optional
        A scorer, to be maximised, which is also what `score` returns. Default: the mean deviance, twice the log loss,
        to be minimised; `score` is the accuracy then. Soft targets take no scorer.
    relax : bool, default False
        Fit the chosen columns again without the l1 term, in the folds too; see `cross_validate_path`. `dual_gap_` is
        that of the fit before.
    tol, max_iter : float, int
        As in `LogisticRegression`, with at most 1000 iterations at each strength.
    verbose : bool or int, default False
        Print a line a strength, with the time left, to stderr.
    max_seconds, max_columns, max_memory, keep_fold_paths
        As in `ElasticNetCV`. With `Cs` given, folds of up to a million coefficients are kept anyway.
    penalty
        Deprecated, as in scikit-learn: "l2" is ``l1_ratios=(0,)``, "l1" is ``l1_ratios=(1,)``.
    solver, dual, intercept_scaling, random_state
        Taken for compatibility and checked; they change nothing.
    refit : bool, default True
        Whether all rows are fitted at the choice. False averages the models of the folds, each where its own held-out
        score is best, as scikit-learn does: `C_` and `l1_ratio_` are means too, and `dual_gap_` is infinite, as that is
        no minimum of anything.
    use_legacy_attributes : bool or "warn", default "warn"
        With True attributes have the form of scikit-learn 1.9: `C_` and `l1_ratio_` are arrays, and `scores_` and
        `coefs_paths_` are dicts of arrays (n_folds, n_Cs, n_l1_ratios, ...) by class, of two classes for the second,
        without n_l1_ratios where no `l1_ratios` are given. "warn" means False here, without a warning.

    Attributes
    ----------
    C_, l1_ratio_ : float
        The choice.
    Cs_ : array of shape (n_Cs,), or (n_l1_ratios, n_Cs) where these found strengths of their own
        Inverse strengths, increasing.
    scores_ : array of shape (n_folds, n_l1_ratios, n_Cs)
        Held-out scores, or minus the mean deviance.
    l1_ratios_ : array of shape (n_l1_ratios,)
    coefs_paths_ : array of shape (n_folds, n_l1_ratios, n_Cs, 1 or K, p + 1)
        Coefficients of the folds, and last their intercepts where there are any, made on access; where they were kept
        (see `keep_fold_paths`). Sparse: `validation_.paths[i].fold_paths`.
    cv_results_, validation_
        As in `ElasticNetCV`, with `alpha = 1 / (C S)`, S the sum of the weights.
    coef_, sparse_coef_, intercept_, classes_, dual_gap_, n_iter_, n_features_in_, feature_names_in_
        As in `LogisticRegression`, at the choice.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import LogisticRegressionCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 20))
    >>> model = LogisticRegressionCV(rule="1se").fit(X, X[:, 0] + rng.normal(size=200) > 0.0)
    >>> int(np.argmax(np.abs(model.coef_[0])))
    0
    """

    def __init__(
        self,
        *,
        Cs: Any = "auto",
        l1_ratios: Any = "auto",
        fit_intercept: bool = True,
        cv: Any = None,
        rule: Any = "min",
        scoring: Any = None,
        relax: bool = False,
        tol: float = 1e-4,
        max_iter: int = 1000,
        class_weight: Any = None,
        n_jobs: int | None = None,
        verbose: bool | int = False,
        penalty: Any = "deprecated",
        solver: str = "lbfgs",
        dual: bool = False,
        intercept_scaling: float = 1.0,
        random_state: Any = None,
        refit: bool = True,
        use_legacy_attributes: Any = "warn",
        penalty_factor: Any = None,
        standardize: bool = False,
        positive: bool = False,
        max_seconds: float | None = None,
        max_columns: int | None = None,
        max_memory: int | None = None,
        keep_fold_paths: bool = False,
    ) -> None:
        set_parameters(self, locals())

    early_stopping = False  # the strength is chosen already

    def _start(self, n_features: int, n_outputs: int) -> tuple[Any, Any]:  # noqa: ARG002 - always anew
        return None, None

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, offset: Any = None, classes: Any = None, **params: Any
    ) -> Any:
        """Choose the strength by folds, and fit all rows at it.

        Parameters
        ----------
        X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)
            Not copied where the layout allows, never written to.
        y : array of shape (n,), or (n, K)
            Labels; or *soft targets*, one row of probabilities of the K classes a row of X, which sum to 1. These are
            measured by the mean deviance only; a splitter sees the most probable class of each row.
        sample_weight : float or array of shape (n,), optional
            Non-negative weights, in the fits and within the held-out losses.
        offset : array of shape (n,), or (n, K) for more than two classes, optional
            Known part of the predictor.
        classes : array of shape (K,), optional
            The labels of the columns of soft targets; 0, 1, ... without.
        **params
            Metadata for the splitter, such as groups, with `sklearn.set_config(enable_metadata_routing=True)`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For parameters, targets or weights out of range, input that is not finite, folds without rows, `scoring`
            beside soft targets, and several classes of which one has no weight, unless `fit_intercept` is False.

        Warns
        -----
        ConvergenceWarning
            When strengths are not solved to `tol` within `max_iter` iterations.
        UserWarning
            When the training rows of folds lack a class. These folds are fitted on the classes that they have, and give
            the others probability 0, which counts as 2.2e-16 in the log loss; their intercepts are minus infinity.
        """
        ratios = self._ratios()
        X, y = self._checked(X, y)
        design, targets = self._design(X), ClassTargets.of(y, classes)
        K, (split_by, is_certain) = targets.classes.size, targets.split_by()
        if targets.codes is None:
            refuse_labels_wanted(self.scoring)
        self._check_positive(K)
        known = self._class_offset(offset, design.n_rows, K)
        targets, s = targets.weighted(self.class_weight, check_scaled_weights(sample_weight, design.n_rows))
        (s, total), factor = summed_weights(s, design.n_rows), self._factor(design.n_features)
        flags: dict[str, Any] = {
            name: bool(getattr(self, name)) for name in ("fit_intercept", "standardize", "positive")
        }
        target, Cs = targets.target(), self._strengths(ratios)
        settings = self._settings_of("auto" if Cs is None else strengths_of_sum(Cs, total), 1e-2, "Cs")
        penalty = {"penalty_factor": factor, **flags}
        task, measure = self._task(targets.classes, (design, target, s, known), penalty, summed=Cs is not None)
        folds = make_folds(self.cv, X, split_by, self._split_parameters(params), classifier=is_certain)
        if not self.refit or self._legacy or self._few(Cs, len(folds) * len(ratios) * K * design.n_features):
            settings = settings._replace(keep=True)
        paths = [validate(task, folds, measure, ratio, settings) for ratio in ratios]
        self.classes_, self._sparse = targets.classes, False
        self._set_choice(CrossValidation.of(paths, self.rule), total)
        if not self.refit:
            return self
        chosen = self.validation_
        fitted = self._fit_task(
            FitTask(design, target, LOSSES["logistic"], s, known, chosen.alpha, chosen.l1_ratio, factor, **flags),
            1 if K == 2 else K,
        )
        self.intercept_ = self._relaxed(fitted).astype(design.dtype)
        self.n_iter_ = np.array([fitted.n_iter], dtype=np.int32)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super(LogisticRegression, self).__sklearn_tags__()  # whose own reads parameters that are none here
        tags.classifier_tags.multi_class = not self.positive
        return tags

    def _ratios(self) -> list[float]:
        """The `l1_ratios`, after all checks of parameters but `Cs`."""
        self._check_loss_fit()
        check_rule(self.rule)
        check_choice("solver", self.solver, SOLVERS)
        check_flag("dual", self.dual)
        check_number("intercept_scaling", self.intercept_scaling, low=0, open_low=True)
        if not check_flag("refit", self.refit) and self.rule != "min":
            raise ValueError(f"rule={self.rule!r} with refit=False, which takes each fold at its best; pass 'min'.")
        if self.use_legacy_attributes != "warn":
            check_flag("use_legacy_attributes", self.use_legacy_attributes)
        ratios = self._default_ratios()
        if isinstance(self.penalty, str) and self.penalty == "deprecated":
            return check_ratios(ratios)
        check_choice("penalty", self.penalty, tuple(PENALTIES))
        warnings.warn(
            "'penalty' was deprecated in version 1.8 and will be removed in 1.10. Leave it at its default and use"
            " l1_ratios=(0,) in place of penalty='l2', and l1_ratios=(1,) in place of penalty='l1'.",
            FutureWarning,
            stacklevel=3,
        )
        own = PENALTIES[self.penalty]
        if self.penalty == "elasticnet" and not self._given_ratios:
            raise ValueError(f"l1_ratios={self.l1_ratios!r} with penalty='elasticnet': expected numbers in [0, 1].")
        return check_ratios(ratios if own is None else (own,))

    def _task(self, classes: Any, parts: Any, penalty: dict[str, Any], *, summed: bool) -> tuple[Any, Any]:
        """What the folds fit and measure; `parts` are the design, targets, weights and offset."""
        options = Options(float(self.tol), EPOCHS * int(self.max_iter))
        design, y, s, known = parts
        how: dict[str, Any] = {"summed": summed, "relax": bool(self.relax)}
        loss = LOSSES["logistic"]
        if len(classes) == 2:
            task = Task(design, y, s, known, loss, penalty, options, **how)
            return task, make_measure(self.scoring, loss, classes)
        several: Any = MULTINOMIAL
        of_classes = ClassTask(design, y, s, known, several, penalty, options, classes=classes, **how)
        return of_classes, make_class_measure(self.scoring, y, classes)

    @property
    def _legacy(self) -> bool:
        """Whether attributes have scikit-learn's older form."""
        return not isinstance(self.use_legacy_attributes, str) and bool(self.use_legacy_attributes)

    def _few(self, Cs: Vector | None, n: int) -> bool:
        """Whether the coefficients of all folds, so many a strength, are kept without being asked for."""
        return Cs is not None and n * Cs.size <= self._max_kept

    def _set_choice(self, validation: CrossValidation, total: float) -> None:
        """Set the choice and what it was made from; without `refit` the coefficients too."""
        self._set_inverse_strengths(validation, total)
        if not self.refit:
            self._set_mean(mean_of_folds(validation), total)
        if self._legacy:
            n = 1 if self.classes_.size == 2 else self.classes_.size
            self.C_, self.l1_ratio_ = np.full(n, self.C_), np.full(n, self.l1_ratio_)
            self.scores_ = by_class(self.scores_, self.classes_, ratios=self._given_ratios)

    def _set_mean(self, mean: MeanOfFolds, total: float) -> None:
        self._coef, self.intercept_ = mean.coef, mean.intercept.astype(mean.coef.dtype)
        self.C_, self.l1_ratio_, self.dual_gap_ = mean.inverse_alpha / total, mean.l1_ratio, np.inf
        self.n_iter_ = np.array([-(-mean.n_iter // EPOCHS)], dtype=np.int32)
        self.__dict__.pop("gradient_norm_", None)  # of an earlier fit

    @property
    def coefs_paths_(self) -> Any:
        """Coefficients and intercepts of the folds, of shape (n_folds, n_l1_ratios, n_Cs, 1 or K, p + 1)."""
        check_is_fitted(self, "validation_")
        if self.validation_.paths[0].fold_paths is None:
            raise AttributeError("coefs_paths_ is there only after a fit with keep_fold_paths=True.")
        parts = [fold_coefficients(path, self.fit_intercept).swapaxes(0, 1) for path in self.validation_.paths]
        found = np.asarray(np.moveaxis(rectangle(parts), 2, 0))
        return by_class(found, self.classes_, ratios=self._given_ratios) if self._legacy else found
