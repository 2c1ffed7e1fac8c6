"""Degrees of freedom: against the hat matrix written out, and against how predictions move when the target does."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline

from sparsereg import (
    ElasticNet,
    FeatureCross,
    Lasso,
    Ridge,
    SparsityReport,
    Width,
    degrees_of_freedom,
    regularization_path,
)
from sparsereg.linear_model.degrees import variance_shares
from sparsereg.ridge import degrees_of_freedom as ridge_degrees


def data(seed: int = 0, n: int = 60, p: int = 20) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two equal columns, a constant one, one of zeros, units six decades apart."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 0.5
    X[rng.random(X.shape) < 0.5] = 0.0
    X[:, 4], X[:, 9], X[:, 13] = X[:, 5], 1.0, 0.0
    X[:, 7] *= 1e3
    X[:, 8] *= 1e-3
    return X, X @ rng.normal(size=p) + rng.normal(size=n), rng.uniform(0.1, 3.0, n)


def hat_shares(X: np.ndarray, s: np.ndarray, penalty: np.ndarray, fit_intercept: bool = True) -> np.ndarray:
    """The diagonal of H^+ Xc' S Xc as it is written, on columns of length 1."""
    Xc = X - np.average(X, axis=0, weights=s) if fit_intercept else X
    Xc = np.where(s @ Xc**2 > 1e-20 * (s @ X**2), Xc, 0.0)  # what is left of constant columns is rounding
    size = np.sqrt(s @ Xc**2 + penalty)
    size[size == 0] = 1.0
    square = (Xc / size).T @ (s[:, None] * Xc / size)
    return np.diag(np.linalg.pinv(square + np.diag(penalty / size**2), hermitian=True) @ square)


def divergence(model, X: np.ndarray, y: np.ndarray, s: np.ndarray) -> float:
    """The definition, `sum_i d(prediction_i) / d(y_i)` without the intercept's 1 (Efron 2004)."""
    h, moved = 1e-4, 0.0
    for i in range(y.size):
        ends = [model.fit(X, y + sign * h * (np.arange(y.size) == i), s).predict(X[[i]])[0] for sign in (1, -1)]
        moved += (ends[0] - ends[1]) / (2 * h)
    return moved - 1.0


@pytest.mark.parametrize("solver", ["gram", "dual", "svd", "cg"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("make", [np.asarray, sp.csr_array, sp.csc_array])
@pytest.mark.parametrize("shape", [(60, 20), (15, 30)])
def test_exact_is_the_hat_matrix(solver: str, fit_intercept: bool, make, shape: tuple[int, int]) -> None:
    X, y, s = data(0, *shape)
    v = np.random.default_rng(1).uniform(0.1, 5.0, X.shape[1])
    stops = [3, 3, 12, X.shape[1]]
    for alpha in (1e-4, 1.0, 1e4):
        model = Ridge(alpha, penalty_factor=v, solver=solver, fit_intercept=fit_intercept).fit(make(X), y, s)
        found = degrees_of_freedom(model, make(X), s, stops=stops)
        expected = hat_shares(X, s, alpha * v, fit_intercept)
        assert found.total == pytest.approx(expected.sum(), rel=1e-7)
        np.testing.assert_allclose(
            found.blocks, [part.sum() for part in np.split(expected, stops[:-1])], rtol=1e-6, atol=1e-9
        )
        assert found.error == found.n_probes == 0


def test_unpenalised_columns_use_one_each_and_duplicates_one_together() -> None:
    X, y, s = data(2)
    v = np.ones(20)
    v[[4, 5, 6, 9]] = 0.0
    model = Ridge(1e6, penalty_factor=v).fit(X, y, s)
    found = degrees_of_freedom(model, X, s, stops=[4, 6, 7, 9, 10, 20])
    np.testing.assert_allclose(found.blocks[1:3], [1.0, 1.0], atol=1e-6)
    assert found.blocks[4] == 0.0
    assert found.total == pytest.approx(hat_shares(X, s, 1e6 * v).sum(), rel=1e-6)
    probed = degrees_of_freedom(model, X, s, n_probes=100)
    assert abs(probed.total - found.total) < 4 * probed.error


@pytest.mark.parametrize("shape", [(60, 20), (15, 30)])
def test_least_squares_uses_the_rank(shape: tuple[int, int]) -> None:
    X, y, s = data(3, *shape)
    model = Ridge(0.0).fit(X, y, s)
    rank = np.linalg.matrix_rank((X - np.average(X, axis=0, weights=s)) / (np.abs(X).max(axis=0) + 1e-9))
    assert degrees_of_freedom(model, X, s).total == pytest.approx(rank, abs=1e-6)


@pytest.mark.parametrize("alpha", [0.01, 1.0, 1e3])
def test_estimates_are_within_their_error(alpha: float) -> None:
    """Over many draws, distances from the truth are as large as the standard errors say, no more and no less."""
    X, y, s = data(4)
    v = np.random.default_rng(5).uniform(0.1, 5.0, 20)
    v[[3, 16]] = 0.0
    model, stops = Ridge(alpha, penalty_factor=v).fit(X, y, s), [6, 14, 20]
    exact = degrees_of_freedom(model, X, s, stops=stops)
    draws = [degrees_of_freedom(model, X, s, stops=stops, n_probes=20, random_state=i) for i in range(40)]
    assert all(found.n_probes == 20 and found.error > 0 for found in draws)
    z = np.array([(d.total - exact.total) / d.error for d in draws])
    assert 0.7 < np.sqrt(np.mean(z**2)) < 1.4
    assert abs(z.mean()) < 4 / np.sqrt(40)
    z = np.array([(d.blocks - exact.blocks) / d.block_errors for d in draws])
    assert (np.sqrt(np.mean(z**2, axis=0)) < 1.4).all()
    for found in draws:
        assert found.total == pytest.approx(found.blocks.sum())


def test_large_fits_are_estimated() -> None:
    rng = np.random.default_rng(6)
    n, m = 2500, 2050
    X = sp.hstack(
        [sp.csr_array((np.ones(n), rng.permutation(n) % k, np.arange(n + 1)), shape=(n, k)) for k in (m, 9)]
    ).tocsr()
    model = Ridge(0.5).fit(X, rng.normal(size=n))
    assert model.method_ == "cg"
    found = degrees_of_freedom(model, X, stops=[m, m + 9])
    dense = X.toarray()
    square = dense.T @ dense - np.outer(dense.sum(axis=0), dense.sum(axis=0)) / n
    exact = np.diag(np.linalg.solve(square + 0.5 * np.eye(m + 9), square))
    assert found.n_probes == 20
    assert abs(found.total - exact.sum()) < 4 * found.error < 0.05 * exact.sum()
    assert (np.abs(found.blocks - [exact[:m].sum(), exact[m:].sum()]) < 4 * found.block_errors).all()


def test_dropout_and_scalar_weights() -> None:
    X, y, _ = data(7)
    model = Ridge(penalty_factor="dropout", dropout_rate=0.25).fit(X, y, 2.0)
    ones = np.full(y.size, 2.0)
    penalty = ones @ X**2 / 3.0
    penalty[13] = 1.0
    assert degrees_of_freedom(model, X, 2.0).total == pytest.approx(hat_shares(X, ones, penalty).sum())


def test_the_lasso_counts_its_coefficients() -> None:
    X, y, s = data(8)
    model = Lasso(0.05).fit(X, y, s)
    found = degrees_of_freedom(model, X, s, stops=[10, 20])
    assert found.total == np.count_nonzero(model.coef_)
    assert found.blocks.tolist() == [np.count_nonzero(model.coef_[:10]), np.count_nonzero(model.coef_[10:])]


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array, sp.csc_array])
def test_the_lasso_counts_the_rank_of_its_columns(kind) -> None:
    """Two copies of a column that share a coefficient are one degree of freedom, half of it each."""
    X = np.random.default_rng(0).normal(size=(50, 3))
    model = Lasso(0.01).fit(kind(np.column_stack([X, X[:, 0] + 7.0])), X.sum(axis=1))
    shared = model.coef_[0] + model.coef_[3]
    model.coef_[[0, 3]] = 0.5 * shared
    found = degrees_of_freedom(model, kind(np.column_stack([X, X[:, 0] + 7.0])), stops=[1, 3, 4])
    assert found.total == pytest.approx(3.0, abs=1e-12)
    np.testing.assert_allclose(found.blocks, [0.5, 2.0, 0.5], atol=1e-12)


def test_weights_over_orders_do_not_make_the_rounding_of_means_a_direction() -> None:
    """Five rows less an intercept have four; columns are in units that differ by twenty orders."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5, 8)) * 10.0 ** rng.uniform(-10, 10, 8)
    s = np.array([0.03, 1e4, 4e-5, 1.0, 1e-4])
    model = Lasso(1e-9).fit(X, rng.normal(size=5), s)
    model.coef_[:] = 1.0
    assert degrees_of_freedom(model, X, s).total == pytest.approx(4.0, abs=1e-6)


@pytest.mark.parametrize(
    "model",
    [
        Lasso(0.05, tol=1e-12),
        ElasticNet(0.1, l1_ratio=0.3, tol=1e-12),
        ElasticNet(0.02, l1_ratio=0.3, standardize=True, tol=1e-12),
        ElasticNet(0.1, l1_ratio=0.3, positive=True, penalty_factor=np.linspace(0.2, 3.0, 12), tol=1e-12),
        Ridge(2.0, positive=True, tol=1e-9),
        Ridge(2.0, penalty_factor="dropout", dropout_rate=0.2),
    ],
    ids=["lasso", "enet", "standardised", "positive enet", "positive ridge", "dropout"],
)
def test_predictions_move_with_the_target_by_the_degrees_of_freedom(model) -> None:
    X, _, s = data(9, 40, 14)
    X = X[:, [j for j in range(14) if j not in (4, 13)]]  # without duplicates and zeros
    X[:, [6, 7]] = np.random.default_rng(10).normal(size=(40, 2))
    y = X[:, :3] @ [2.0, -1.0, 1.0] + np.random.default_rng(11).normal(size=40)
    moved = divergence(model, X, y, s)
    found = degrees_of_freedom(model.fit(X, y, s), X, s)
    assert 1.0 < found.total < 12.0
    assert found.total == pytest.approx(moved, rel=1e-4)


def test_nothing_active_uses_nothing() -> None:
    X = np.abs(data(17)[0])
    for model in (Lasso(1e9), ElasticNet(1e9), Ridge(positive=True, fit_intercept=False)):
        found = degrees_of_freedom(model.fit(X, -X @ np.ones(20)), X, stops=[5, 20])
        assert (found.total, found.error, found.blocks.tolist()) == (0.0, 0.0, [0.0, 0.0]), model


def test_variance_shares_are_covariances() -> None:
    X, y, s = data(12)
    model = Ridge(1.0).fit(sp.csr_array(X), y, s)
    found = variance_shares(model, sp.csr_array(X), s, 0, [5, 11, 20])
    predicted = model.predict(X)
    parts = [X[:, a:b] @ model.coef_[a:b] for a, b in ((0, 5), (5, 11), (11, 20))]
    expected = [np.cov(part, predicted, aweights=s)[0, 1] / np.cov(predicted, aweights=s) for part in parts]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert found.sum() == pytest.approx(1.0)
    assert variance_shares(Lasso(1e9).fit(X, y), X, None, 0, [20]).tolist() == [0.0]


def test_nothing_of_nominal_width() -> None:
    width = 2**40
    X = sp.csr_array(
        (np.ones(6), np.array([5, width - 1, 5, 77, width - 1, 77]), np.array([0, 2, 4, 5, 6])), shape=(4, width)
    )
    y = np.array([1.0, 2.0, 0.0, 1.5])
    dense = np.array([[1, 0, 1], [1, 1, 0], [0, 0, 1], [0, 1, 0.0]])
    found = degrees_of_freedom(Ridge(1.0).fit(X, y), X, stops=[100, width])
    expected = hat_shares(dense, np.ones(4), np.ones(3))
    np.testing.assert_allclose(found.blocks, [expected[:2].sum(), expected[2]])
    net = ElasticNet(0.01).fit(X, y)
    assert net.sparse_coef_.nnz == 3
    expected = hat_shares(dense, np.ones(4), np.full(3, 4 * 0.01 * 0.5))
    np.testing.assert_allclose(degrees_of_freedom(net, X, stops=[100, width]).blocks, [expected[:2].sum(), expected[2]])


@pytest.fixture(scope="module")
def pipeline_data() -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(13)
    table = pd.DataFrame(
        {"shop": rng.choice(["north", "south", "east"], 400), "item": rng.integers(0, 40, 400).astype(str)}
    )
    y = (table["shop"] == "north") * 2.0 + (table["item"] == "3") * 3.0 + rng.normal(size=400)
    return table, y.to_numpy(), rng.uniform(0.5, 2.0, 400)


def test_report_of_a_ridge_pipeline(pipeline_data) -> None:
    table, y, s = pipeline_data
    pipeline = make_pipeline(FeatureCross(crosses=[("shop", "item")]), Ridge(3.0))
    pipeline.fit(table, y, ridge__sample_weight=s)
    bare = SparsityReport.from_estimator(pipeline)
    assert bare.path[0]["df"] is None
    assert bare.path[0]["gradient_norm"] == pipeline[-1].gradient_norm_
    assert bare.tol is None
    report = SparsityReport.from_estimator(pipeline, X=table, sample_weight=s)
    cross, X = pipeline[0], pipeline[0].transform(table).toarray()
    shares = hat_shares(X, s, np.full(X.shape[1], 3.0))
    assert report.path[0]["df"] == pytest.approx(shares.sum())
    assert report.path[0]["df_error"] == 0
    for row, block in zip(report.blocks, cross.blocks_, strict=True):
        assert row["df"] == pytest.approx(shares[block.start : block.stop].sum())
        assert row["shrinkage_factor"] == pytest.approx(shares[block.start : block.stop].mean())
    assert sum(row["variance_share"] for row in report.blocks) == pytest.approx(1.0)
    text = report.to_text()
    assert f"Degrees of freedom: {shares.sum():.2f}, exactly" in text
    assert "share of variance" in text
    assert max(map(len, text.splitlines())) <= 110
    assert json.loads(report.to_json())["blocks"][0]["df"] == report.blocks[0]["df"]


def test_report_of_real_houses(real_data) -> None:
    """By a large factorisation and by probes: the same degrees of freedom, whole and by field."""
    table = pd.read_csv(real_data / "california_housing.csv.gz")[
        ["latitude", "longitude", "ocean_proximity", "median_house_value"]
    ]
    y = np.log(table.pop("median_house_value").to_numpy())
    cross = FeatureCross(
        bins={"latitude": Width(1 / 4), "longitude": Width(1 / 4)}, crosses=[("latitude", "longitude")]
    )
    pipeline = make_pipeline(cross, Ridge(2.0, solver="cg")).fit(table, y)
    report = SparsityReport.from_estimator(pipeline, X=table)
    X, stops = pipeline[0].transform(table), [block.stop for block in pipeline[0].blocks_]
    assert 300 < X.shape[1] < 2000
    probed = degrees_of_freedom(pipeline[-1], X, stops=stops, n_probes=20)
    assert report.path[0]["df_error"] == 0
    assert abs(probed.total - report.path[0]["df"]) < 4 * probed.error < 0.05 * probed.total
    assert (np.abs(probed.blocks - [row["df"] for row in report.blocks]) < 4 * probed.block_errors).all()


def test_report_shows_the_error_of_an_estimate(pipeline_data, monkeypatch) -> None:
    table, y, _ = pipeline_data
    monkeypatch.setattr("sparsereg.linear_model.degrees._method_by_counts", lambda *_: "cg")
    pipeline = make_pipeline(FeatureCross(crosses=[("shop", "item")]), Ridge(3.0, solver="cg")).fit(table, y)
    report = SparsityReport.from_estimator(pipeline, X=table)
    assert 0 < report.path[0]["df_error"] < 0.1 * report.path[0]["df"]
    assert "+-" in report.to_text().split("\n\n")[3]
    assert "estimated by random probes" in report.to_text()


def test_report_of_paths_and_of_several_targets() -> None:
    X, y, s = data(14)
    path = regularization_path(X, y, alphas=5)
    assert [row["df"] for row in SparsityReport.from_path(path).path] == path.n_nonzero.tolist()
    path = regularization_path(X, y, alphas=5, l1_ratio=0.5)
    assert {row["df"] for row in SparsityReport.from_path(path).path} == {None}
    model = Ridge([1.0, 5.0]).fit(X, np.column_stack([y, -y]), s)
    rows = SparsityReport.from_estimator(model, X=X, sample_weight=s).path
    for row, alpha in zip(rows, (1.0, 5.0), strict=True):
        assert row["df"] == pytest.approx(hat_shares(X, s, np.full(20, alpha)).sum(), rel=1e-6)
    net = ElasticNet(0.1).fit(X, np.column_stack([y, y[::-1]]))
    rows = SparsityReport.from_estimator(net, X=X).path
    assert [row["df"] for row in rows] == [degrees_of_freedom(net, X, target=t).total for t in (0, 1)]
    assert rows[0]["df"] != rows[1]["df"]


def test_probes_that_do_not_converge_say_so(monkeypatch) -> None:
    X, y, _ = data(15)
    model = Ridge(1e-3).fit(X, y)
    monkeypatch.setattr(ridge_degrees, "SHARE_MAX_ITER", 1)
    with pytest.warns(ConvergenceWarning, match="a random probe was solved to a relative gradient of"):
        degrees_of_freedom(model, X, n_probes=2)


def test_what_is_refused() -> None:
    X, y, _ = data(16)
    model = Ridge().fit(X, y)
    with pytest.raises(ValueError, match="estimator=int"):
        degrees_of_freedom(3, X)
    with pytest.raises(ValueError, match="features"):
        degrees_of_freedom(model, X[:, 1:])
    for stops in ([5], [7, 3, 20], [], [21]):
        with pytest.raises(ValueError, match="stops="):
            degrees_of_freedom(model, X, stops=stops)
    with pytest.raises(ValueError, match="n_probes=1"):
        degrees_of_freedom(model, X, n_probes=1)
    with pytest.raises(ValueError, match="target=1"):
        degrees_of_freedom(model, X, target=1)
    with pytest.raises(ValueError, match="sample_weight has shape"):
        degrees_of_freedom(model, X, np.ones(3))
    emptied = sp.csr_array(X)
    emptied = emptied[:, [0, 1, 13, *range(3, 20)]]  # column 13 holds nothing
    with pytest.raises(ValueError, match="X has no entry in column 2, which has a coefficient"):
        SparsityReport.from_estimator(model, FeatureCross().fit(X), X=emptied)
    for estimator in (Ridge(0.1, positive=True).fit(X, np.abs(X) @ np.ones(20)), ElasticNet(0.01).fit(X, y)):
        assert estimator.coef_[2]
        with pytest.raises(ValueError, match="X has no entry in column 2, which has a coefficient"):
            degrees_of_freedom(estimator, emptied)
    with pytest.raises(ValueError, match="sample_weight has an effect only with X"):
        SparsityReport.from_estimator(model, sample_weight=np.ones(60))


def test_a_column_in_large_units_leaves_the_probes_the_others() -> None:
    rng = np.random.default_rng(0)
    fields = np.hstack([np.eye(20)[rng.integers(0, 20, 1000)], np.eye(15)[rng.integers(0, 15, 1000)]])
    X = sp.csr_array(np.column_stack([1e6 * rng.lognormal(1.0, 0.7, 1000), fields]))
    y = rng.normal(size=1000)
    exact = degrees_of_freedom(Ridge(alpha=1.0, solver="gram").fit(X, y), X)
    probed = degrees_of_freedom(Ridge(alpha=1.0, solver="gram").fit(X, y), X, n_probes=20)
    assert abs(probed.total - exact.total) <= 4.0 * probed.error < 0.1 * exact.total


def test_a_sparse_column_far_from_zero_is_shifted_as_by_the_fit() -> None:
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(200, 3))
    model = ElasticNet(0.01).fit(Z, Z.sum(axis=1))
    exact = degrees_of_freedom(model, Z).total
    assert degrees_of_freedom(model, sp.csr_array(Z + 1e6)).total == pytest.approx(exact, rel=1e-8)
