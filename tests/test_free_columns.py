"""Columns without a penalty that depend on each other, or nearly so: certified, or said not to be."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from sparsereg import LogisticRegression, PoissonRegressor, Ridge, regularization_path
from sparsereg.data.design import as_design
from sparsereg.objective.problem import Coefficients, make_problem

RNG = np.random.default_rng(0)
x, z, u = RNG.normal(size=(3, 40))
TARGET = z + 0.1 * RNG.normal(size=40)
CLASSES = np.argsort(np.argsort(TARGET)) * 3 // 40
COUNTS = RNG.poisson(np.exp(0.5 * z))
FREE = [0.0, 0.0, 1.0]


def path(X, y, **options):
    """One strong point, and whether there was a warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = regularization_path(X, y, alphas=[10.0], penalty_factor=FREE, **options)
    assert all(one.category is ConvergenceWarning for one in caught)
    assert bool(caught) is not bool(found.certified[0])
    return found


@pytest.mark.parametrize("share", [1e-8, 1e-11, 3e-14])
@pytest.mark.parametrize(
    ("y", "options"),
    [
        (TARGET, {}),
        (TARGET, {"l1_ratio": 0.0}),
        (TARGET, {"positive": True}),
        (np.column_stack([TARGET, TARGET]), {}),
        (TARGET > 0.0, {"loss": "logistic"}),
        (COUNTS, {"loss": "poisson"}),
        (TARGET, {"loss": "huber"}),
        (CLASSES, {"loss": "multinomial"}),
    ],
)
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_what_a_short_direction_explains_is_not_certified_away(share, y, options, kind):
    """z is all but what y is made of, and stands in the difference of two columns only."""
    X = np.column_stack([-x, x + share * z, u])
    found = path(kind(X), y, **options)
    if y is TARGET and options.get("loss") != "huber":
        left = float(np.mean((TARGET - found.predict(X, 0)) ** 2))
        assert left < 0.02 or not found.certified[0]
    else:
        assert found.deviance_explained[0] > 0.5 or not found.certified[0]


def test_dependent_columns_are_certified_for_any_loss():
    """Copies, sums and other units of a column, computed in double precision, are no short directions."""
    for X in (np.column_stack([x, x, u]), np.column_stack([x, 1.8 * x + 32.0, u]), np.column_stack([x, 1.0 - x, u])):
        for y, loss in ((TARGET, "squared"), (TARGET > 0, "logistic"), (COUNTS, "poisson"), (CLASSES, "multinomial")):
            assert path(X, y, loss=loss).certified.all()
        assert path(X, TARGET, l1_ratio=0.0).certified.all()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            Ridge(penalty_factor=FREE, positive=True).fit(X, TARGET)
            LogisticRegression(penalty_factor=FREE).fit(X, TARGET > 0.0)
            LogisticRegression(penalty_factor=FREE, l1_ratio=1.0).fit(X, TARGET > 0.0)


def test_dependent_columns_of_which_a_random_combination_is_short():
    """Two columns that depend on each other but for 4e-14 explain all of y: a gap of 1e-27 was claimed."""
    X = np.array(
        [
            [0.0, 642223.151539189, 0.0],
            [1.352224802051874, 642219.0948647829, 0.0],
            [0.656384468503742, 642221.1823857835, 1.8643246284133483],
            [0.0, 642223.151539189, 1.029622547234271],
        ]
    )
    y = np.array([-2.5, 1.6, 0.89, 0.2])
    with pytest.warns(ConvergenceWarning, match="not known"):
        assert Ridge(tol=2e-9, positive=True, penalty_factor=np.zeros(3)).fit(X, y).dual_gap_ == np.inf
    for positive in (False, True):
        with pytest.warns(ConvergenceWarning):
            assert not regularization_path(X, y, alphas=[1.0], penalty_factor=np.zeros(3), positive=positive).certified


def test_one_random_direction_does_not_show_whether_any_has_a_length():
    """The first that is drawn has none, as one of six may; others have."""
    X = np.zeros((8, 6))
    X[:, 0] = x[:8]
    quadratic = make_problem(as_design(X), TARGET[:8], fit_intercept=False).quadratic
    first = np.random.default_rng(0).normal(size=6)
    vectors = np.linalg.qr(np.column_stack([first, np.eye(6)[:, :5]]))[0].T  # their first row goes along `first`
    vectors = np.roll(vectors, 1, axis=0)
    assert abs(vectors[0] @ first) < 1e-14
    cols, scale = np.arange(6), np.ones(6)
    assert quadratic._have_length(cols, scale, vectors, 1e-20)
    assert not quadratic._have_length(cols, scale, vectors, 1e3)


@pytest.mark.parametrize("share", [1e-8, 1e-12])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_estimators_of_other_losses_warn_of_a_short_direction(share, l1_ratio):
    X = np.column_stack([x, x + share * z, u])
    options = {"penalty_factor": FREE, "l1_ratio": l1_ratio}
    for model, y in (
        (LogisticRegression(**options), TARGET + x > 0.0),
        (LogisticRegression(**options), CLASSES),
        (PoissonRegressor(alpha=1.0, **options), COUNTS),
    ):
        with pytest.warns(ConvergenceWarning):
            model.fit(X, y)


@pytest.mark.parametrize("scale", [1e-6, 1e-15, 1e-100, 1e8, 1e30])
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("y", [TARGET + x > 0.3, np.argsort(np.argsort(TARGET + x + u)) * 3 // 40])
def test_units_of_a_free_column_change_no_class(scale, l1_ratio, y):
    """The Hessian of a softmax has no inverse: what is cut off must not be measured in the columns' own units."""
    noise, units = np.random.default_rng(1).normal(size=(40, 3)), np.array([scale, 1.0, 1.0])
    X = np.column_stack([x + u, z, u]) + 0.5 * noise
    for options in ({}, {"fit_intercept": False}):
        model = LogisticRegression(penalty_factor=[0.0, 1.0, 1.0], l1_ratio=l1_ratio, tol=1e-8, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            plain = model.fit(X, y).coef_
            scaled = model.fit(X * units, y).coef_ * units
            np.testing.assert_allclose(scaled, plain, atol=1e-3 * np.abs(plain).max())
            found = regularization_path(
                X * units, y * 1, loss="multinomial", alphas=[0.03], l1_ratio=l1_ratio, penalty_factor=[0, 1, 1]
            )
        assert found.certified.all()


def separated_counts(seed):
    """A field without a penalty beside a penalized one; counts of its first level are all 0."""
    rng = np.random.default_rng(seed)
    level, other = rng.integers(0, 4, 40), rng.integers(0, 3, 40)
    y = np.where(level == 0, 0, rng.poisson(1.0 + level)).astype(float)
    X = np.hstack([level[:, None] == np.arange(1, 4), other[:, None] == np.arange(3)]).astype(float)
    return X, y, level


@pytest.mark.parametrize("seed", range(4))
def test_what_free_columns_that_separate_rows_would_still_gain_is_in_the_gap(seed):
    """Predictors of the first level go on to minus infinity: the loss there, all of what is left, was missing."""
    X, y, level = separated_counts(seed)
    found = regularization_path(X, y, loss="poisson", penalty_factor=[0.0] * 3 + [1.0] * 3, alphas=3, tol=1e-8)
    w = found.coefs[:, [0]].toarray()[:, 0].astype(np.longdouble)
    assert not w[3:].any()
    z, y = X @ w + np.longdouble(found.intercepts[0]), y.astype(np.longdouble)
    means = [y[level == k].mean() for k in range(1, 4)]
    least = sum(np.sum(level == k) * (m - m * np.log(m)) for k, m in enumerate(means, 1)) / y.size
    excess = float(np.mean(np.exp(z) - y * z) - least)
    assert excess > 1e-12
    assert excess - 1e-13 <= found.dual_gaps[0] <= 1.1 * excess
    assert found.certified.all()


@pytest.mark.parametrize("far", [26.0, 29.3, 32.0])
def test_a_gap_far_along_free_columns_that_separate_rows_holds_what_is_left(far):
    """Gradients of 1e-13 of what they can be counted as 0: a gap of 0 was claimed where 2e-12 was left in all."""
    X, y, level = separated_counts(0)
    X[:, 3] = level == 0
    w = np.append(np.log([y[level == k].mean() for k in range(1, 4)]), [-far, 0.0, 0.0])
    factor = np.array([0.0] * 4 + [1.0] * 2)
    problem = make_problem(as_design(X), y, loss="poisson", fit_intercept=False, penalty_factor=factor)
    left = np.sum(level == 0) * np.exp(-far)
    gap = problem.duality_gap(Coefficients(np.arange(6), w), 1.0, 1.0) * problem.weight_sum
    assert gap == pytest.approx(left, rel=1e-2, abs=3e-14)


@pytest.mark.parametrize("seed", [3, 6, 17])
def test_free_columns_that_separate_all_rows_stay_small(seed):
    """Steps went on along what rounding left of gradients, with twice the predictors each time, up to 1e14."""
    X = (np.random.default_rng(seed).random((8, 3)) < 0.5).astype(float)
    y = (2.0 * X[:, 0] - 1.5 * X[:, 1] > 0.25).astype(float)
    found = regularization_path(X, y, loss="logistic", penalty_factor=FREE, alphas=[1e-3, 1e-14], tol=1e-9)
    assert found.certified.all()
    assert np.abs(found.coefs.toarray()).max() < 1e3
