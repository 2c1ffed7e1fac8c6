"""The multinomial lasso, elastic net and ridge: against proximal gradient in plain NumPy, and where others fail."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from time import process_time

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from seeds import seeds
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning

from sparsereg import LogisticRegression, cross_validate_path, regularization_path
from sparsereg._core.kernels import Pairs, SoftmaxModel
from sparsereg.data.design import as_design
from sparsereg.losses.multinomial import MULTINOMIAL
from sparsereg.objective.multi_task import RowCoefficients
from sparsereg.objective.multinomial import make_multinomial_problem
from sparsereg.solvers.loop import Options
from sparsereg.solvers.multinomial import MultinomialSolver, _best_shift


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def objective(X, Y, s, O, W, b, l1, l2):
    """F in plain NumPy, for W of shape (p, K) and strengths per unit of weight."""
    loss = -(Y * log_softmax(X @ W + b + O, axis=1)).sum(axis=1)
    return np.average(loss, weights=s) + l1 @ np.abs(W).sum(axis=1) + 0.5 * l2 @ (W**2).sum(axis=1)


def improved(X, Y, s, O, W, b, l1, l2, fit_intercept, steps=400):
    """The least F that accelerated proximal gradient with restarts finds from (W, b), dense, with b as a column."""
    weights = (s / s.sum())[:, None]
    A = np.column_stack([X, np.full(len(X), float(fit_intercept))])
    l1, l2 = np.append(l1, 0.0)[:, None], np.append(l2, 0.0)[:, None]
    V = U = np.vstack([W, b])
    step, t = 1.0 / (0.5 * np.linalg.eigvalsh(A.T @ (weights * A))[-1] + l2.max() + 1e-300), 1.0
    for _ in range(steps):
        move = V - step * (A.T @ (weights * (softmax(A @ V + O, axis=1) - Y)) + l2 * V)
        new = np.sign(move) * np.maximum(np.abs(move) - step * l1, 0.0)
        if ((V - new) * (new - U)).sum() > 0.0 and t > 1.0:
            t, V = 1.0, U
            continue
        t, last = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t)), t
        V, U = new + (last - 1.0) / t * (new - U), new
    return objective(X, Y, s, O, U[:-1], U[-1] * fit_intercept, l1[:-1, 0], l2[:-1, 0])


def drawn(seed):
    """A random small problem: X of any storage and kind, labels or probabilities, weights, offsets, factors."""
    rng = np.random.default_rng(seed)
    n, p, K = rng.integers(10, 40), rng.integers(2, 15), rng.integers(2, 6)
    X = rng.normal(size=(n, p)) * 10.0 ** rng.uniform(-1, 1, size=p)
    if rng.random() < 0.6:
        X *= rng.random((n, p)) < 0.4
    if rng.random() < 0.3:
        X = (X != 0).astype(float)
    if rng.random() < 0.2:
        X[:, 0] = X[:, -1]
    if rng.random() < 0.2:
        X += 3.0
    X = X.astype(np.float32 if rng.random() < 0.3 else np.float64)
    Z = X[:, :2] @ rng.normal(size=(2, K)) + 2.0 * rng.normal(size=K)
    labels = (Z + rng.gumbel(size=Z.shape)).argmax(axis=1)
    labels[:K] = np.arange(K)
    Y = np.eye(K)[labels] if rng.random() < 0.6 else rng.dirichlet(np.full(K, 0.5), size=n)
    s = rng.uniform(0.1, 2.0, size=n) if rng.random() < 0.5 else np.ones(n)
    O = rng.normal(size=(n, K)) if rng.random() < 0.4 else np.zeros((n, K))
    factor = rng.uniform(0.5, 2.0, size=p)
    store = [np.asarray, np.asfortranarray, sp.csr_array, sp.csc_array][rng.integers(4)]
    return X, store(X), Y, s, O, factor, bool(rng.random() < 0.7), rng.choice([1.0, 0.9, 0.5, 0.01])


# Columns without a penalty that tell classes apart in most rows, whose coefficients have no best value.
SEPARATED = [47, 92, 96, 97, 101, 119]


@pytest.mark.parametrize("unpenalized", [False, True])
@pytest.mark.parametrize("seed", [*seeds(40), *SEPARATED])
def test_against_proximal_gradient(seed, unpenalized):
    """The claimed gap is small and bounds what the oracle still gains, from the solution and from 0."""
    X, stored, Y, s, O, factor, fit_intercept, l1_ratio = drawn(seed)
    if unpenalized:
        factor *= np.random.default_rng(seed + 1000).random(factor.size) < 0.75
        factor[0] = 0.0
    options = {"penalty_factor": factor, "fit_intercept": fit_intercept, "l1_ratio": l1_ratio, "offset": O}
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        path = regularization_path(stored, Y, loss="multinomial", sample_weight=s, alphas=3, tol=1e-8, **options)
    X = X.astype(np.float64)
    assert path.certified.all()
    for k, alpha in enumerate(path.alphas):
        l1, l2 = alpha * l1_ratio * factor, alpha * (1.0 - l1_ratio) * factor
        W, b = path.coef(k).toarray().T, path.intercepts[k]
        found = objective(X, Y, s, O, W, b, l1, l2)
        rounding = 1e-14 * (1.0 + found) + 4e-16 * abs(X @ W + b).max()
        for start, at in ((W, b), (np.zeros_like(W), np.zeros_like(b))):
            best = improved(X, Y, s, O, start, at, l1, l2, fit_intercept)
            assert found - best <= path.dual_gaps[k] + rounding
    free = factor == 0.0
    assert abs(path.coef(0)).toarray()[:, ~free].max(initial=0.0) <= 1e-12 * (1.0 + abs(path.coef(0)).max())
    np.testing.assert_allclose(
        path.coef(2).toarray()[:, free].sum(axis=0), 0.0, atol=1e-9 * (1.0 + abs(path.coef(2)).max())
    )
    assert fit_intercept or not path.intercepts.any()


def test_unpenalized_columns_that_are_constant_dependent_or_many(rng):
    """A constant column without an intercept under `standardize`, a block of indicators beside an intercept, and ridge;
    the estimator agrees."""
    X, y = rng.normal(size=(60, 4)), rng.integers(0, 3, size=60)
    constant = np.column_stack([X, np.full(60, -2.0)])
    for tol in (1e-4, 1e-9):
        path = regularization_path(constant, y, loss="multinomial", standardize=True, fit_intercept=False, tol=tol)
        assert path.certified.all()
        own = regularization_path(X, y, loss="multinomial", standardize=True, alphas=path.alphas, tol=tol)
        np.testing.assert_allclose(path.predict(constant), own.predict(X), atol=30.0 * tol**0.5)
    blocks = sp.csr_array(np.hstack([np.eye(4)[rng.integers(0, 4, 60)], np.eye(5)[rng.integers(0, 5, 60)], X]))
    factor = np.r_[np.zeros(9), np.ones(4)]
    for l1_ratio in (1.0, 0.3, 0.0):
        options = {"l1_ratio": l1_ratio, "alphas": [0.05, 0.01], "penalty_factor": factor, "tol": 1e-9}
        path = regularization_path(blocks, y, loss="multinomial", **options)
        assert path.certified.all()
        model = LogisticRegression(C=1.0 / (60 * 0.01), l1_ratio=l1_ratio, penalty_factor=factor, tol=1e-9)
        model.fit(blocks, y)
        np.testing.assert_allclose(model.predict_proba(blocks), path.means(path.predict(blocks)), atol=1e-4)
        assert l1_ratio == 0.0 or model.dual_gap_ <= 1e-9 * path.gap_scale


def test_unpenalized_columns_in_folds(rng):
    X, y = rng.normal(size=(90, 5)), np.arange(90) % 3
    factor = [0.0, 1.0, 1.0, 1.0, 0.0]
    options = {"loss": "multinomial", "penalty_factor": factor, "cv": 3, "alphas": 5, "keep_fold_paths": True}
    validation = cross_validate_path(X, y, **options)
    assert all(path.certified.all() for path in (validation.path, *validation.chosen.fold_paths))
    assert set(validation.path.point(0)[0]) == {0, 4}


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_ridge_is_scikit_learns(rng, fit_intercept):
    """Coefficients of each column sum to 0 over the classes."""
    X, y = rng.normal(size=(80, 6)), rng.integers(0, 3, size=80)
    path = regularization_path(X, y, loss="multinomial", l1_ratio=0.0, alphas=[0.1], fit_intercept=fit_intercept)
    theirs = sklearn.linear_model.LogisticRegression(
        C=1.0 / (80 * 0.1), solver="newton-cg", tol=1e-10, fit_intercept=fit_intercept
    ).fit(X, y)
    np.testing.assert_allclose(path.coef(0).toarray(), theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(path.coef(0).sum(axis=0), 0.0, atol=1e-12)
    if fit_intercept:
        np.testing.assert_allclose(path.intercepts[0], theirs.intercept_ - theirs.intercept_.mean(), atol=1e-6)
    with pytest.raises(ValueError, match="not supported for l1_ratio=0"):
        regularization_path(X, y, loss="multinomial", l1_ratio=0.0)


def test_two_classes_are_logistic_at_twice_the_coefficients(rng):
    """By symmetry w_1 = -w_0 for the elastic net; the logistic penalty of 2 w is then the same at half the strength."""
    X, y = rng.normal(size=(100, 8)), rng.integers(0, 2, size=100)
    both = regularization_path(X, y, loss="multinomial", l1_ratio=0.5, alphas=[0.02], tol=1e-10)
    W = both.coef(0).toarray()
    np.testing.assert_allclose(W[0], -W[1], atol=1e-6)

    def f(w):
        z = np.where(y == 1, 1.0, -1.0) * (X @ w[:-1] + w[-1])
        return np.logaddexp(0.0, -z).mean() + 0.02 * (0.5 * np.abs(w[:-1]).sum() + 0.125 * (w[:-1] ** 2).sum())

    assert (
        f(np.append(2.0 * W[1], both.intercepts[0, 1] - both.intercepts[0, 0]))
        <= f(minimize(f, np.zeros(9), method="Powell", options={"xtol": 1e-9, "ftol": 1e-14}).x) + 1e-9
    )


SIMPLE = {
    "separable": (np.repeat(np.eye(3), 10, axis=0), np.repeat(np.arange(3), 10)),
    "separable in one column": (np.arange(30.0)[:, None], np.repeat(np.arange(3), 10)),
    "symmetric classes": (np.tile([[1.0], [-1.0]], (12, 1)), np.tile(np.arange(4), 6)),
    "one column for all classes": (np.repeat([[0.0], [1.0]], 12, axis=0), np.tile(np.arange(3), 8)),
    "duplicated columns": (np.tile(np.random.default_rng(0).normal(size=(30, 2)), 2), np.arange(30) % 3),
    "rare class": (
        np.random.default_rng(0).normal(size=(200, 3)),
        np.where(np.arange(200) == 7, 2, np.arange(200) % 2),
    ),
    "large predictors": (1e3 * np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 3),
}


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("case", SIMPLE)
def test_simple_cases_where_others_do_not_converge(case, l1_ratio):
    """The Hessian is singular across the classes, and nearly so within them where data are separable."""
    X, y = SIMPLE[case]
    path = regularization_path(X, y, loss="multinomial", l1_ratio=l1_ratio, alphas=8, eps=1e-3, tol=1e-6)
    assert path.certified.all()
    assert np.isfinite(path.intercepts).all()
    slope = np.sign(path.coef(7).toarray())
    if l1_ratio == 1.0:  # no shift of a column's coefficients lowers the penalty
        assert (np.abs(slope.sum(axis=0)) <= (slope == 0.0).sum(axis=0)).all()


@pytest.mark.parametrize("seed", [0, 2])
def test_strengths_far_apart_where_classes_can_be_told_apart(seed):
    """Models at the predictors of a far stronger penalty are of no use: 10,000 epochs ended at a gap of a tenth. And
    where a fit misses, as by default here, it takes a second or so."""
    X, y = make_classification(100, n_classes=3, n_informative=3, random_state=seed)
    path = regularization_path(X, y, loss="multinomial", alphas=[1e-2, 1e-6], max_iter=10_000)
    assert path.certified.all()
    begin = process_time()
    with pytest.warns(ConvergenceWarning):
        model = LogisticRegression(C=1e4, l1_ratio=1.0).fit(X, y)
    assert process_time() - begin < 10.0
    assert model.n_iter_ == 100
    assert 1e-4 * path.gap_scale < model.dual_gap_ < path.gap_scale


def test_labels_and_classes(rng):
    X, y = rng.normal(size=(60, 4)), np.array(["b", "a", "c"])[np.arange(60) % 3]
    path = regularization_path(X, y, loss="multinomial", alphas=4)
    assert path.classes.tolist() == ["a", "b", "c"]
    assert (path.loss, path.link, len(path.coefs), path.intercepts.shape) == ("multinomial", "softmax", 3, (4, 3))
    assert path.predict(X, 2).shape == (60, 3)
    same = regularization_path(X, np.eye(3)[np.searchsorted(path.classes, y)], loss="multinomial", alphas=4)
    np.testing.assert_array_equal(path.coef(3).toarray(), same.coef(3).toarray())
    assert same.classes.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(20), "one class only"),
        (np.full((20, 2), 0.6), "sum to 1"),
        (np.ones((20, 1)), "one class only"),
        (np.column_stack([np.full(20, -0.5), np.full(20, 1.5)]), "none below 0"),
        (np.column_stack([np.ones(20), np.zeros(20)]), "Class .*1.* has no weight"),
        (np.where(np.arange(20) == 3, np.nan, 1.0), "nan at position 3"),
        (np.arange(19) % 2, "expected \\(20,\\) labels"),
    ],
)
def test_refusals(rng, y, message):
    with pytest.raises(ValueError, match=message):
        regularization_path(rng.normal(size=(20, 3)), y, loss="multinomial")


def test_options_that_do_not_apply(rng):
    X, y = rng.normal(size=(20, 3)), np.arange(20) % 3
    with pytest.raises(ValueError, match="positive=True"):
        regularization_path(X, y, loss="multinomial", positive=True)
    wide = sp.random_array((20, 700), density=0.2, rng=0, format="csr")
    with pytest.raises(ValueError, match=r"penalty_factor holds 0 .*for 693 columns; of 3 classes .* can certify 666"):
        regularization_path(wide, y, loss="multinomial", penalty_factor=np.zeros(700))
    with pytest.raises(ValueError, match="alpha=0 with loss='multinomial'"):
        regularization_path(X, y, loss="multinomial", alphas=[0.1, 0.0])
    with pytest.raises(ValueError, match="offset has shape"):
        regularization_path(X, y, loss="multinomial", offset=np.zeros(20))


def test_weights_repeat_rows_and_storages_agree(rng):
    X, y, s = (rng.normal(size=(50, 5)) * (rng.random((50, 5)) < 0.5)), np.arange(50) % 3, rng.integers(0, 3, size=50)
    options = {"loss": "multinomial", "alphas": [0.02], "tol": 1e-11, "standardize": True}
    one = regularization_path(sp.csr_array(X), y, sample_weight=s, **options)
    two = regularization_path(np.repeat(X, s, axis=0), np.repeat(y, s), **options)
    np.testing.assert_allclose(one.coef(0).toarray(), two.coef(0).toarray(), atol=1e-6)
    np.testing.assert_allclose(one.intercepts, two.intercepts, atol=1e-6)


def test_columns_far_from_zero(rng):
    """Means of 1 and of 10^6 deviations, dense and sparse: the same coefficients, and intercepts that fit them."""
    X, y = rng.normal(size=(60, 3)), np.arange(60) % 3
    options = {"loss": "multinomial", "alphas": [0.01], "tol": 1e-10}
    expected = regularization_path(X, y, **options)
    for far in (1.0, 1e6):
        for store in (np.asarray, sp.csr_array, sp.csc_array):
            path = regularization_path(store(X + far), y, **options)
            np.testing.assert_allclose(path.coef(0).toarray(), expected.coef(0).toarray(), atol=1e-6)
            predicted = softmax(path.predict(X + far), axis=1)
            np.testing.assert_allclose(predicted, softmax(expected.predict(X), axis=1), atol=1e-5)


def test_hypersparse_and_int64():
    rng = np.random.default_rng(0)
    columns = np.sort(rng.choice(10**8, 200, replace=False))
    y = rng.integers(0, 3, size=1500)
    indices = columns[(3 * rng.integers(0, 66, size=1500) + y * (rng.random(1500) < 0.7)) % 200]
    X = sp.csr_array((np.ones(1500), indices, np.arange(1501)), shape=(1500, 10**8))
    path = regularization_path(X, y, loss="multinomial", alphas=6)
    assert path.certified.all()
    assert 0 < path.n_nonzero[-1] <= 600
    assert path.predict(X).shape == (1500, 3)


def test_warm_start(rng):
    X, y = rng.normal(size=(60, 5)), np.arange(60) % 3
    problem = make_multinomial_problem(as_design(X), np.eye(3)[y])
    first = MultinomialSolver(problem, 1.0, Options(tol=1e-8))
    found = first.solve(0.02)
    again = MultinomialSolver(problem, 1.0, Options(tol=1e-8))
    again.start_from(first.coef, first.b)
    assert found.epochs > 0
    assert again.solve(0.02).epochs == 0


def test_gap_is_recomputed_without_the_solver(rng):
    """At coefficients that the solver never saw, and with intercepts stopped early."""
    X, Y = rng.normal(size=(40, 4)), rng.dirichlet(np.ones(3), size=40)
    problem = make_multinomial_problem(as_design(X), Y)
    solver = MultinomialSolver(problem, 0.7, Options(tol=1e-10))
    alpha = 0.1 * solver.alpha_max()
    solver.solve(alpha)
    best, least = solver.coef.on(np.arange(4)), problem.objective(solver.coef, alpha, 0.7)
    for scale in (0.0, 1e-3, 1.0):
        at = RowCoefficients(np.arange(4), best + scale * rng.normal(size=best.shape))
        assert problem.duality_gap(at, alpha, 0.7) >= problem.objective(at, alpha, 0.7) - least - 1e-14


def test_divergence_keeps_its_digits(rng):
    """For changes down to 1e-12 of p, against extended precision."""
    p = rng.dirichlet(np.ones(4), size=6).T
    for size in (1e-12, 1e-6, 1e-2, 1.0):
        change = size * (rng.dirichlet(np.ones(4), size=6).T - p)
        x = change.astype(np.longdouble) / p
        expected = (p * ((1 + x) * np.log1p(x) - x)).sum()
        assert MULTINOMIAL.divergence(change, p, np.log(p), None) == pytest.approx(
            float(expected), rel=2e-3 * size + 1e-9
        )
    assert MULTINOMIAL.divergence(-p * [[1], [0], [0], [0]], p, np.log(p), None) >= 0.0
    log_p = MULTINOMIAL.log_probabilities(np.array([[1e4], [-1e4], [0.0]]))
    assert np.isfinite(log_p).all()
    assert np.isfinite(MULTINOMIAL.divergence(np.array([[-0.5], [0.5], [0.0]]), np.exp(log_p), log_p, None))


@pytest.mark.parametrize("l2", [0.0, 0.5, 3.0])
def test_best_shift(rng, l2):
    for _ in range(50):
        w = np.round(rng.normal(size=rng.integers(2, 6)), 1)

        def f(t, w=w):
            return np.abs(w - t).sum() + 0.5 * l2 * ((w - t) ** 2).sum()

        t = _best_shift(w, 1.0, l2)
        assert f(t) <= min(f(t + step) for step in (-1e-2, -1e-4, 1e-4, 1e-2)) + 1e-12


@pytest.mark.parametrize("store", [np.asarray, sp.csr_array])
def test_kernel_epoch(rng, store):
    """One epoch against the exact minimum of each coordinate in NumPy; curvatures against the definition."""
    X = rng.normal(size=(20, 4)) if store is np.asarray else rng.normal(size=(20, 4)) * (rng.random((20, 4)) < 0.5)
    design = as_design(store(X))
    matrix, X = design.matrix, X[:, design.columns]
    p, s = softmax(rng.normal(size=(3, 20)), axis=0), rng.uniform(0.5, 2.0, size=20)
    cols, outputs = np.array([0, 2, 1, 3, 0]), np.array([0, 0, 1, 2, 2])
    shift = np.where(cols == 3, 0.3, 0.0) if store is np.asarray else np.zeros(5)
    c, l1, l2, w = 5.0 * rng.normal(size=5), np.full(5, 0.4), np.full(5, 0.2), rng.normal(size=5)
    d = np.zeros((3, 20))
    mean, model = np.zeros(20), None
    model = SoftmaxModel(p, p * s, d, mean)
    h = model.curvatures(matrix, Pairs(cols, outputs, shift, c, np.zeros(5), l1, l2, w))
    columns = [X[:, j] - m for j, m in zip(cols, shift, strict=True)]
    np.testing.assert_allclose(h, [np.sum(s * p[k] * (1 - p[k]) * x**2) for k, x in zip(outputs, columns, strict=True)])
    expected, change = w.copy(), np.zeros((3, 20))
    for a in (4, 0, 2, 1, 3):
        k, x = outputs[a], columns[a]
        g = c[a] - x @ (s * p[k] * (change[k] - (p * change).sum(axis=0))) + h[a] * expected[a]
        new = np.sign(g) * max(abs(g) - l1[a], 0.0) / (h[a] + l2[a])
        change[k] += (new - expected[a]) * x
        expected[a] = new
    model.cd(matrix, Pairs(cols, outputs, shift, c, h, l1, l2, w), np.array([4, 0, 2, 1, 3]))
    np.testing.assert_allclose(w, expected, atol=1e-12)
    np.testing.assert_allclose(d, change, atol=1e-12)
    np.testing.assert_allclose(mean, (p * change).sum(axis=0), atol=1e-12)


def test_news20():
    """20 classes, 572,791 columns: certified, with memory by active coefficients."""
    folder = os.environ.get("SPARSEREG_DATA")
    if not folder:
        pytest.skip("no real data here: set SPARSEREG_DATA")
    import gzip

    from sklearn.datasets import load_svmlight_file
    from sklearn.preprocessing import normalize

    with gzip.open(Path(folder) / "news20_bydate_train.svm.gz") as file, warnings.catch_warnings():
        warnings.simplefilter("error")
        X, y = load_svmlight_file(file)
        path = regularization_path(normalize(X), y.astype(int), loss="multinomial", alphas=4, eps=0.3)
    assert path.certified.all()
    assert 0 < path.n_nonzero[-1] < 1000
