"""Information criteria against formulas worked out point by point, and stability selection against planted columns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
import scipy.special
import scipy.stats
from test_dropin import data

from sparsereg import (
    ElasticNet,
    cross_validate_path,
    degrees_of_freedom,
    information_criterion,
    regularization_path,
    ridge_path,
    stability_selection,
)
from sparsereg.losses import LOSSES


def expected(name, fit, n, d, k, p):
    d = d + 1
    value = fit + (math.log(n) if "bic" in name else 2.0) * d
    if name == "aicc":
        value += 2.0 * d * (d + 1) / (n - d - 1)
    return value + (2.0 * math.log(math.comb(p, k)) if name == "ebic" else 0.0)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("name", ["aic", "aicc", "bic", "ebic"])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_criteria_of_the_squared_loss(l1_ratio, name, container):
    X, y = data(n=80)
    X = np.hstack([X, X[:, :2]])  # dependent columns
    s = np.random.default_rng(0).uniform(0.5, 2.0, 80)
    path = regularization_path(container(X), y, l1_ratio=l1_ratio, alphas=6, sample_weight=s, tol=1e-9)
    found = information_criterion(path, container(X), criterion=name, sample_weight=s)
    for k, alpha in enumerate(path.alphas):
        model = ElasticNet(alpha=alpha, l1_ratio=l1_ratio).fit(X, y, sample_weight=s)
        degrees = degrees_of_freedom(model, X, s).total
        assert found.degrees[k] == pytest.approx(degrees, abs=1e-5)
        residual = np.average((y - path.predict(X, k)) ** 2, weights=s)
        value = expected(name, 80 * math.log(residual), 80, degrees, int(path.n_nonzero[k]), 14)
        assert found.values[k] == pytest.approx(value, rel=1e-5)
    assert found.k == np.argmin(found.values)


def test_criteria_of_counts_use_the_deviance():
    X, y = data(n=80)
    y = np.random.default_rng(0).poisson(np.exp(0.3 * (y - y.mean()))) * 1.0
    path = regularization_path(X, y, loss="poisson", alphas=5, tol=1e-9)
    found = information_criterion(path, X, criterion="bic")
    loss = LOSSES["poisson"]
    for k in range(5):
        unit = loss.value(y, path.predict(X, k)) + loss.conjugate(y, np.zeros(80))
        assert found.values[k] == pytest.approx(
            expected("bic", 2.0 * unit.sum(), 80, int(path.n_nonzero[k]), 0, 12), rel=1e-6
        )


def counts_of(loss: str, X: np.ndarray) -> np.ndarray:
    rng, z = np.random.default_rng(1), 0.6 * X[:, 0] - 0.4 * X[:, 1]
    mean = np.exp(z)
    draw = {
        "logistic": lambda: (rng.random(z.size) < scipy.special.expit(z)) * 1.0,
        "poisson": lambda: rng.poisson(mean) * 1.0,
        "gamma": lambda: mean * rng.gamma(3.0, size=z.size),
        "tweedie": lambda: mean * rng.poisson(1.0, size=z.size) * rng.gamma(2.0, size=z.size),
    }
    return draw[loss]()


@pytest.mark.parametrize("name", ["aic", "aicc", "bic", "ebic"])
@pytest.mark.parametrize("loss", ["logistic", "poisson", "gamma"])
def test_without_a_penalty_they_are_those_of_the_likelihood(loss, name):
    """Differences between points, as what depends on y only is left out: -2 log-likelihood, by scipy's densities."""
    X = data(n=90)[0]
    y = counts_of(loss, X)
    path = regularization_path(X, y, loss=loss, alphas=[0.2, 0.05, 1e-9], tol=1e-10)

    def minus_two_log_likelihood(k):
        mean = path.means(path.predict(X, k))
        if loss == "logistic":
            return -2.0 * scipy.stats.bernoulli.logpmf(y, mean).sum()
        if loss == "poisson":
            return -2.0 * scipy.stats.poisson.logpmf(y, mean).sum()

        def at_shape(log_shape):
            shape = np.exp(log_shape)
            return -2.0 * scipy.stats.gamma.logpdf(y, shape, scale=mean / shape).sum()

        return scipy.optimize.minimize_scalar(
            at_shape, bounds=(-5.0, 10.0), method="bounded", options={"xatol": 1e-10}
        ).fun

    found = information_criterion(path, X, criterion=name)
    own = [
        expected(name, minus_two_log_likelihood(k), 90, int(path.n_nonzero[k]), int(path.n_nonzero[k]), 12)
        for k in range(3)
    ]
    assert path.n_nonzero[2] == 12
    np.testing.assert_allclose(np.diff(found.values), np.diff(own), rtol=1e-7)


@pytest.mark.parametrize("loss", ["logistic", "poisson", "gamma", ("tweedie", 1.5)])
def test_the_trace_of_an_elastic_net_is_at_the_curvature_of_its_points(loss):
    X = data(n=90)[0]
    y = counts_of(loss if isinstance(loss, str) else loss[0], X)
    rng = np.random.default_rng(2)
    s, offset, v = rng.uniform(0.5, 2.0, 90), 0.3 * rng.normal(size=90), rng.uniform(0.5, 2.0, 12)
    arguments = {"loss": loss, "l1_ratio": 0.5, "sample_weight": s, "offset": offset, "tol": 1e-9}
    path = regularization_path(X, y, alphas=4, penalty_factor=v, standardize=True, **arguments)
    known = {"sample_weight": s, "offset": offset, "dispersion": 1.7}
    found = information_criterion(path, sp.csr_array(X), criterion="aic", **known)
    sigma2 = np.average((X - np.average(X, axis=0, weights=s)) ** 2, axis=0, weights=s)
    for k, alpha in enumerate(path.alphas):
        columns, mean = path.point(k)[0], path.means(path.predict(X, k) + offset)
        h = s * {"logistic": mean * (1.0 - mean), "poisson": mean, "gamma": np.ones(90)}.get(loss, np.sqrt(mean))
        A = X[:, columns] - np.average(X[:, columns], axis=0, weights=h)
        H = A.T @ (h[:, None] * A)
        hat = np.linalg.solve(H + np.diag(0.5 * alpha * s.sum() * v[columns] * sigma2[columns]), H)
        assert found.degrees[k] == pytest.approx(np.trace(hat), rel=1e-6, abs=1e-12)
        deviance = 2.0 * path.gap_scale * (1.0 - path.deviance_explained[k])
        assert found.values[k] == pytest.approx(90 * deviance / 1.7 + 2.0 * (np.trace(hat) + 1.0), rel=1e-6)
    with pytest.raises(ValueError, match="pass it as offset"):
        information_criterion(path, X, sample_weight=s, dispersion=1.0)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.6])
def test_several_classes_by_their_dense_hessian(l1_ratio, fit_intercept):
    X = np.hstack([data(n=90)[0], data(n=90)[0][:, :1]])  # a copy of a column
    rng, K = np.random.default_rng(3), 3
    y = rng.integers(0, K, 90) + 0
    y[X[:, 0] > 0.5] = 0
    s, offset = rng.uniform(0.5, 2.0, 90), 0.2 * rng.normal(size=(90, K))
    arguments = {"loss": "multinomial", "l1_ratio": l1_ratio, "fit_intercept": fit_intercept, "tol": 1e-9}
    path = regularization_path(X, y, alphas=5, eps=1e-3, sample_weight=s, offset=offset, **arguments)
    found = information_criterion(path, X, criterion="aicc", sample_weight=s, offset=offset)
    for k, alpha in enumerate(path.alphas):
        W = path.coef(k).toarray()
        p = path.means(path.predict(X, k) + offset)
        curvature = np.array([np.diag(row) - np.outer(row, row) for row in p])  # (n, K, K)
        one = np.ones((90, 1)) if fit_intercept else np.zeros((90, 0))
        # Coordinates in the order of the classes; the intercepts of all of them come last.
        blocks = np.hstack(
            [np.kron(np.eye(K)[c], X[:, [j]]).reshape(90, 1, K) for c, j in np.argwhere(W)] or [np.zeros((90, 0, K))]
        )
        last = np.hstack([np.kron(np.eye(K)[c], one).reshape(90, -1, K) for c in range(K)])
        J = np.concatenate([blocks, last], axis=1)
        H, m = np.einsum("i,iak,ikl,ibl->ab", s, J, curvature, J), blocks.shape[1]
        H = H[:m, :m] - H[:m, m:] @ np.linalg.pinv(H[m:, m:]) @ H[m:, :m]
        l2 = alpha * (1.0 - l1_ratio) * s.sum()
        degrees = np.trace(np.linalg.solve(H + l2 * np.eye(m), H)) if l2 else np.linalg.matrix_rank(H, tol=1e-8)
        assert found.degrees[k] == pytest.approx(degrees, abs=1e-6)
        total = -2.0 * np.average(np.log(p[np.arange(90), y]), weights=s) * 90
        d = degrees + (K - 1) * fit_intercept
        assert found.values[k] == pytest.approx(total + 2.0 * d + 2.0 * d * (d + 1) / (90 - d - 1), rel=1e-6)
    assert l1_ratio < 1.0 or found.degrees[-1] < path.n_nonzero[-1]


def test_degrees_of_an_elastic_net_know_penalty_factors_and_scales():
    X, y = data(n=80)
    v = np.random.default_rng(0).uniform(0.0, 3.0, 12)
    v[3] = 0.0
    arguments = {"l1_ratio": 0.5, "penalty_factor": v, "standardize": True, "fit_intercept": False}
    path = regularization_path(X, y, alphas=6, tol=1e-10, **arguments)
    found = information_criterion(path, X)
    for k, alpha in enumerate(path.alphas):
        model = ElasticNet(alpha=alpha, **arguments, tol=1e-10).fit(X, y)
        assert found.degrees[k] == pytest.approx(degrees_of_freedom(model, X).total, abs=1e-5)
        n, residual = int(path.n_nonzero[k]), np.mean((y - path.predict(X, k)) ** 2)
        assert found.values[k] == pytest.approx(80 * math.log(residual) + math.log(80) * found.degrees[k], rel=1e-6), n


@pytest.mark.parametrize(
    ("loss", "match"),
    [("huber", "loss='huber:1.35' is not the likelihood"), ("squared_hinge", "loss='squared_hinge' is not"),
     (("tweedie", 1.5), "dispersion=None")],
)  # fmt: skip
def test_losses_without_a_likelihood_are_refused_by_name(loss, match):
    X, y = data()
    y = np.sign(y - np.median(y)) if loss == "squared_hinge" else np.abs(y)
    path = regularization_path(X, y, loss=loss, alphas=3)
    with pytest.raises(ValueError, match=match):
        information_criterion(path, X)


def test_aicc_is_infinite_where_columns_outnumber_rows():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 40)), rng.normal(size=12)
    path = regularization_path(X, y, alphas=20, eps=1e-3)
    found = information_criterion(path, X, criterion="aicc")
    assert np.isinf(found.values[found.degrees >= 10]).all()
    assert (found.degrees >= 10).any()
    assert np.isfinite(found.values[found.k])


def test_criteria_refuse_what_they_do_not_cover():
    X, y = data()
    path = regularization_path(X, y, alphas=3)
    with pytest.raises(ValueError, match="criterion='dic'"):
        information_criterion(path, X, criterion="dic")
    with pytest.raises(ValueError, match="X has 11 columns"):
        information_criterion(path, X[:, :11])
    with pytest.raises(ValueError, match=r"dispersion=0\.0"):
        information_criterion(path, X, dispersion=0.0)
    with pytest.raises(ValueError, match="several targets"):
        information_criterion(regularization_path(X, np.column_stack([y, y]), alphas=3), X)
    with pytest.raises(ValueError, match="ridge"):
        information_criterion(ridge_path(X, y, alphas=[1.0]), X)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, sp.csc_array])
@pytest.mark.parametrize("weighted", [False, True])
def test_stability_finds_planted_columns(container, weighted):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 60)) * (rng.random((200, 60)) < 0.5)
    y = 2.0 * X[:, 3] - 2.0 * X[:, 17] + rng.normal(size=200)
    s = rng.uniform(0.5, 2.0, 200) if weighted else None
    found = stability_selection(container(X), y, n_columns=6, n_pairs=10, sample_weight=s)
    assert sorted(found.selected) == [3, 17]
    assert found.frequencies.shape == (60, 1)
    assert found.frequencies[[3, 17]].toarray().min() >= 0.95
    assert found.n_columns <= 6
    assert found.expected_false == pytest.approx(found.n_columns**2 / (0.5 * 60))
    assert found.frequencies.sum() == pytest.approx(found.n_columns)


def test_stability_counts_halves_of_no_rows_in_common():
    """With one pair, the frequencies are those of two paths, each on rows that the other does not have."""
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(40, 12)), rng.normal(size=40)
    found = stability_selection(sp.csr_array(X), y, n_columns=3, n_pairs=1, random_state=5)
    order = np.random.default_rng(5).permutation(40)
    sets = []
    for rows in (np.sort(order[:20]), np.sort(order[20:])):
        path = regularization_path(X[rows], y[rows], alphas=50)
        last = np.flatnonzero(path.n_nonzero > 3)
        sets.append(path.point((last[0] if last.size else 50) - 1)[0])
    counts = np.bincount(np.concatenate(sets), minlength=12) / 2.0
    np.testing.assert_array_equal(found.frequencies.toarray()[:, 0], counts)


def test_stability_threads_and_errors():
    X, y = data()
    one, two = (stability_selection(X, y, n_pairs=3, n_columns=4, n_jobs=n) for n in (1, 2))
    np.testing.assert_array_equal(one.frequencies.toarray(), two.frequencies.toarray())
    for arguments in ({"threshold": 0.5}, {"n_pairs": 0}, {"n_columns": 0}, {"l1_ratio": 0.0}, {"random_state": -1}):
        with pytest.raises(ValueError, match=next(iter(arguments))):
            stability_selection(X, y, **arguments)
    with pytest.raises(ValueError, match="3 rows"):
        stability_selection(X[:3], y[:3])


def test_fits_without_error_and_nearly_so():
    """A likelihood has no bound there; just above, the shape of gamma is one over the deviance."""
    X = data()[0]
    for loss in ("squared", "gamma"):
        path = regularization_path(X, np.full(X.shape[0], 2.0), loss=loss, alphas=[0.1, 0.01])
        assert (information_criterion(path, X).values == -np.inf).all()
    deviance = np.array([1e-300, 1e-12, 0.99e-8, 1.01e-8])
    expected = np.log(2.0 * np.pi * deviance) + 1.0
    np.testing.assert_allclose(LOSSES["gamma"].fit_term(deviance, None), expected, atol=1e-5)


def test_what_is_no_path_is_refused_by_its_kind():
    X, y = data()
    with pytest.raises(ValueError, match="path is a CrossValidation; expected a PathResult"):
        information_criterion(cross_validate_path(X, y, alphas=3, cv=2), X)
    with pytest.raises(ValueError, match="dispersion=inf"):
        information_criterion(regularization_path(X, y, alphas=3), X, dispersion=np.inf)
