"""`LogisticRegression` and `SquaredHingeClassifier`: agreement with scikit-learn, weights, targets, edges."""

from __future__ import annotations

import pickle
import tracemalloc
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import linear_model, svm
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sparsereg import LogisticRegression, SquaredHingeClassifier, regularization_path

LABELS = np.array(["ant", "bee", "cow"])


def data(n=150, p=8, classes=2, seed=0):
    """Some zeros in X, columns of different sizes, and a class that is rarer than the others."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * (rng.uniform(size=(n, p)) < 0.6) * np.geomspace(0.3, 3.0, p)
    Z = X @ rng.normal(size=(p, classes)) * 0.7 + np.linspace(0.5, -0.5, classes)
    P = np.exp(Z - Z.max(axis=1, keepdims=True))
    cumulated = np.cumsum(P / P.sum(axis=1, keepdims=True), axis=1)
    return X, LABELS[(rng.random(n)[:, None] > cumulated[:, :-1]).sum(axis=1)]


def reference(X, y, s=None, **options):
    options = {"solver": "newton-cholesky", "tol": 1e-13, "max_iter": 1000, **options}
    return linear_model.LogisticRegression(**options).fit(X, y, s)


# ---- agreement -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, sp.csc_matrix])
@pytest.mark.parametrize("C", [0.01, 1.0, 1e4, np.inf])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_agrees_with_newton_cholesky_at_l2(classes, C, container, fit_intercept):
    X, y = data(classes=classes)
    theirs = reference(X, y, C=C, fit_intercept=fit_intercept)
    ours = LogisticRegression(C=C, fit_intercept=fit_intercept).fit(container(X), y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-7)
    np.testing.assert_allclose(ours.predict_log_proba(X), theirs.predict_log_proba(X), rtol=1e-7)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    assert ours.score(X, y) == theirs.score(X, y)
    assert ours.n_iter_.shape == (1,)
    np.testing.assert_allclose(ours.coef_.sum(axis=0) * (classes > 2), 0.0, atol=1e-9)
    assert np.isinf(ours.dual_gap_) == np.isinf(C)


def mean_objective(X, y, model, l1_ratio):
    z = np.where(y == model.classes_[1], 1.0, -1.0) * model.decision_function(X)
    w = model.coef_[0]
    penalty = l1_ratio * np.abs(w).sum() + (1 - l1_ratio) / 2 * w @ w
    return (np.logaddexp(0.0, -z).sum() + penalty / model.C) / len(y)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("C", [0.05, 0.3, 2.0])
def test_agrees_with_saga_at_l1_to_the_gap(l1_ratio, C):
    X, y = data()
    ours = LogisticRegression(C=C, l1_ratio=l1_ratio).fit(X, y)
    theirs = reference(X, y, solver="saga", l1_ratio=l1_ratio, C=C, tol=1e-10, max_iter=20_000)
    difference = mean_objective(X, y, ours, l1_ratio) - mean_objective(X, y, theirs, l1_ratio)
    assert -1e-9 <= difference <= ours.dual_gap_ + 1e-14
    assert ours.dual_gap_ <= 1e-8
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    assert ours.sparse_coef_.nnz == np.count_nonzero(ours.coef_)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("l1_ratio", "C"), [(1.0, 0.05), (1.0, 1.0), (0.5, 0.3)])
def test_several_classes_agree_with_saga_at_l1_to_the_gap(l1_ratio, C, fit_intercept):
    X, y = data(classes=3)
    options = {"C": C, "l1_ratio": l1_ratio, "fit_intercept": fit_intercept}
    ours = LogisticRegression(**options).fit(X, y)
    theirs = reference(X, y, solver="saga", tol=1e-9, max_iter=20_000, **options)

    def objective(model):
        losses = -model.predict_log_proba(X)[np.arange(len(y)), np.searchsorted(LABELS, y)]
        w = model.coef_
        return (losses.sum() + (l1_ratio * np.abs(w).sum() + (1 - l1_ratio) / 2 * np.sum(w * w)) / C) / len(y)

    assert -1e-8 <= objective(ours) - objective(theirs) <= ours.dual_gap_ + 1e-14
    assert ours.dual_gap_ <= 1e-9
    assert 0 < ours.sparse_coef_.nnz < ours.coef_.size
    # a gap also bounds the distance of a poor solution
    for steps in (0, 1):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            poor = LogisticRegression(max_iter=steps, tol=1e-15, **options).fit(X, y)
        assert objective(poor) - objective(ours) <= poor.dual_gap_ + 1e-14


def test_agrees_with_liblinear_at_l1_without_intercept():
    X, y = data()
    theirs = reference(X, y, solver="liblinear", l1_ratio=1.0, C=0.3, fit_intercept=False, tol=1e-12, random_state=0)
    ours = LogisticRegression(C=0.3, l1_ratio=1.0, fit_intercept=False).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)


def test_is_a_point_of_the_path():
    X, y = data()
    s = np.random.default_rng(1).uniform(0.5, 2.0, len(y))
    model = LogisticRegression(C=0.4, l1_ratio=0.7).fit(X, y, s)
    path = regularization_path(
        X, y == "bee", loss="logistic", sample_weight=s, l1_ratio=0.7, alphas=[1 / (0.4 * s.sum())], tol=1e-10
    )
    np.testing.assert_allclose(model.coef_[0], path.coefs.toarray()[:, 0], atol=1e-6)
    np.testing.assert_allclose(model.intercept_, path.intercepts, atol=1e-6)


@pytest.mark.parametrize("C", [0.1, 10.0])
def test_squared_hinge_agrees_with_linear_svc(C):
    X, y = data(classes=3)
    theirs = svm.LinearSVC(C=C, fit_intercept=False, tol=1e-10, max_iter=100_000).fit(X, y)
    ours = SquaredHingeClassifier(C=C, fit_intercept=False).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    two = SquaredHingeClassifier(C=C, l1_ratio=1.0, fit_intercept=False).fit(X, y == "ant")
    sparse = svm.LinearSVC(C=C, penalty="l1", dual=False, fit_intercept=False, tol=1e-10, max_iter=100_000)
    np.testing.assert_allclose(two.coef_, sparse.fit(X, y == "ant").coef_, atol=1e-5)


# ---- weights, offsets, targets -------------------------------------------------------------------------------------

MODELS = [LogisticRegression(), LogisticRegression(l1_ratio=1.0, C=0.5), LogisticRegression(confidence_penalty=0.2)]


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_weights_are_repetitions_and_zero_weights_are_no_rows(model):
    X, y = data()
    counts = np.random.default_rng(3).integers(0, 4, len(y))
    weighted = clone(model).fit(X, y, counts)
    repeated = clone(model).fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(weighted.intercept_, repeated.intercept_, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("class_weight", ["balanced", {"ant": 3.0, "bee": 0.5}])
def test_class_weights_are_weights_of_rows(class_weight):
    X, y = data()
    s = np.random.default_rng(4).uniform(0.5, 2.0, len(y))
    theirs = reference(X, y, s, class_weight=class_weight)
    ours = LogisticRegression(class_weight=class_weight).fit(X, y, s)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-7)
    weight = {"ant": 3.0, "bee": 0.5}
    if class_weight == "balanced":
        weight = {label: s.sum() / (2 * s[y == label].sum()) for label in ("ant", "bee")}
    rows = LogisticRegression().fit(X, y, s * np.array([weight[label] for label in y]))
    np.testing.assert_allclose(ours.coef_, rows.coef_, rtol=1e-7)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_soft_targets_are_rows_of_labels_with_weights(classes, l1_ratio):
    X, _ = data(n=60)
    Y = np.random.default_rng(5).dirichlet(np.ones(classes), 60)
    labels = LABELS[:classes]
    soft = LogisticRegression(C=0.5, l1_ratio=l1_ratio).fit(X, Y, classes=labels)
    hard = LogisticRegression(C=0.5, l1_ratio=l1_ratio)
    hard.fit(np.repeat(X, classes, axis=0), np.tile(labels, 60), Y.ravel())
    np.testing.assert_allclose(soft.coef_, hard.coef_, atol=1e-6)
    np.testing.assert_allclose(soft.intercept_, hard.intercept_, atol=1e-6)
    np.testing.assert_array_equal(soft.classes_, hard.classes_)


def test_label_smoothing_is_a_fit_to_smoothed_targets():
    X, y = data(classes=3)
    Y = np.eye(3)[np.searchsorted(LABELS, y)]
    smooth = LogisticRegression(label_smoothing=0.3).fit(X, y)
    np.testing.assert_allclose(smooth.coef_, LogisticRegression().fit(X, 0.7 * Y + 0.1).coef_, rtol=1e-9)
    prior = LogisticRegression(label_smoothing=0.3, smoothing_distribution="prior").fit(X, y)
    np.testing.assert_allclose(prior.predict_proba(X).mean(axis=0), Y.mean(axis=0), rtol=1e-9)  # a balance, as without
    assert smooth.predict_proba(X).max() < LogisticRegression().fit(X, y).predict_proba(X).max()


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_an_offset_is_a_column_of_known_coefficient(l1_ratio):
    X, y = data()
    o = np.random.default_rng(6).normal(size=len(y))
    model = LogisticRegression(l1_ratio=l1_ratio).fit(X, y, offset=o)
    p = model.predict_proba(X, offset=o)[:, 1]
    gradient = X.T @ ((y == "bee") - p)
    w = model.coef_[0]
    expected = np.where(w != 0.0, np.sign(w), gradient) if l1_ratio else w
    np.testing.assert_allclose(gradient, expected, atol=1e-5)
    assert (np.abs(gradient) <= 1 + 1e-5).all() or not l1_ratio
    three = LABELS[np.random.default_rng(7).integers(0, 3, len(y))]
    O3 = np.random.default_rng(8).normal(size=(len(y), 3))
    multi = LogisticRegression().fit(X, three, offset=O3)
    P = multi.predict_proba(X, offset=O3)
    np.testing.assert_allclose(X.T @ (np.eye(3)[np.searchsorted(LABELS, three)] - P), multi.coef_.T, atol=1e-9)


def test_penalty_factors_and_standardising():
    X, y = data()
    factor = np.array([0.0, 1, 2, 1, 0, 1, 1, 3])
    w = LogisticRegression(penalty_factor=factor).fit(X, y)
    gradient = X.T @ ((y == "bee") - w.predict_proba(X)[:, 1])
    np.testing.assert_allclose(gradient, factor * w.coef_[0], atol=1e-8)
    assert np.isinf(w.dual_gap_)
    assert w.gradient_norm_ < 1e-10
    sigma = X.std(axis=0)
    standardised = LogisticRegression(standardize=True, l1_ratio=1.0, C=0.2).fit(X, y)
    np.testing.assert_allclose(
        standardised.coef_ * sigma, LogisticRegression(l1_ratio=1.0, C=0.2).fit(X / sigma, y).coef_, atol=1e-7
    )
    free = LogisticRegression(penalty_factor=factor, l1_ratio=1.0).fit(X, y)
    gradient = X.T @ ((y == "bee") - free.predict_proba(X)[:, 1])
    assert (np.abs(gradient) <= factor + 1e-4).all()
    np.testing.assert_allclose(
        (gradient * free.coef_[0])[factor > 0], (factor * np.abs(free.coef_[0]))[factor > 0], atol=1e-4
    )
    positive = LogisticRegression(positive=True).fit(X, y)
    gradient = X.T @ ((y == "bee") - positive.predict_proba(X)[:, 1]) - positive.coef_[0]
    assert (positive.coef_ >= 0.0).all()
    assert gradient.max() < 1e-3
    assert np.abs(gradient[positive.coef_[0] > 0.0]).max() < 1e-3


# ---- the penalty on confidence -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("classes", "l1_ratio"), [(2, 0.0), (2, 1.0), (2, 0.5), (3, 0.0)])
def test_a_penalty_on_confidence_ends_at_a_stationary_point(classes, l1_ratio):
    X, y = data(classes=classes)
    model = LogisticRegression(confidence_penalty=0.5, l1_ratio=l1_ratio, C=0.5).fit(X, y)
    assert np.isinf(model.dual_gap_)
    assert model.gradient_norm_ <= 1e-6
    Y = np.eye(classes)[np.searchsorted(LABELS, y)]

    def value(W, b):
        Z = X @ W.T + b
        Z = np.column_stack([0.0 * Z, Z]) if classes == 2 else Z
        log_p = Z - np.log(np.exp(Z).sum(axis=1, keepdims=True))
        loss = np.sum(-Y * log_p + 0.5 * np.exp(log_p) * log_p)
        return loss + (l1_ratio * np.abs(W).sum() + (1 - l1_ratio) / 2 * np.sum(W * W)) / 0.5

    W, b, rng = model.coef_.copy(), model.intercept_, np.random.default_rng(0)
    best = value(W, b)
    for _ in range(20):
        D, d = rng.normal(size=W.shape), rng.normal(size=b.shape)
        for step in (1e-3, -1e-3):
            assert value(W + step * D, b + step * d) >= best - 1e-9
    plain = LogisticRegression(l1_ratio=l1_ratio, C=0.5).fit(X, y)
    assert model.predict_proba(X).max() < plain.predict_proba(X).max()


# ---- edges ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_separable_data_have_finite_solutions(l1_ratio):
    X, y = np.array([[-2.0], [-1.0], [1.0], [2.0]]), [0, 0, 1, 1]
    model = LogisticRegression(l1_ratio=l1_ratio, C=1e6).fit(X, y)
    assert np.isfinite(model.coef_).all()
    assert model.dual_gap_ <= 1e-4 * np.log(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        unpenalised = LogisticRegression(C=np.inf).fit(X, y)
    np.testing.assert_array_equal(unpenalised.predict(X), y)
    assert np.isfinite(unpenalised.coef_).all()


def test_rare_events_and_all_zero_columns():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 2, 100_000), np.zeros(100_000)])
    y = np.zeros(100_000, dtype=int)
    y[np.flatnonzero(X[:, 0])[0]] = 1
    model = LogisticRegression().fit(sp.csr_array(X), y)
    assert model.coef_[0, 1] == 0.0
    assert model.predict_proba(X)[:, 1].mean() == pytest.approx(1e-5, rel=1e-7)
    assert model.dual_gap_ < 1e-12


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_predictors_of_ten_thousand_are_finite(l1_ratio):
    X, y = data()
    o = np.where(np.arange(len(y)) % 7 == 0, 1e4, np.where(np.arange(len(y)) % 5 == 0, -1e4, 0.0))
    y = np.where(o > 0, "bee", np.where(o < 0, "ant", y))
    model = LogisticRegression(l1_ratio=l1_ratio).fit(X, y, offset=o)
    without = LogisticRegression(l1_ratio=l1_ratio).fit(X[o == 0], y[o == 0])
    np.testing.assert_allclose(model.coef_, without.coef_, atol=1e-6)
    log_p = model.predict_log_proba(X, offset=o)
    assert log_p.min() < -9_000
    assert np.isfinite(log_p).all()


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_single_precision_and_wide_indices(l1_ratio):
    X, y = data()
    double = LogisticRegression(l1_ratio=l1_ratio).fit(X, y)
    single = LogisticRegression(l1_ratio=l1_ratio).fit(sp.csr_array(X.astype(np.float32)), y)
    assert single.coef_.dtype == single.predict_proba(X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(single.coef_, double.coef_, rtol=1e-4, atol=1e-5)
    wide = sp.csr_array(X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    np.testing.assert_allclose(LogisticRegression(l1_ratio=l1_ratio).fit(wide, y).coef_, double.coef_, atol=1e-9)


@pytest.mark.parametrize("model", [LogisticRegression(), LogisticRegression(l1_ratio=1.0)], ids=str)
def test_memory_follows_the_entries_and_not_the_width(model):
    X, y = data()
    narrow = sp.csr_array(X)
    places = np.sort(np.random.default_rng(0).choice(10**8, X.shape[1], replace=False))
    wide = sp.csr_array((narrow.data, places[narrow.indices], narrow.indptr), shape=(len(y), 10**8))
    tracemalloc.start()
    fitted = clone(model).fit(wide, y)
    proba = fitted.predict_proba(wide)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2e7
    np.testing.assert_allclose(proba, clone(model).fit(X, y).predict_proba(X), atol=1e-9)
    assert fitted.sparse_coef_.shape == (1, 10**8)
    assert set(fitted.sparse_coef_.indices) <= set(places)


def test_coefficients_sparse_and_dense_and_pickled():
    X, y = data()
    model = LogisticRegression(l1_ratio=1.0, C=0.1).fit(X, y)
    dense, p = model.coef_.copy(), model.predict_proba(X)
    assert sp.issparse(model.sparsify().coef_)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).coef_.toarray(), dense)
    np.testing.assert_allclose(model.predict_proba(X), p)
    np.testing.assert_array_equal(model.densify().coef_, dense)
    model.coef_[0, 0] += 1.0
    assert model.decision_function(X[:1])[0] == pytest.approx(np.log(p[0, 1] / p[0, 0]) + X[0, 0])
    model.coef_ = sp.csr_matrix(dense)
    assert sp.issparse(model.coef_)


def test_a_warm_start_at_the_solution_takes_no_step():
    X, y = data(classes=3)
    model = LogisticRegression(warm_start=True).fit(X, y)
    first = model.coef_.copy()
    assert model.n_iter_[0] > 0
    assert model.fit(X, y).n_iter_[0] == 0
    np.testing.assert_allclose(model.coef_, first, rtol=1e-9)
    with pytest.raises(ValueError, match="warm_start"):
        model.fit(X[:, :3], y)


def test_a_warm_start_of_one_against_the_rest():
    X, y = data(classes=3)
    model = SquaredHingeClassifier(warm_start=True).fit(X, y)
    first = model.coef_.copy()
    assert model.fit(X, y).n_iter_ == 0
    np.testing.assert_allclose(model.coef_, first, rtol=1e-9)


def test_the_deprecated_penalty_means_what_it_did():
    X, y = data()
    for penalty, options, l1_ratio, C in (
        ("l1", {}, 1.0, 1.0), ("l2", {}, 0.0, 1.0), (None, {}, 0.0, np.inf), ("elasticnet", {"l1_ratio": 0.3}, 0.3, 1.0)
    ):  # fmt: skip
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            old = LogisticRegression(penalty=penalty, **options).fit(X, y)
        assert any(issubclass(w.category, FutureWarning) for w in caught)
        np.testing.assert_array_equal(old.coef_, LogisticRegression(l1_ratio=l1_ratio, C=C).fit(X, y).coef_)


@pytest.mark.parametrize(
    ("options", "y", "message"),
    [
        ({}, [1, 1, 1], "one class"),
        ({}, [[0.5, 0.6], [1, 0], [0, 1]], "row 0 sums to 1.1"),
        ({"C": 0.0}, [0, 1, 1], "C=0"),
        ({"l1_ratio": 2}, [0, 1, 1], "l1_ratio=2"),
        ({"solver": "newton"}, [0, 1, 1], "solver='newton'"),
        ({"label_smoothing": -1}, [0, 1, 1], "label_smoothing=-1"),
        ({"confidence_penalty": np.nan}, [0, 1, 1], "confidence_penalty=nan: expected a finite number at least 0[.]"),
        ({"penalty": "l3"}, [0, 1, 1], "penalty='l3'"),
        ({"positive": True}, [0, 1, 2], "Only binary classification is supported with positive=True"),
        ({"penalty_factor": [1.0, -1.0]}, [0, 1, 1], "penalty_factor"),
        ({"class_weight": "equal"}, [0, 1, 1], "class_weight"),
    ],
)
def test_what_cannot_be_fitted_is_refused(options, y, message):
    with pytest.raises(ValueError, match=message):
        LogisticRegression(**options).fit([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]], y)
