"""`SquaredHingeClassifierCV`: the L2 support vector machine, the strength chosen by folds."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsereg.data.validation import check_scaled_weights, strengths_of_sum, summed_weights
from sparsereg.linear_model.class_choice import ClassifierChoice
from sparsereg.linear_model.class_targets import ClassTargets
from sparsereg.linear_model.coefficients import set_parameters
from sparsereg.linear_model.paths import EPOCHS
from sparsereg.linear_model.squared_hinge import SquaredHingeClassifier, targets_of_classes
from sparsereg.losses import LOSSES
from sparsereg.selection.cross_validation import check_ratios
from sparsereg.selection.fold_fits import Task
from sparsereg.selection.folds import make_folds
from sparsereg.selection.one_versus_rest import validate_classes
from sparsereg.selection.results import CrossValidation
from sparsereg.selection.rules import check_rule
from sparsereg.solvers.loop import Options

__all__ = ["SquaredHingeClassifierCV"]


class SquaredHingeClassifierCV(ClassifierChoice, SquaredHingeClassifier):
    """Classification by the squared hinge loss whose strength is chosen by cross-validation.

    The objective is that of `SquaredHingeClassifier`, in each fold over its training rows; X is not copied. Of more
    than two classes, each is fitted against the rest, all at the same strength. After the choice, all rows are fitted.

    Parameters
    ----------
    Cs : "auto", int or array, default "auto"
        Inverse strengths. A number means so many, spread geometrically from 1e-4 to 1e4. "auto" begins where all
        coefficients are 0 and goes on until the mean held-out loss has turned for good, as in `ElasticNetCV`, for each
        of several classes; for ridge, which has no such strength, it means 10.
    l1_ratios : array of floats in [0, 1], one of these, "auto" or None, default "auto"
        1 is the lasso, 0 ridge, which is also what None means. "auto" is the lasso where it finds its own strengths,
        and ridge where `Cs` is given.
    fit_intercept, class_weight, penalty_factor, standardize, positive, n_jobs
        As in `SquaredHingeClassifier`.
    cv : int, splitter, iterable or None, default None
        Folds; None is 5 stratified folds.
    rule : {"min", "1se", "1se-rows", "1se-unpaired"}, "within x%", or callable, default "min"
        What chooses the strength; see `cross_validate_path`. "1se-rows" is for two classes.
    scoring : str or callable, optional
        A scorer of labels or decisions, to be maximised, which is also what `score` returns. Default: the mean loss (of
        several classes its sum), to be minimised; `score` is the accuracy then.
    relax : bool, default False
        Fit the chosen columns again without the l1 term, in the folds too; see `cross_validate_path`. `dual_gap_` is
        that of the fit before.
    tol, max_iter : float, int
        As in `SquaredHingeClassifier`, with at most 1000 iterations at each strength.
    verbose : bool or int, default False
        Print a line a strength, with the time left, to stderr.
    max_seconds, max_columns, max_memory, keep_fold_paths
        As in `ElasticNetCV`; of several classes, for each.

    Attributes
    ----------
    C_, l1_ratio_ : float
        The choice.
    Cs_ : array of shape (n_Cs,), or (n_l1_ratios, n_Cs) where these found strengths of their own
        Inverse strengths, increasing.
    scores_ : array of shape (n_folds, n_l1_ratios, n_Cs)
        Held-out scores, or minus the mean loss.
    l1_ratios_ : array of shape (n_l1_ratios,)
    cv_results_, validation_
        As in `ElasticNetCV`, with `alpha = 1 / (2 C S)`, S the sum of the weights.
    coef_, sparse_coef_, intercept_, classes_, dual_gap_, n_iter_, n_features_in_, feature_names_in_
        As in `SquaredHingeClassifier`, at the choice.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import SquaredHingeClassifierCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 20))
    >>> model = SquaredHingeClassifierCV(rule="1se").fit(X, X[:, 0] + rng.normal(size=200) > 0.0)
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
        penalty_factor: Any = None,
        standardize: bool = False,
        positive: bool = False,
        max_seconds: float | None = None,
        max_columns: int | None = None,
        max_memory: int | None = None,
        keep_fold_paths: bool = False,
    ) -> None:
        set_parameters(self, locals())

    def _start(self, n_features: int, n_outputs: int) -> tuple[Any, Any]:  # noqa: ARG002 - always anew
        return None, None

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, offset: Any = None, **params: Any) -> Any:
        """Choose the strength by folds, and fit all rows at it.

        Parameters
        ----------
        X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)
            Not copied where the layout allows, never written to.
        y : array of labels of shape (n,)
        sample_weight : float or array of shape (n,), optional
            Non-negative weights, in the fits and within the held-out losses.
        offset : array of shape (n,), or (n, K) for more than two classes, optional
            Known part of the predictor.
        **params
            Metadata for the splitter, such as groups, with `sklearn.set_config(enable_metadata_routing=True)`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For parameters, labels or weights out of range, input that is not finite, and folds without rows or without
            a class.

        Warns
        -----
        ConvergenceWarning
            When strengths are not solved to `tol` within `max_iter` iterations.
        """
        self._check_loss_fit()
        check_rule(self.rule)
        ratios = check_ratios(self._default_ratios())
        X, y = self._checked(X, y)
        if y.ndim == 2 and y.shape[1] > 1:
            raise ValueError(f"y has shape {y.shape}; expected labels of shape (n,).")
        design, targets = self._design(X), ClassTargets.of(y)
        labels, classes = targets.codes, targets.classes
        targets, s = targets.weighted(self.class_weight, check_scaled_weights(sample_weight, design.n_rows))
        s, total = summed_weights(s, design.n_rows)
        known, Cs = self._class_offset(offset, design.n_rows, classes.size), self._strengths(ratios)
        # The loss is half of the square.
        settings = self._settings_of("auto" if Cs is None else 0.5 * strengths_of_sum(Cs, total), 1e-2, "Cs")
        penalty = {
            "penalty_factor": self._factor(design.n_features),
            **{name: bool(getattr(self, name)) for name in ("fit_intercept", "standardize", "positive")},
        }
        how: dict[str, Any] = {"summed": Cs is not None, "relax": bool(self.relax)}
        options, loss = Options(float(self.tol), EPOCHS * int(self.max_iter)), LOSSES["squared_hinge"]
        tasks = [
            Task(design, sign, s, shift, loss, penalty, options, **how)
            for sign, shift in targets_of_classes(targets, known)
        ]
        folds = make_folds(self.cv, X, labels, self._split_parameters(params), classifier=True)
        paths = [validate_classes(tasks, folds, self.scoring, classes, ratio, settings) for ratio in ratios]
        self._set_inverse_strengths(CrossValidation.of(paths, self.rule), 2.0 * total)
        chosen = self.validation_
        self._fit_classes(design, targets, s, known, (chosen.alpha, chosen.l1_ratio))
        if self.relax:
            self._coef = chosen.path.coef(chosen.k).astype(self._coef.dtype)
            self.intercept_ = np.atleast_1d(chosen.path.intercepts[chosen.k]).astype(design.dtype)
        return self
