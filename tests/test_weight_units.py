"""Weights of any size: relative where the scale of weights changes nothing, and with the strength where it does."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import sparsereg as S

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = X @ [3.0, -2.0, 1.0, 0.0] + 2.0 * RNG.normal(size=60)
SIGN, CLASSES, COUNTS = Y > 0.0, np.argsort(np.argsort(Y)) * 3 // 60, RNG.poisson(np.exp(0.3 * X[:, 0]))
WEIGHTS = RNG.uniform(0.5, 2.0, 60)
UNITS = [1e-300, 1e-200, 1e100, 1e300]

# Each with the strength for weights of order 1, which counts in the units of the weights.
RIDGES = {
    "gram": lambda a: S.Ridge(a),
    "cg": lambda a: S.Ridge(a, solver="cg"),
    "svd": lambda a: S.Ridge(a, solver="svd"),
    "dual": lambda a: S.Ridge(a, solver="dual"),
    "positive": lambda a: S.Ridge(a, positive=True),
    "stopped": lambda a: S.Ridge(a, early_stopping=True, random_state=0),
    "leaving one out": lambda a: S.RidgeCV([a, 2 * a]),
    "folds": lambda a: S.RidgeCV([a, 2 * a], cv=3),
}
RELATIVE = {
    "lasso": (lambda: S.Lasso(0.1), Y),
    "lasso, folds": (lambda: S.LassoCV(cv=3), Y),
    "poisson": (lambda: S.PoissonRegressor(alpha=0.1), COUNTS),
    "poisson, l1": (lambda: S.PoissonRegressor(alpha=0.1, l1_ratio=1.0), COUNTS),
    "poisson, folds": (lambda: S.PoissonRegressorCV(cv=3), COUNTS),
    "huber": (lambda: S.HuberLossRegressor(alpha=0.1), Y),
    "several targets": (lambda: S.MultiTaskLasso(0.1), np.column_stack([Y, Y])),
    "logistic, folds": (lambda: S.LogisticRegressionCV(cv=3, l1_ratios=[1.0], Cs="auto"), SIGN),
    "no penalty": (lambda: S.LogisticRegression(C=np.inf), SIGN),
}


def quiet(model, y, weights):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return model.fit(X, y, sample_weight=weights)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", RIDGES)
@pytest.mark.parametrize("factor", [None, "dropout"])
def test_ridge_with_weights_and_strength_in_other_units(unit, name, factor):
    make = RIDGES[name]
    given = {} if factor is None else {"penalty_factor": factor, "dropout_rate": 0.3}
    if factor and "CV" in type(make(1.0)).__name__:
        pytest.skip("takes no factors")
    one, a = quiet(make(0.6).set_params(**given), Y, WEIGHTS), 0.6 if factor else 0.6 * unit
    other = quiet(make(a).set_params(**given), Y, WEIGHTS * unit)
    np.testing.assert_allclose(other.coef_, one.coef_, rtol=1e-6, atol=1e-9)
    for attribute in ("dual_gap_", "equivalent_alpha_", "cv_scores_"):
        if hasattr(one, attribute) and (attribute != "cv_scores_" or name != "folds"):
            scale = unit if attribute != "equivalent_alpha_" or not factor else 1.0
            small = 1e-12 * unit * WEIGHTS @ Y**2 if attribute == "dual_gap_" else 0.0
            np.testing.assert_allclose(
                getattr(other, attribute), np.multiply(getattr(one, attribute), scale), rtol=1e-6, atol=small
            )
    if name == "gram" and not factor:
        path = S.ridge_path(X, Y, alphas=[a], sample_weight=WEIGHTS * unit)
        np.testing.assert_allclose(path.coefs.toarray()[:, 0], one.coef_, rtol=1e-6)
        assert 0.0 <= path.dual_gaps[0] <= 1e-12 * path.gap_scale < np.inf
        grid = S.ridge_path(X, Y, alphas=3, sample_weight=WEIGHTS * unit).alphas
        np.testing.assert_allclose(grid, S.ridge_path(X, Y, alphas=3, sample_weight=WEIGHTS).alphas * unit, rtol=1e-9)
        degrees = [S.degrees_of_freedom(m, X, sample_weight=w) for m, w in ((one, WEIGHTS), (other, WEIGHTS * unit))]
        assert degrees[1].total == pytest.approx(degrees[0].total, rel=1e-9)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", RELATIVE)
def test_weights_that_are_relative(unit, name):
    make, y = RELATIVE[name]
    one, other = quiet(make(), y, WEIGHTS), quiet(make(), y, WEIGHTS * unit)
    np.testing.assert_allclose(other.coef_, one.coef_, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("unit", [1e-300, 1e300])
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_classes_count_the_sum_of_weights(unit, l1_ratio):
    """As `C S` does: C over the unit leaves all as it is."""
    for make, y in (
        (S.LogisticRegression, SIGN),
        (S.LogisticRegression, CLASSES),
        (S.SquaredHingeClassifier, SIGN),
        (S.SquaredHingeClassifier, CLASSES),
    ):
        one = quiet(make(C=1.0, l1_ratio=l1_ratio), y, WEIGHTS)
        other = quiet(make(C=1.0 / unit, l1_ratio=l1_ratio), y, WEIGHTS * unit)
        np.testing.assert_allclose(other.coef_, one.coef_, rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="leave no row a positive weight"):
        S.SquaredHingeClassifier(class_weight={False: 0.0, True: 0.0}).fit(X, SIGN)


def test_strengths_far_beyond_the_curvature():
    """alpha = 1 beside weights of 1e-300 leaves nothing of the coefficients, and alpha = 1e-300 nothing of alpha."""
    for name in ("gram", "cg", "svd", "dual", "positive"):
        assert np.abs(quiet(RIDGES[name](1.0), Y, WEIGHTS * 1e-300).coef_).max() < 1e-290
        np.testing.assert_allclose(
            quiet(RIDGES[name](1e-300), Y, WEIGHTS * 1e300).coef_,
            quiet(RIDGES[name](0.0 if name not in ("svd", "dual") else 1e-9), Y, WEIGHTS).coef_,
            rtol=1e-4,
            atol=1e-6,
        )
