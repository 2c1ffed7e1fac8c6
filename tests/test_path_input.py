"""What a path takes, leaves unchanged, refuses and returns: widths, containers, degenerate problems, errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from test_path import crosses

from sparsereg import ElasticNet, LogisticRegression, PoissonRegressor, regularization_path
from sparsereg.rows.memory import MemoryGram


def test_hypersparse_path():
    """233 million columns: the answer equals that on the observed columns alone."""
    X, y = crosses(300)
    width = 233_000_000
    spread = np.sort(np.random.default_rng(0).choice(width, X.shape[1], replace=False))
    wide = sp.csr_array((X.data, spread[X.indices], X.indptr.astype(np.int64)), shape=(300, width))
    path, narrow = regularization_path(wide, y, alphas=10, tol=1e-9), regularization_path(X, y, alphas=10, tol=1e-9)
    assert path.coefs.shape == (width, 10)
    columns, values = path.point(9)
    expected = narrow.point(9)
    np.testing.assert_array_equal(columns, spread[expected[0]])
    np.testing.assert_allclose(values, expected[1], atol=1e-9)
    np.testing.assert_allclose(path.predict(wide), narrow.predict(X), atol=1e-9)


def test_predict_and_point():
    X, y = crosses(200)
    path = regularization_path(X, y, alphas=5)
    dense = path.coefs.toarray()
    for k in (0, 3, -1):
        columns, values = path.point(k)
        np.testing.assert_array_equal(dense[columns, k], values)
        np.testing.assert_allclose(path.predict(X, k), X @ dense[:, k] + path.intercepts[k])


def test_callback_sees_every_point():
    X, y = crosses(100)
    seen = []
    path = regularization_path(X, y, alphas=4, callback=lambda *args: seen.append(args))
    assert seen == [(i, 4, path.alphas[i], path.n_nonzero[i]) for i in range(4)]


@pytest.mark.parametrize("form", ["csr", "csc", "dense"])
@pytest.mark.parametrize("ending", ["fine", "failed", "interrupted"])
def test_input_is_bit_for_bit_unchanged(form, ending):
    X, y = crosses(200)
    X = X.toarray() if form == "dense" else X.asformat(form)
    s = np.linspace(0.1, 1, 200)
    arrays = [X] if form == "dense" else [X.data, X.indices, X.indptr]
    arrays += [y, s]
    before = [a.tobytes() for a in arrays]

    def interrupt(i, *_):
        if i == 3:
            raise KeyboardInterrupt

    if ending == "fine":
        regularization_path(X, y, sample_weight=s, alphas=10)
    elif ending == "failed":
        with pytest.raises(ValueError, match="offset"):
            regularization_path(X, y, sample_weight=s, offset=np.full(200, np.nan))
    else:
        with pytest.raises(KeyboardInterrupt):
            regularization_path(X, y, sample_weight=s, alphas=10, callback=interrupt)
    assert [a.tobytes() for a in arrays] == before


def test_interrupted_while_columns_join(monkeypatch):
    """Half of a batch is in the Gram matrix then, of which nothing more may be asked, whatever the round was at."""
    X, y = correlated_crosses()
    extend, countdown = MemoryGram.extend, [0]

    def interrupted(self, cols):
        countdown[0] -= 1
        extend(self, cols if countdown[0] else cols[:1])
        if not countdown[0]:
            raise KeyboardInterrupt

    monkeypatch.setattr(MemoryGram, "extend", interrupted)
    for countdown[0] in range(1, 41):
        with pytest.raises(KeyboardInterrupt):
            regularization_path(X, y, alphas=40, eps=1e-4, tol=1e-5)


def correlated_crosses():
    """Whose path takes more than 40 batches of columns, some of them from projected dual points."""
    rng = np.random.default_rng(0)
    rare = np.eye(200)[np.minimum(rng.geometric(0.03, 2000), 200) - 1]
    X = sp.csr_array(np.hstack([rng.random((2000, 30)) < 0.4, rare]))
    return X, X @ rng.normal(size=230) + rng.normal(size=2000)


def test_degenerate_problems():
    X, y = crosses(50)
    flat = regularization_path(X, np.full(50, 2.5), alphas=3)
    assert flat.n_nonzero.sum() == 0
    np.testing.assert_array_equal(flat.intercepts, 2.5)
    np.testing.assert_array_equal(flat.alphas, np.finfo(float).resolution)
    empty = regularization_path(sp.csr_array((50, 7)), y, alphas=3)
    assert empty.certified.all()
    assert empty.coefs.nnz == 0
    one_row = regularization_path(X[:1], y[:1], alphas=2)
    np.testing.assert_allclose(one_row.intercepts, y[0])
    constant = regularization_path(np.column_stack([np.ones(50), X.toarray()[:, :3]]), y, alphas=5)
    assert (constant.coefs.toarray()[0] == 0).all()
    doubled = sp.hstack([X, X], format="csr")  # duplicate columns: many minima, one objective
    twice, once = regularization_path(doubled, y, alphas=5, tol=1e-10), regularization_path(X, y, alphas=5, tol=1e-10)
    np.testing.assert_allclose(twice.predict(doubled), once.predict(X), atol=1e-4)


def test_unpenalised_columns_are_least_squares_at_alpha_max():
    rng = np.random.default_rng(0)
    X = np.hstack([rng.normal(size=(80, 2)) + 1, (rng.random((80, 10)) < 0.2).astype(float)])
    y = X[:, :2] @ [3.0, -2.0] + rng.normal(size=80)
    factor = np.r_[0.0, 0.0, np.ones(10)]
    path = regularization_path(X, y, penalty_factor=factor, alphas=6, tol=1e-10)
    assert path.certified.all()
    expected = np.linalg.lstsq(np.column_stack([np.ones(80), X[:, :2]]), y, rcond=None)[0]
    np.testing.assert_allclose(path.coefs[:2, [0]].toarray().ravel(), expected[1:], atol=1e-4)
    assert path.n_nonzero[0] == 2
    assert path.n_nonzero[-1] > 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"l1_ratio": 1.5}, r"l1_ratio=1.5: expected a number at least 0 and at most 1"),
        ({"l1_ratio": 0.0}, "not supported for l1_ratio=0"),
        ({"alphas": 0}, "alphas=0: expected an integer at least 1"),
        ({"alphas": [-1.0]}, "non-negative strengths"),
        ({"alphas": []}, "one or more"),
        ({"fit_intercept": "no"}, "fit_intercept='no': expected True or False"),
        ({"sample_weight": -1.0}, "sample_weight=-1.0: expected a finite number above 0"),
        ({"eps": 0.0}, "eps=0.0: expected a number above 0"),
        ({"tol": -1.0}, "tol=-1.0"),
        ({"max_iter": 1.5}, "max_iter=1.5: expected an integer"),
        ({"solver": "magic"}, "solver='magic': expected one of 'auto'"),
        ({"sample_weight": np.ones(3)}, r"sample_weight has shape \(3,\); expected \(50,\)"),
        ({"sample_weight": np.ones((50, 1))}, "sample_weight has shape"),
        ({"sample_weight": np.zeros(50)}, "zero for every row"),
        ({"sample_weight": -np.ones(50)}, "sample_weight is -1.0 at position 0"),
        ({"penalty_factor": np.ones(2)}, "one number for each of the columns"),
        ({"penalty_factor": "a"}, "expected real numbers"),
        ({"offset": np.full(50, np.inf)}, "offset contains inf at position 0"),
    ],
)
def test_bad_options_are_named(options, message):
    X, y = crosses(50)
    with pytest.raises(ValueError, match=message):
        regularization_path(X, y, **options)


def test_bad_targets_are_named():
    X, y = crosses(50)
    y[7] = np.nan
    with pytest.raises(ValueError, match="y contains nan at position 7"):
        regularization_path(X, y)
    with pytest.raises(ValueError, match=r"y has shape \(49,\)"):
        regularization_path(X, y[:49])


def test_short_of_the_tolerance_is_said():
    X, y = crosses(300)
    with pytest.warns(ConvergenceWarning, match="did not reach tol=1e-14.* of the target's mean square"):
        path = regularization_path(X, y, alphas=[0.0001], tol=1e-14, max_iter=1)
    with pytest.warns(ConvergenceWarning, match="did not reach tol=1e-14.* of the null model's loss a row"):
        regularization_path(X, y > 0.0, loss="logistic", alphas=[0.0001], tol=1e-14, max_iter=1)
    assert not path.certified.all()


def test_predict_checks_what_it_is_given():
    X, y = crosses(100)
    path = regularization_path(X, y, alphas=5)
    expected = path.predict(X)
    np.testing.assert_allclose(path.predict(X.toarray().tolist()), expected)
    np.testing.assert_allclose(path.predict(pd.DataFrame(X.toarray())), expected)
    with pytest.raises(ValueError, match="the path was fitted on"):
        path.predict(X[:, :-1])
    with pytest.raises(ValueError, match="NaN at row 0, column 0"):
        path.predict(np.full(X.shape, np.nan))


def test_a_path_may_end_early_and_says_so():
    X, y = np.eye(6), np.arange(6.0)
    whole = regularization_path(X, y, alphas=10)
    assert whole.stopped is None
    ended = regularization_path(X, y, alphas=10, stop_when=lambda _a, n_nonzero, _d: n_nonzero >= 2)
    assert ended.stopped == "stop_when"
    np.testing.assert_array_equal(ended.alphas, whole.alphas[: len(ended.alphas)])
    np.testing.assert_array_equal(ended.n_nonzero >= 2, np.arange(len(ended.alphas)) == len(ended.alphas) - 1)
    timed = regularization_path(X, y, alphas=10, max_seconds=1e-9)
    assert (timed.stopped, len(timed.alphas)) == ("max_seconds", 1)
    with pytest.raises(ValueError, match="max_seconds=0"):
        regularization_path(X, y, max_seconds=0)
    with pytest.raises(ValueError, match="stop_when=3"):
        regularization_path(X, y, stop_when=3)


@pytest.mark.parametrize("scale", [1e-200, 1e155])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(
    "fit",
    [
        lambda X, y, **kw: regularization_path(X, y, loss="multinomial", alphas=[0.05], **kw),
        lambda X, y, **kw: regularization_path(X, np.column_stack([y, y == 1]).astype(float), alphas=[0.05], **kw),
        lambda X, y, **kw: LogisticRegression(**kw).fit(X, y > 0),
        lambda X, y, **kw: LogisticRegression(**kw).fit(X, y),
        lambda X, y, **kw: PoissonRegressor(l1_ratio=0.5, **kw).fit(X, y),
    ],
    ids=["multinomial path", "multi-task path", "logistic", "multinomial", "poisson"],
)
def test_a_column_without_a_penalty_that_cannot_be_squared_is_refused(fit, fit_intercept, scale):
    """It would be taken for constant, and what is left be certified."""
    X = np.random.default_rng(0).normal(size=(40, 3))
    y = (X[:, 0] > 0.0).astype(int) + (X[:, 1] > 0.8)
    X[:, 0] *= scale
    with pytest.raises(ValueError, match=r"too (large|small) to square"), np.errstate(all="ignore"):
        fit(X, y, fit_intercept=fit_intercept, penalty_factor=[0.0, 1.0, 1.0])


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.filterwarnings("ignore:1 of 1 points did not reach tol=0")
def test_an_exact_fit_at_a_tolerance_of_0(l1_ratio):
    """Columns without a penalty that leave no residual; nothing is left to divide by."""
    rng = np.random.default_rng(0)
    X, y, factor = rng.normal(size=(3, 6)), rng.normal(size=3), np.array([0.0] * 4 + [1.0] * 2)
    path = regularization_path(X, y, penalty_factor=factor, alphas=[0.1], tol=0.0, l1_ratio=l1_ratio)
    np.testing.assert_allclose(path.intercepts + X @ path.coefs.toarray()[:, 0], y, atol=1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_fit_that_crawls_where_no_strength_is_large_enough_for_all_zeros():
    """At a tiny l1_ratio there are no stronger penalties to go by way of."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 80)) + 1e-4 * rng.normal(size=(60, 80))
    with np.errstate(all="ignore"):
        model = ElasticNet(alpha=1e-6, l1_ratio=1e-300, tol=1e-13, max_iter=100)
        fitted = model.fit(X, 1e14 * rng.normal(size=60))
    assert np.isfinite(fitted.coef_).all()
