"""Ridge as users see it: agreement with scikit-learn, attributes, weights, storage kinds."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model as skl
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sparsereg import Ridge

METHODS = ["auto", "gram", "dual", "svd", "cg"]


def one_hot(rng: np.random.Generator, n: int, sizes: tuple[int, ...], dtype: type = np.float64) -> sp.csr_array:
    """Fields of categories, one 1 a field and row."""
    begins = np.concatenate([[0], np.cumsum(sizes)])
    indices = np.stack([b + np.sort(rng.zipf(1.5, n) % size) for b, size in zip(begins, sizes, strict=False)], axis=1)
    rng.shuffle(indices)
    return sp.csr_array(
        (np.ones(indices.size, dtype=dtype), indices.ravel(), np.arange(n + 1) * len(sizes)), shape=(n, begins[-1])
    )


def data(seed: int = 0, n: int = 120, p: int = 15) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + rng.normal(size=p)
    return X, X @ rng.normal(size=p) + rng.normal(size=n) + 3.0, rng.uniform(0.1, 2.0, n)


@pytest.mark.parametrize("solver", METHODS)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("shape", [(120, 15), (15, 40)])
@pytest.mark.parametrize("sparse", [True, False])
def test_agrees_with_scikit_learn(solver: str, fit_intercept: bool, shape: tuple[int, int], sparse: bool) -> None:
    X, y, s = data(1, *shape)
    X[np.abs(X) < 0.5] = 0.0
    Y = np.c_[y, y[::-1]]
    alpha = [0.7, 30.0]
    theirs = skl.Ridge(alpha=alpha, fit_intercept=fit_intercept, solver="svd").fit(X, Y, sample_weight=s)
    ours = Ridge(alpha=alpha, fit_intercept=fit_intercept, solver=solver, tol=1e-10)
    ours.fit(sp.csc_array(X) if sparse else X, Y, sample_weight=s)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-8)
    assert (ours.gradient_norm_ <= 1e-11).all()
    assert ours.solver_ == (ours.method_ if solver == "auto" else solver)


def test_shapes_of_what_is_fitted() -> None:
    X, y, _ = data()
    one, column, two = (Ridge().fit(X, t) for t in (y, y[:, None], np.c_[y, y]))
    assert one.coef_.shape == column.coef_.shape == (15,)
    assert isinstance(one.intercept_, float)
    assert isinstance(one.gradient_norm_, float)
    assert column.intercept_.shape == (1,)
    assert column.predict(X).shape == (120,)
    assert two.coef_.shape == (2, 15)
    assert two.gradient_norm_.shape == two.dual_gap_.shape == two.n_iter_.shape == two.intercept_.shape == (2,)
    assert two.sparse_coef_.shape == (2, 15)
    np.testing.assert_array_equal(two.sparse_coef_.toarray(), two.coef_)


@pytest.mark.parametrize("name", ["cholesky", "lsqr", "sparse_cg", "sag", "saga", "svd"])
def test_takes_scikit_learns_solver_names(name: str) -> None:
    X, y, _ = data()
    ours = Ridge(solver=name, tol=1e-8).fit(X, y)
    assert ours.solver_ == name
    np.testing.assert_allclose(ours.coef_, skl.Ridge(solver="svd").fit(X, y).coef_, rtol=1e-7)


@pytest.mark.parametrize("solver", ["auto", "cg"])
def test_weights_are_repetitions_and_their_scale_matters(solver: str) -> None:
    X, y, _ = data(2)
    k = np.random.default_rng(3).integers(0, 4, y.size)
    model = Ridge(solver=solver, tol=1e-8)
    weighted = clone(model).fit(X, y, sample_weight=k)
    repeated = clone(model).fit(np.repeat(X, k, axis=0), np.repeat(y, k))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-7)
    scaled = Ridge(alpha=5.0, solver=solver, tol=1e-8).fit(X, y, sample_weight=5 * k)
    np.testing.assert_allclose(weighted.coef_, scaled.coef_, rtol=1e-7)
    scalar = Ridge(alpha=5.0, solver=solver, tol=1e-8).fit(X, y, sample_weight=5.0)
    np.testing.assert_allclose(scalar.coef_, clone(model).fit(X, y).coef_, rtol=1e-7)


@pytest.mark.parametrize("solver", ["gram", "dual", "svd", "cg"])
def test_penalty_factors_are_a_scaling_of_columns(solver: str) -> None:
    X, y, s = data(4)
    v = np.random.default_rng(5).uniform(0.2, 5.0, 15)
    ours = Ridge(alpha=3.0, penalty_factor=v, solver=solver, tol=1e-10).fit(X, y, s)
    theirs = skl.Ridge(alpha=3.0, solver="svd").fit(X / np.sqrt(v), y, s)
    np.testing.assert_allclose(ours.coef_, theirs.coef_ / np.sqrt(v), rtol=1e-8)


@pytest.mark.parametrize("solver", ["auto", "gram", "cg"])
def test_a_column_of_factor_0_is_not_penalised(solver: str) -> None:
    X, y, _ = data(6)
    v = np.ones(15)
    v[3] = 0.0
    ours = Ridge(alpha=1e9, penalty_factor=v, solver=solver, tol=1e-10).fit(X, y)
    slope = np.polyfit(X[:, 3], y, 1)[0]
    assert ours.coef_[3] == pytest.approx(slope, rel=1e-5)
    assert np.abs(np.delete(ours.coef_, 3)).max() < 1e-5


@pytest.mark.parametrize("method", ["dual", "svd"])
def test_methods_that_cannot_leave_a_column_free_say_so(method: str) -> None:
    X, y, _ = data()
    with pytest.raises(ValueError, match="penalty_factor holds 0"):
        Ridge(solver=method, penalty_factor=np.arange(15.0)).fit(X, y)


@pytest.mark.parametrize("solver", ["auto", "gram", "dual", "svd", "cg"])
@pytest.mark.parametrize("alpha", [0, 1e-16])
def test_alpha_0_is_least_squares_of_least_norm(solver: str, alpha: float) -> None:
    X, y, _ = data(7, 10, 30)
    ours = Ridge(alpha=alpha, fit_intercept=False, solver=solver, tol=1e-11).fit(X, y)
    np.testing.assert_allclose(ours.coef_, np.linalg.lstsq(X, y)[0], rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("alpha", [1e-16, 1e16])
@pytest.mark.parametrize("shape", [(60, 8), (8, 20)])
@pytest.mark.parametrize("sparse", [True, False])
def test_extreme_alphas_are_right(alpha: float, shape: tuple[int, int], sparse: bool) -> None:
    X, y, _ = data(8, *shape)
    X[:, 1] = 0.0
    ours = Ridge(alpha=alpha).fit(sp.csr_array(X) if sparse else X, y)
    centred, target = X - X.mean(axis=0), y - y.mean()
    expected = np.linalg.pinv(centred) @ target if alpha < 1 else centred.T @ target / alpha
    np.testing.assert_allclose(ours.coef_, expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize("container", [sp.csr_array, sp.csc_matrix, sp.coo_array, sp.lil_array, sp.dok_array])
def test_every_container_gives_the_same(container: type) -> None:
    X = one_hot(np.random.default_rng(0), 300, (20, 7, 3))
    y = np.random.default_rng(1).normal(size=300)
    dense = Ridge().fit(X.toarray(), y)
    ours = Ridge().fit(container(X), y)
    np.testing.assert_allclose(ours.coef_, dense.coef_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ours.predict(container(X)), dense.predict(X.toarray()), rtol=1e-9)


@pytest.mark.parametrize("solver", METHODS)
@pytest.mark.parametrize("sparse", [True, False])
def test_float32_stays_float32(solver: str, sparse: bool) -> None:
    X, y, _ = data(9)
    X32 = X.astype(np.float32)
    X32 = sp.csr_array(X32) if sparse else X32
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        ours = Ridge(solver=solver).fit(X32, y.astype(np.float32))
    assert ours.coef_.dtype == ours.sparse_coef_.dtype == ours.predict(X32).dtype == np.float32
    np.testing.assert_allclose(ours.coef_, Ridge().fit(X, y).coef_, rtol=1e-4)


@pytest.mark.parametrize("solver", ["auto", "cg"])
def test_int64_indices(solver: str) -> None:
    X = one_hot(np.random.default_rng(0), 300, (20, 7, 3))
    y = np.random.default_rng(1).normal(size=300)
    wide = X.copy()
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    np.testing.assert_array_equal(Ridge(solver=solver).fit(wide, y).coef_, Ridge(solver=solver).fit(X, y).coef_)


@pytest.mark.parametrize("solver", ["auto", "gram", "cg", "dual"])
def test_nothing_of_nominal_width(solver: str) -> None:
    narrow = one_hot(np.random.default_rng(0), 200, (20, 7, 3))
    y = np.random.default_rng(1).normal(size=200)
    stretch = 10**13
    wide = sp.csr_array(
        (narrow.data, narrow.indices.astype(np.int64) * stretch, narrow.indptr.astype(np.int64)),
        shape=(200, 30 * stretch),
    )
    ours, expected = Ridge(solver=solver, tol=1e-9).fit(wide, y), Ridge(tol=1e-9).fit(narrow, y)
    held = ours.sparse_coef_
    np.testing.assert_allclose(held.data, expected.coef_[held.indices // stretch], rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(ours.predict(wide), expected.predict(narrow), rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(ours)).predict(wide), ours.predict(wide))


def test_wide_dense_coefficients_are_made_on_demand() -> None:
    X = sp.csr_array(([1.0, 1.0, 2.0], [3, 700, 3], [0, 1, 2, 3]), shape=(3, 1000))
    ours = Ridge().fit(X, [1.0, 2.0, 3.0])
    assert ours.coef_.shape == (1000,)
    assert np.flatnonzero(ours.coef_).tolist() == [3, 700]
    np.testing.assert_allclose(ours.coef_, skl.Ridge(tol=1e-10).fit(X, [1.0, 2.0, 3.0]).coef_, atol=1e-8)
    assert len(pickle.dumps(ours)) < 4000


def test_a_coefficient_set_by_hand_counts() -> None:
    X, y, _ = data()
    ours = Ridge().fit(X, y)
    ours.coef_ = np.zeros(15)
    np.testing.assert_array_equal(ours.predict(X), np.full(120, ours.intercept_))
    unfitted = Ridge()
    assert not hasattr(unfitted, "coef_")
    unfitted.coef_ = [0.0, 2.0]
    assert unfitted.sparse_coef_.nnz == 1


@pytest.mark.parametrize("solver", METHODS)
def test_input_is_never_written_to(solver: str) -> None:
    X, y, s = data()
    A = sp.csc_array(X)
    for array in (X, y, s, A.data, A.indices, A.indptr):
        array.flags.writeable = False
    Ridge(solver=solver, copy_X=False).fit(X, y, s)
    Ridge(solver=solver, copy_X=False).fit(A, y, s)


def test_positive() -> None:
    X, y, s = data(10)
    ours = Ridge(alpha=2.0, positive=True, tol=1e-8).fit(sp.csr_array(X), y, s)
    theirs = skl.Ridge(alpha=2.0, positive=True, tol=1e-14).fit(X, y, s)
    assert (ours.coef_ >= 0).all()
    assert (ours.coef_ == 0).any()
    assert ours.solver_ == ours.method_ == "bounded"
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    assert ours.gradient_norm_ < 1e-8
    free = Ridge(alpha=2.0, positive=True, penalty_factor=np.arange(15.0)).fit(X, y)
    assert (free.coef_ >= 0).all()


def test_positive_stopped_short_says_so() -> None:
    X, y, _ = data(10)
    with pytest.warns(ConvergenceWarning, match="lbfgs solver did not converge after 1 iter"):
        Ridge(positive=True, solver="lbfgs", max_iter=1, tol=1e-8).fit(X, y)


def test_stopped_short_says_which_gradient_it_reached() -> None:
    rng = np.random.default_rng(0)
    fields = [sp.csr_array((np.ones(9000), (np.arange(9000), rng.integers(0, size, 9000)))) for size in (3000, 3000)]
    X, y = sp.hstack(fields, format="csr"), rng.normal(size=9000)
    with pytest.warns(ConvergenceWarning, match=r"after 2 iterations: it reached a relative gradient of \d") as caught:
        ours = Ridge(alpha=1e-3, solver="cg", max_iter=2).fit(X, y)
    assert f"{ours.gradient_norm_:.3g}" in str(caught[0].message)
    assert ours.n_iter_.tolist() == [2]


def test_default_fit_is_quiet_and_close() -> None:
    rng = np.random.default_rng(0)
    X = one_hot(rng, 5000, (3000, 800, 30))
    y = X @ rng.normal(size=X.shape[1]) + rng.normal(size=5000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = Ridge(solver="cg").fit(X, y)
    exact = Ridge(solver="gram").fit(X, y)
    np.testing.assert_allclose(ours.coef_, exact.coef_, atol=1e-4 * np.abs(exact.coef_).max())
    assert ours.gradient_norm_ <= 1e-6
