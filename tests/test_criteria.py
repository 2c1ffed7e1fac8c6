"""Information criteria against formulas worked out point by point, and stability selection against planted columns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse as sp
from test_dropin import data

from sparsereg import (
    ElasticNet,
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
