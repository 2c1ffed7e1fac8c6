"""What code written for scikit-learn's Lasso, ElasticNet, lasso_path and enet_path counts on, point by point."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings
from inspect import Parameter, signature
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import config_context, linear_model
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectFromModel
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sparsereg
from sparsereg import ElasticNet, Lasso, enet_path, lasso_path

MODELS = [Lasso, ElasticNet]
PATHS = [lasso_path, enet_path]
FORMATS = [
    sp.csr_array, sp.csc_array, sp.coo_array, sp.lil_array, sp.dok_array, sp.dia_array, sp.bsr_array,
    sp.csr_matrix, sp.csc_matrix, sp.coo_matrix, sp.lil_matrix, sp.dok_matrix,
]  # fmt: skip


def data(n=60, p=12, seed=0, targets=None):
    """A few columns that matter, some zeros in X, a mean in y."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * (rng.uniform(size=(n, p)) < 0.6)
    w = rng.normal(size=(p,) if targets is None else (p, targets))
    w[p // 2 :] = 0.0
    return X, X @ w + 3.0 + 0.1 * rng.normal(size=(n,) if targets is None else (n, targets))


@pytest.mark.parametrize(("ours", "theirs"), [(m, getattr(linear_model, m.__name__)) for m in [*MODELS, *PATHS]])
def test_signatures_begin_with_scikit_learns(ours, theirs):
    """Same names, same defaults, same order; ours come after them."""
    mine, other = signature(ours).parameters, signature(theirs).parameters
    mine = {name: parameter for name, parameter in mine.items() if parameter.kind is not Parameter.VAR_KEYWORD}
    other = {name: parameter for name, parameter in other.items() if parameter.kind is not Parameter.VAR_KEYWORD}
    assert list(mine)[: len(other)] == list(other)
    for name, parameter in other.items():
        assert (mine[name].default, mine[name].kind) == (parameter.default, parameter.kind), name


@pytest.mark.parametrize("model", MODELS)
def test_agrees_with_scikit_learn(model):
    X, y = data()
    theirs = getattr(linear_model, model.__name__)(alpha=0.05, tol=1e-12).fit(X, y)
    ours = model(alpha=0.05).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-7)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-6)
    assert type(ours.intercept_) is type(theirs.intercept_)
    assert type(ours.sparse_coef_) is type(theirs.sparse_coef_)
    assert ours.sparse_coef_.shape == theirs.sparse_coef_.shape


# ---- the certificate ---------------------------------------------------------------------------------------------


def gap_by_formula(X, y, w, alpha):
    """The lasso's gap without an intercept, divided by n: primal less dual at the residual scaled into the feasible
    set."""
    r = y - X @ w
    primal = 0.5 * np.mean(r**2) + alpha * np.abs(w).sum()
    v = r / max(1.0, np.max(np.abs(X.T @ r)) / (len(y) * alpha))
    return primal - 0.5 * (np.mean(y**2) - np.mean((y - v) ** 2))


@pytest.mark.parametrize("max_iter", [1, 2, 5, 1000])
def test_dual_gap_is_the_formula(max_iter):
    """To 1e-7 while there is a gap; a converged one is as small as the rounding of the formula itself."""
    X, y = data(10, 30)
    alpha = 0.01 * np.max(np.abs(X.T @ y)) / len(y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = Lasso(alpha=alpha, fit_intercept=False, max_iter=max_iter).fit(X, y)
    np.testing.assert_allclose(
        model.dual_gap_, gap_by_formula(X, y, model.coef_, alpha), rtol=1e-7, atol=1e-15 * (y @ y)
    )


@pytest.mark.parametrize("path", PATHS)
def test_path_gaps_are_true_bounds(path):
    X, y = data()
    alphas, coefs, gaps = path(X, y, alphas=7)
    _, exact, _ = path(X, y, alphas=alphas, tol=1e-14)
    ratio = 1.0 if path is lasso_path else 0.5

    def objective(w):
        return 0.5 * np.mean((y[:, None] - X @ w) ** 2, axis=0) + alphas * (
            ratio * np.abs(w).sum(axis=0) + 0.5 * (1 - ratio) * (w**2).sum(axis=0)
        )

    assert (objective(coefs) - objective(exact) <= gaps + 1e-13).all()
    assert (gaps <= 1e-4 * np.mean(y**2)).all()


def test_convergence_warning_is_scikit_learns():
    X, y = data()
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        Lasso(alpha=0.01, tol=0, max_iter=1).fit(X, y)
    with pytest.warns(ConvergenceWarning):
        lasso_path(X, y, alphas=[0.01], tol=0, max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for model in MODELS:
            model(alpha=0.01).fit(X, y)
            model(alpha=0.01).fit(X.astype(np.float32), y)


# ---- weights -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, sp.csc_matrix])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("model", MODELS)
def test_weights_are_repetition(model, container, fit_intercept):
    X, y = data(p=80, n=40)
    weight = np.random.default_rng(1).integers(0, 4, size=len(y))
    reg = model(alpha=0.05, fit_intercept=fit_intercept)
    weighted = clone(reg).fit(container(X), y, sample_weight=weight)
    repeated = clone(reg).fit(container(np.repeat(X, weight, axis=0)), np.repeat(y, weight))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(weighted.intercept_, repeated.intercept_, rtol=1e-7, atol=1e-12)


def test_weights_of_every_shape():
    X, y = data()
    plain = Lasso(alpha=0.1).fit(X, y).coef_
    for weight in (np.ones(len(y)), 123.0, 2 * np.ones(len(y)), [0.5] * len(y)):
        np.testing.assert_allclose(Lasso(alpha=0.1).fit(X, y, sample_weight=weight).coef_, plain, rtol=1e-10)
    with pytest.raises(ValueError, match="sample_weight"):
        Lasso().fit(X, y, sample_weight=np.ones((len(y), 1)))
    with pytest.raises(ValueError, match="sample_weight is -1"):
        Lasso().fit(X, y, sample_weight=np.r_[-1.0, np.ones(len(y) - 1)])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_balance(model, weighted):
    """The weighted mean of the predictions is that of y, implicit centring and all."""
    X, y = data()
    s = np.linspace(0.1, 5, len(y)) if weighted else None
    for Z in (X, sp.csc_array(X)):
        fitted = model(alpha=0.1).fit(Z, y, sample_weight=s)
        np.testing.assert_allclose(np.average(fitted.predict(Z), weights=s), np.average(y, weights=s), rtol=1e-12)


# ---- containers and types ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("container", FORMATS)
def test_sparse_equals_dense(container):
    X, y = data()
    weight = np.linspace(1, 2, len(y))
    for model in MODELS:
        dense = model(alpha=0.05).fit(X, y, sample_weight=weight)
        sparse = model(alpha=0.05).fit(container(X), y, sample_weight=weight)
        np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=1e-7, atol=1e-10)
        np.testing.assert_allclose(sparse.intercept_, dense.intercept_, rtol=1e-9)
        np.testing.assert_allclose(sparse.predict(container(X)), dense.predict(X), rtol=1e-9)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("targets", [None, 2])
def test_paths_on_sparse_equal_dense(path, targets):
    X, y = data(targets=targets)
    _, dense, _ = path(X, y, tol=1e-10, alphas=20)
    _, sparse, _ = path(sp.csr_array(X), y, tol=1e-10, alphas=20)
    np.testing.assert_allclose(dense, sparse, rtol=1e-6, atol=1e-9)


def test_lists_and_integers():
    X, y = [[0, 0], [1, 1], [-1, -1]], [0, 1, 2]
    for model in MODELS:
        integer = model(alpha=0.1).fit(X, y).coef_
        np.testing.assert_array_equal(
            integer, model(alpha=0.1).fit(np.array(X, dtype=float), np.array(y, dtype=float)).coef_
        )
        np.testing.assert_allclose(integer, model(alpha=0.1).fit(sp.csr_array(np.array(X)), y).coef_, rtol=1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_int64_indices(model):
    X, y = data()
    narrow = sp.csr_array(X)
    wide = sp.csr_array((narrow.data, narrow.indices.astype(np.int64), narrow.indptr.astype(np.int64)), shape=X.shape)
    assert wide.indices.dtype == np.int64
    fitted = model(alpha=0.05).fit(wide, y)
    np.testing.assert_allclose(fitted.coef_, model(alpha=0.05).fit(narrow, y).coef_, rtol=1e-12)
    np.testing.assert_allclose(fitted.predict(wide), fitted.predict(X), rtol=1e-12)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, sp.csc_array])
@pytest.mark.parametrize("model", MODELS)
def test_float32_stays_float32(model, container):
    X, y = data()
    single = model(alpha=0.05).fit(container(X.astype(np.float32)), y.astype(np.float32))
    assert single.coef_.dtype == single.sparse_coef_.dtype == np.float32
    assert single.intercept_.dtype == np.float64
    assert single.predict(container(X.astype(np.float32))).dtype == np.float32
    np.testing.assert_allclose(single.coef_, model(alpha=0.05).fit(container(X), y).coef_, rtol=1e-4, atol=1e-5)
    assert enet_path(container(X.astype(np.float32)), y, alphas=3)[1].dtype == np.float32


def test_float32_takes_the_same_alphas():
    X, y = data()
    double, single = (lasso_path(sp.csr_array(X.astype(t)), y, alphas=5)[0] for t in (np.float64, np.float32))
    np.testing.assert_allclose(single, double, rtol=1e-5)


# ---- nobody's arrays are written to ------------------------------------------------------------------------------


@pytest.mark.parametrize("check_input", [True, False])
@pytest.mark.parametrize("copy_X", [True, False])
@pytest.mark.parametrize("order", ["C", "F"])
def test_dense_input_is_left_alone(check_input, copy_X, order):
    X, y = data()
    X = np.array(X, order=order)
    s = np.linspace(1, 2, len(y))
    before = X.copy(), y.copy(), s.copy()
    ElasticNet(alpha=0.1, copy_X=copy_X).fit(X, y, sample_weight=s, check_input=check_input)
    enet_path(X, y, alphas=3, copy_X=copy_X, check_input=check_input)
    for array, copy in zip((X, y, s), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("copy_X", [True, False])
def test_read_only_and_memory_mapped(tmp_path, copy_X):
    X, y = data(2000, 60)  # 1 MB
    mapped = np.memmap(tmp_path / "X", dtype=float, mode="w+", shape=X.shape)
    mapped[:] = X
    mapped.flush()
    read_only = np.memmap(tmp_path / "X", dtype=float, mode="r", shape=X.shape)
    rows = np.arange(0, 2000, 2)
    expected = Lasso(alpha=0.05).fit(X[rows], y[rows]).coef_
    np.testing.assert_array_equal(Lasso(alpha=0.05, copy_X=copy_X).fit(read_only[rows], y[rows]).coef_, expected)
    Z = sp.csc_array(X)
    Z.data.flags.writeable = Z.indices.flags.writeable = Z.indptr.flags.writeable = False
    y.flags.writeable = False
    np.testing.assert_allclose(
        Lasso(alpha=0.05, copy_X=copy_X).fit(Z, y).coef_, Lasso(alpha=0.05).fit(read_only, y).coef_, rtol=1e-7
    )


# ---- the rest of scikit-learn ------------------------------------------------------------------------------------


def test_sparse_coef_of_an_unfitted_model():
    for values in ([1, 2, 3], np.array([0.0, 2.0]), np.array([[1.0, 0.0], [0.0, 2.0]])):
        model = ElasticNet()
        assert not hasattr(model, "coef_")
        model.coef_ = values
        assert sp.issparse(model.sparse_coef_)
        np.testing.assert_array_equal(model.sparse_coef_.toarray(), np.atleast_2d(values))
        assert model.coef_ is values


def test_coef_is_writable():
    X, y = data()
    model = Lasso(alpha=0.05).fit(X, y)
    model.coef_[0] = 7.0
    assert model.coef_[0] == model.sparse_coef_[0, 0] == 7.0
    np.testing.assert_allclose(model.predict(X), X @ model.coef_ + model.intercept_, rtol=1e-12)
    np.testing.assert_allclose(model.predict(sp.csr_array(X)), X @ model.coef_ + model.intercept_, rtol=1e-12)
    model.coef_ = np.zeros(12)
    np.testing.assert_allclose(model.predict(X), model.intercept_)


def test_sparse_interface_follows_the_configuration():
    X, y = data()
    model = Lasso(alpha=0.05).fit(X, y)
    with config_context(sparse_interface="sparray"):
        assert isinstance(model.sparse_coef_, sp.csr_array)
    with config_context(sparse_interface="spmatrix"):
        assert isinstance(model.sparse_coef_, sp.csr_matrix)


def test_clone_pickle_pipeline_search():
    X, y = data()
    model = ElasticNet(alpha=0.05, penalty_factor=np.linspace(0, 1, 12), standardize=True).fit(sp.csr_array(X), y)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict(X), model.predict(X))
    assert not hasattr(clone(model), "coef_")
    assert cross_val_score(make_pipeline(StandardScaler(), Lasso(alpha=0.01)), X, y).min() > 0.9
    search = GridSearchCV(ElasticNet(), {"alpha": [0.01, 0.1], "l1_ratio": [0.5, 1.0]}).fit(X, y)
    assert search.best_params_["alpha"] == 0.01
    chosen, theirs = (SelectFromModel(m.Lasso(alpha=0.1)).fit(X, y).get_support() for m in (sparsereg, linear_model))
    assert 0 < chosen.sum() < 12
    np.testing.assert_array_equal(chosen, theirs)


def test_data_frames():
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    X, y = data()
    names = [f"c{j}" for j in range(12)]
    plain = Lasso(alpha=0.05).fit(X, y)
    for frame in (pandas.DataFrame(X, columns=names), polars.DataFrame(X, schema=names)):
        model = Lasso(alpha=0.05).fit(frame, pandas.Series(y))
        assert model.feature_names_in_.tolist() == names
        assert model.n_features_in_ == 12
        np.testing.assert_array_equal(model.coef_, plain.coef_)
        np.testing.assert_allclose(model.predict(frame), plain.predict(X), rtol=1e-12)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(pandas.DataFrame(X, columns=names[::-1]))
    sparse_frame = pandas.DataFrame.sparse.from_spmatrix(sp.csr_array(X), columns=names)
    np.testing.assert_allclose(Lasso(alpha=0.05).fit(sparse_frame, y).coef_, plain.coef_, rtol=1e-7, atol=1e-12)


def test_metadata_routing():
    X, y = data()
    s = np.random.default_rng(0).uniform(size=len(y))
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(StandardScaler(with_mean=False), Lasso(alpha=0.1).set_fit_request(sample_weight=True))
        pipeline[0].set_fit_request(sample_weight=False)
        routed = pipeline.fit(X, y, sample_weight=s)[-1]
        assert set(routed.get_metadata_routing().fit.requests) == {"sample_weight"}
    scaled = StandardScaler(with_mean=False).fit_transform(X)
    np.testing.assert_array_equal(routed.coef_, Lasso(alpha=0.1).fit(scaled, y, sample_weight=s).coef_)


def test_scikit_learns_tests_name_their_files():
    """A path in place of a name would select no tests."""
    script = Path(__file__).parent / "scikit_learn" / "their_tests.py"
    ran = subprocess.run(
        [sys.executable, script, "linear_model/tests/test_ridge.py"], text=True, capture_output=True, check=False
    )
    assert ran.returncode == 1
    assert "linear_model/tests/test_ridge.py is none of the files" in ran.stderr
