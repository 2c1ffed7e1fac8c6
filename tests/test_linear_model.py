"""Lasso and ElasticNet beyond scikit-learn: any storage, any width, certified, and nobody's arrays touched."""

from __future__ import annotations

import pickle
import tracemalloc
import warnings

import numpy as np
import oracles
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn import linear_model
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import OneHotEncoder

from sparsereg import ElasticNet, Lasso, enet_path, regularization_path
from sparsereg.solvers.gram_cd import GramCD
from sparsereg.solvers.small_path import SmallSolver
from sparsereg.solvers.working_set import WorkingSet


def objective(model, X, y, s=None):
    v = np.ones(X.shape[1]) if model.penalty_factor is None else np.asarray(model.penalty_factor)
    s = np.ones(len(y)) if s is None else s
    return oracles.objective(X, y, s, model.intercept_, model.coef_, model.alpha, model.l1_ratio, v)


def one_hot(n=300, levels=(7, 19), seed=0):
    """Two fields, their cross, and a target that depends on some of it. Levels seen once make twins of columns."""
    rng = np.random.default_rng(seed)
    fields = np.column_stack([np.minimum(rng.geometric(0.2, n), k) - 1 for k in levels])
    X = OneHotEncoder().fit_transform(np.column_stack([fields, fields @ [levels[1], 1]])).tocsr()
    return X, rng.normal(size=X.shape[1]) @ X.T + 0.1 * rng.normal(size=n) + 5.0


@st.composite
def problems(draw):
    """A random X, in general position so that the minimum is unique, a target, integer weights, a model."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, p = draw(st.integers(3, 25)), draw(st.integers(1, 30))
    X = rng.normal(size=(n, p)) * (rng.uniform(size=(n, p)) < draw(st.sampled_from([0.2, 0.6, 1.0])))
    ones = rng.uniform(size=p) < draw(st.sampled_from([0.0, 0.5]))
    X[:, ones] = X[:, ones] != 0
    y = X @ (rng.normal(size=p) * (rng.uniform(size=p) < 0.4)) + rng.normal(size=n) + draw(st.sampled_from([0.0, 10.0]))
    s = rng.integers(0, 4, size=n)
    s[0] += 1
    model = ElasticNet(
        alpha=draw(st.sampled_from([0.02, 0.1, 0.5])),
        l1_ratio=draw(st.sampled_from([0.0, 0.3, 0.9])),
        fit_intercept=draw(st.booleans()),
        positive=draw(st.booleans()),
    )
    return X, y, s, model


def refit(model, X, y, s=None):
    return ElasticNet(**model.get_params()).fit(X, y, sample_weight=s)


def assert_same(one, other, tol=1e-7):
    scale = max(1.0, np.abs(other.coef_).max())
    np.testing.assert_allclose(one.coef_, other.coef_, rtol=tol, atol=tol * scale)
    np.testing.assert_allclose(one.intercept_, other.intercept_, rtol=tol, atol=tol * max(scale, abs(other.intercept_)))


# ---- the right answer --------------------------------------------------------------------------------------------


@given(problems())
def test_minimum_and_certificate(problem):
    X, y, s, model = problem
    model.fit(X, y, sample_weight=s)
    b0, w = oracles.elastic_net(
        X, y, model.alpha, model.l1_ratio, s=s.astype(float), fit_intercept=model.fit_intercept, positive=model.positive
    )
    best = oracles.objective(X, y, s, b0, w, model.alpha, model.l1_ratio, np.ones(X.shape[1]))
    reached = objective(model, X, y, s)
    assert reached - best <= 1e-12 * max(1.0, best)
    assert reached - best <= model.dual_gap_ + 1e-13 * max(1.0, best)


@given(problems())
def test_weights_are_repetition(problem):
    X, y, s, model = problem
    weighted = refit(model, X, y, s)
    assert_same(weighted, refit(model, np.repeat(X, s, axis=0), np.repeat(y, s)))
    assert_same(weighted, refit(model, X[s > 0], y[s > 0], 3.5 * s[s > 0]))


@given(
    problems(),
    st.sampled_from(["csr", "csc", "coo", "lil", "dok"]),
    st.sampled_from([np.int32, np.int64]),
    st.booleans(),
)
def test_storage_does_not_matter(problem, kind, index, disordered):
    X, y, s, model = problem
    Z = sp.csr_array(X) if kind == "csr" else sp.csc_array(X)
    if disordered:  # entries in pieces, out of order, and explicit zeros
        entries = sp.coo_array(X)
        row, col = (np.concatenate([c, c, c[:1]])[::-1] for c in entries.coords)
        value = np.concatenate([0.25 * entries.data, 0.75 * entries.data, np.zeros(min(1, entries.nnz))])[::-1]
        Z = type(Z)((value, (row, col)), shape=X.shape)
    if kind in ("csr", "csc"):
        Z = type(Z)((Z.data, Z.indices.astype(index), Z.indptr.astype(index)), shape=Z.shape)
        assert Z.indices.dtype == index
    else:
        Z = Z.asformat(kind)
    before = {name: getattr(Z, name).copy() for name in ("data", "indices", "indptr") if kind in ("csr", "csc")}
    dense, sparse = refit(model, X, y, s), refit(model, Z, y, s)
    assert_same(sparse, dense)
    np.testing.assert_allclose(sparse.predict(Z), dense.predict(X), rtol=1e-6, atol=1e-6)
    for name, array in before.items():
        np.testing.assert_array_equal(getattr(Z, name), array)


@given(problems())
def test_float32(problem):
    """The minimum of the float32 problem, to the rounding of float32 coefficients."""
    X, y, s, model = problem
    single = refit(model, X.astype(np.float32), y, s)
    assert single.coef_.dtype == np.float32
    double = refit(model, X.astype(np.float32).astype(np.float64), y, s)
    np.testing.assert_allclose(single.coef_, double.coef_, rtol=1e-6, atol=1e-6 * max(1.0, np.abs(double.coef_).max()))


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("alpha", [0.1, 0.01, 0.001])
def test_objective_equals_scikit_learns(alpha, l1_ratio):
    rng = np.random.default_rng(4)
    wide = rng.normal(size=(50, 200))
    crossed, z = one_hot()
    for X, y in [(wide, wide[:, :5].sum(axis=1) + rng.normal(size=50)), (crossed, z)]:
        theirs = linear_model.ElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=1e-12, max_iter=100_000).fit(X, y)
        ours = ElasticNet(alpha=alpha, l1_ratio=l1_ratio).fit(X, y)
        theirs.penalty_factor = None
        assert objective(ours, X, y) == pytest.approx(objective(theirs, X, y), rel=1e-8)
        assert objective(ours, X, y) <= objective(theirs, X, y) * (1 + 1e-12)


def test_objective_equals_scikit_learns_on_houses(real_data):
    """California's houses by tenth-degree cells: latitude, longitude, their cross, and the ocean."""
    pandas = pytest.importorskip("pandas")
    table = pandas.read_csv(real_data / "california_housing.csv.gz")
    cells = np.floor(table[["latitude", "longitude"]].to_numpy() * 10).astype(int)
    fields = np.column_stack([cells, cells @ [100_000, 1], table["ocean_proximity"].astype("category").cat.codes])
    X, y = OneHotEncoder().fit_transform(fields).tocsr(), table["median_house_value"].to_numpy() / 1e5
    for alpha, l1_ratio in [(1e-2, 1.0), (1e-3, 1.0), (1e-2, 0.5)]:
        theirs = linear_model.ElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=1e-9, max_iter=100_000).fit(X, y)
        ours = ElasticNet(alpha=alpha, l1_ratio=l1_ratio).fit(X, y)
        theirs.penalty_factor = None
        assert objective(ours, X, y) == pytest.approx(objective(theirs, X, y), rel=1e-8)
        assert ours.dual_gap_ <= 1e-4 * y.var()


@pytest.mark.parametrize("model", [Lasso(alpha=0.003), ElasticNet(alpha=0.01), Lasso(alpha=0.003, positive=True)])
def test_both_solvers_agree(model):
    X, y = one_hot()
    model.fit(X, y)
    other = type(model)(**model.get_params()).set_params(solver="prox_gradient", max_iter=20_000).fit(X, y)
    assert objective(other, X, y) == pytest.approx(objective(model, X, y), rel=1e-7)


# ---- our own parameters ------------------------------------------------------------------------------------------


def test_penalty_factor():
    X, y = one_hot()
    v = np.random.default_rng(5).choice([0.0, 0.5, 2.0], size=X.shape[1], p=[0.05, 0.5, 0.45])
    model = ElasticNet(alpha=0.02, l1_ratio=0.7, penalty_factor=v).fit(X, y)
    b0, w = oracles.elastic_net(X.toarray(), y, 0.02, 0.7, v=v)
    best = oracles.objective(X.toarray(), y, np.ones(len(y)), b0, w, 0.02, 0.7, v)
    assert objective(model, X, y) == pytest.approx(best, rel=1e-9)
    strong = Lasso(alpha=1e6, penalty_factor=v).fit(X, y)
    assert not strong.coef_[v > 0].any()
    assert strong.coef_[v == 0].any()
    with pytest.raises(ValueError, match="penalty_factor has shape"):
        Lasso(penalty_factor=[1.0]).fit(X, y)


def test_standardize_is_scaling_the_columns():
    X, y = one_hot()
    deviation = X.toarray().std(axis=0)
    by_hand = ElasticNet(alpha=0.01, l1_ratio=0.8).fit(X.toarray() / deviation, y)
    model = ElasticNet(alpha=0.01, l1_ratio=0.8, standardize=True).fit(X, y)
    np.testing.assert_allclose(model.coef_, by_hand.coef_ / deviation, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(model.predict(X), by_hand.predict(X.toarray() / deviation), rtol=1e-7)


def test_same_points_as_the_path():
    X, y = one_hot()
    path = regularization_path(X, y, alphas=5, tol=1e-14, l1_ratio=0.8)
    for k, alpha in enumerate(path.alphas):
        model = ElasticNet(alpha=alpha, l1_ratio=0.8).fit(X, y)
        np.testing.assert_allclose(model.coef_, path.coefs[:, [k]].toarray()[:, 0], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(model.intercept_, path.intercepts[k], rtol=1e-6)


# ---- bad input ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        {"alpha": -1}, {"alpha": np.nan}, {"alpha": np.inf}, {"alpha": "1"}, {"alpha": None}, {"l1_ratio": 1.5},
        {"l1_ratio": -0.1}, {"tol": -1e-4}, {"max_iter": 0}, {"max_iter": 2.5}, {"selection": "sideways"},
        {"solver": "magic"}, {"fit_intercept": "yes"}, {"positive": 1}, {"warm_start": None}, {"standardize": "no"},
        {"copy_X": 0}, {"precompute": "auto"}, {"precompute": None},
    ],
    ids=str,
)  # fmt: skip
def test_parameters_out_of_range(parameters):
    (name,) = parameters
    with pytest.raises(ValueError, match=name):
        ElasticNet(**parameters).fit([[0.0], [1.0]], [0.0, 1.0])


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.array([[1.0, np.nan], [0.0, 1.0]]), [0.0, 1.0], "X contains NaN at row 0, column 1"),
        (sp.csr_array(np.array([[1.0, 0.0], [0.0, np.inf]])), [0.0, 1.0], "infinity .inf. at row 1, column 1"),
        (np.eye(2), [0.0, np.nan], "y contains NaN"),
        (np.eye(2), [0.0, 1.0, 2.0], "inconsistent"),
        (sp.eye_array(2, format="csr"), [0.0, 1.0, 2.0], "inconsistent"),
        (sp.csr_array(np.eye(2) * 1j), [0.0, 1.0], "complex"),
        (np.eye(2) * 1j, [0.0, 1.0], "Complex"),
        (np.array([["a", "b"], ["c", "d"]]), [0.0, 1.0], "could not convert"),
        (np.zeros((0, 2)), [], "0 sample"),
        (sp.csr_array((0, 2)), [], "at least one row"),
        (np.arange(2.0), [0.0, 1.0], "Expected 2D array"),
        (np.eye(2), np.zeros((2, 1, 1)), "dim 3|shape"),
        (np.eye(2), None, "y"),
    ],
)  # fmt: skip
def test_bad_data(X, y, message):
    for model in (Lasso(), ElasticNet()):
        with pytest.raises(ValueError, match=message):
            model.fit(X, y)
        assert not hasattr(model, "coef_")


def test_predict_checks_its_input():
    X, y = one_hot()
    model = Lasso(alpha=0.01).fit(X, y)
    for bad in (X[:, :3], X[:, :3].toarray()):
        with pytest.raises(ValueError, match="features"):
            model.predict(bad)
    broken = X.copy()
    broken.data[0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        model.predict(broken)
    with pytest.raises(
        linear_model._base.NotFittedError if hasattr(linear_model._base, "NotFittedError") else ValueError
    ):
        Lasso().predict(X)


# ---- nothing is left half done, nor written to -------------------------------------------------------------------


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("kind", ["csr", "csc", "dense"])
def test_interrupted_fit(monkeypatch, kind, error):
    """The input is as before, bit for bit, and so is what an earlier fit left."""
    X, y = one_hot()
    X = np.asfortranarray(X.toarray()) if kind == "dense" else X.asformat(kind)
    s = np.linspace(1, 2, len(y))
    model = Lasso(alpha=0.1).fit(X, y)
    earlier = model.coef_.copy(), model.intercept_, model.dual_gap_, model.n_iter_
    before = pickle.dumps((X, y, s))

    def interrupted(*_):
        raise error

    for kind_of_set in (WorkingSet, GramCD):
        monkeypatch.setattr(kind_of_set, "measured", interrupted)
    monkeypatch.setattr(SmallSolver, "solve", interrupted)
    with pytest.raises(error):
        model.set_params(alpha=0.001).fit(X, y, sample_weight=s)
    with pytest.raises(error):
        enet_path(X, y, alphas=3)
    assert pickle.dumps((X, y, s)) == before
    np.testing.assert_array_equal(model.coef_, earlier[0])
    assert (model.intercept_, model.dual_gap_, model.n_iter_) == earlier[1:]


def test_failed_fit_leaves_the_input():
    X, y = one_hot()
    X.data[5] = np.inf
    before = pickle.dumps((X, y))
    with pytest.raises(ValueError, match="infinity"):
        Lasso().fit(X, y)
    assert pickle.dumps((X, y)) == before


@pytest.mark.parametrize("kind", ["csr", "csc"])
def test_memory_mapped_sparse(tmp_path, kind):
    X, y = one_hot()
    X = X.asformat(kind)
    parts = []
    for name in ("data", "indices", "indptr"):
        np.save(tmp_path / name, getattr(X, name))
        parts.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    mapped = type(X)(tuple(parts), shape=X.shape)
    model = Lasso(alpha=0.01).fit(mapped, y)
    np.testing.assert_array_equal(model.coef_, Lasso(alpha=0.01).fit(X, y).coef_)
    np.testing.assert_array_equal(model.predict(mapped), model.predict(X))


# ---- width is free -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_hypersparse(index):
    """233 million columns: nothing of that length while fitting, in the model, in its file, or while predicting."""
    n, p = 2_000, 233_280_000
    rng = np.random.default_rng(6)
    cells = np.sort(rng.choice(p, 50, replace=False))
    level = rng.integers(0, 50, n)
    columns = np.sort(np.column_stack([cells[level], rng.integers(0, p, n)]), axis=1).astype(index)
    X = sp.csr_array((np.ones(2 * n), columns.ravel(), np.arange(0, 2 * n + 1, 2, dtype=index)), shape=(n, p))
    y = rng.normal(size=50)[level] + 0.01 * rng.normal(size=n)
    tracemalloc.start()
    try:
        model = Lasso(alpha=1e-3).fit(X, y)
        fitted = model.predict(X)
        again = Lasso(alpha=1e-3, warm_start=True)
        again.coef_ = model.sparse_coef_
        again.fit(X, y)
        _, coefs, _ = enet_path(X, y, alphas=3, sparse_coefs=True)
        copy = pickle.loads(pickle.dumps(model))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5e6
    assert len(pickle.dumps(model)) < 10_000
    assert model.score(X, y) > 0.95
    assert again.n_iter_ == 0
    assert coefs.shape == (p, 3)
    np.testing.assert_array_equal(copy.predict(X.tocoo()), fitted)
    compact = Lasso(alpha=1e-3).fit(
        sp.csr_array((X.data, np.unique(columns, return_inverse=True)[1].ravel(), X.indptr)), y
    )
    np.testing.assert_allclose(model.sparse_coef_.data, compact.sparse_coef_.data, rtol=1e-9)


def test_wide_dense_coefficients_refuse_edits():
    """Up to a million numbers `coef_` is kept and edited in place; beyond, an edit would be lost, so it is an error."""
    X, y = one_hot()
    wide = sp.csr_array((X.data, X.indices, X.indptr), shape=(X.shape[0], 2**20 + 1))
    model = Lasso(alpha=0.01).fit(wide, y)
    coef = model.coef_
    assert coef.shape == (2**20 + 1,)
    np.testing.assert_array_equal(np.flatnonzero(coef), model.sparse_coef_.indices)
    with pytest.raises(ValueError, match="read-only"):
        coef[0] = 1.0
    assert len(pickle.dumps(model)) < 20_000


def test_default_fits_do_not_warn():
    X, y = one_hot(1000, (30, 60))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        for alpha in (0.1, 1e-2, 1e-3, 1e-4):
            for model in (Lasso(alpha=alpha), ElasticNet(alpha=alpha), ElasticNet(alpha=alpha, l1_ratio=0.01)):
                model.fit(X, y)
                model.fit(X.astype(np.float32), y)


def test_an_unpenalised_constant_column_leaves_a_certificate():
    rng = np.random.default_rng(0)
    for seed in range(20):
        X = np.c_[np.ones(50), (np.random.default_rng(seed).random((50, 6)) < 0.4) * 1.0]
        y = rng.normal(size=50) + X[:, 1]
        model = Lasso(alpha=0.05, penalty_factor=[0, 0, 0, 1, 1, 1, 1]).fit(X, y)
        assert model.dual_gap_ < 1e-6
