"""Fits without an l1 penalty: rows that are equal are one row, and a direct factor comes where products are dear."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsereg import LogisticRegression, PoissonRegressor
from sparsereg.linear_model import equal_rows
from sparsereg.solvers.smooth_problem import SmoothProblem


def levels(n=3000, seed=0, numbers=(4, 5, 3)):
    """One-hot fields and the cross of the first two, a CSR of ones with few distinct rows."""
    rng = np.random.default_rng(seed)
    codes = [rng.integers(0, k, n) for k in numbers]
    codes.append(codes[0] * numbers[1] + codes[1])
    X = np.hstack([code[:, None] == np.arange(code.max() + 1) for code in codes]).astype(float)
    return sp.csr_array(X), X @ rng.normal(size=X.shape[1]), rng


MODELS = {
    "binary": LogisticRegression(C=5.0, tol=1e-10),
    "softmax": LogisticRegression(C=5.0, tol=1e-10),
    "poisson": PoissonRegressor(alpha=1e-3, tol=1e-10),
    "free": LogisticRegression(C=5.0, tol=1e-10, penalty_factor=np.r_[0.0, 0.0, np.ones(30)]),
    "float32": LogisticRegression(C=5.0, tol=1e-10),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", list(MODELS))
def test_distinct_rows_give_the_fit_of_all(kind, weighted, monkeypatch):
    """With weights too, some of which are 0."""
    (X, z, rng), model = levels(), MODELS[kind]
    y = {
        "softmax": np.argmax(rng.gumbel(size=(z.size, 3)) + np.outer(z, [1.0, 0.0, -1.0]), axis=1),
        "poisson": rng.poisson(np.exp(0.3 * z)),
    }.get(kind, z + rng.logistic(size=z.size) > 0.0)
    X = X.astype(np.float32) if kind == "float32" else X
    s = rng.integers(0, 3, z.size) * rng.uniform(0.5, 1.5, z.size) if weighted else None
    sizes, own = [], equal_rows.smooth_newton
    monkeypatch.setattr(equal_rows, "smooth_newton", lambda p, *rest: sizes.append(p.design.n_rows) or own(p, *rest))
    found = model.fit(X, y, sample_weight=s)
    coef, intercept, gap = found.coef_.copy(), np.copy(found.intercept_), found.dual_gap_
    assert sizes == [60]
    monkeypatch.setattr(equal_rows, "_over_distinct_rows", lambda _: None)
    whole = model.fit(X, y, sample_weight=s)
    assert sizes[1] > 1000
    exact = 1e-5 if kind == "float32" else 1e-7
    np.testing.assert_allclose(coef, whole.coef_, atol=exact)
    np.testing.assert_allclose(intercept, whole.intercept_, atol=exact)
    assert gap == pytest.approx(whole.dual_gap_, abs=1e-10)


def test_rows_that_differ_stay(monkeypatch):
    """Numbers, offsets, and rows of which more than half are distinct."""
    X, z, rng = levels()
    y, sizes, own = z + rng.logistic(size=z.size) > 0.0, [], equal_rows.smooth_newton
    monkeypatch.setattr(equal_rows, "smooth_newton", lambda p, *rest: sizes.append(p.design.n_rows) or own(p, *rest))
    numbers = X.copy()
    numbers.data[0] = 2.0
    LogisticRegression().fit(numbers, y)
    LogisticRegression().fit(X, y, offset=rng.normal(size=y.size))
    apart = sp.random_array((2000, 40), density=0.2, rng=rng, format="csr")
    apart.data[:] = 1.0
    LogisticRegression().fit(apart, y[:2000])
    assert sizes == [3000, 3000, 2000]


def test_a_direct_factor_takes_over_where_products_are_dear(monkeypatch):
    """A weak penalty on nested columns: conjugate gradients take hundreds of products a step."""
    X, z, rng = levels(n=20_000, numbers=(20, 40, 5))
    y = z + rng.logistic(size=z.size) > 0.0
    assert X.shape[1] > 600
    X = 2.0 * X  # no columns of ones, which ridge's preconditioners would solve
    chosen, own = [], SmoothProblem.factorises_sooner
    monkeypatch.setattr(SmoothProblem, "factorises_sooner", lambda *args: chosen.append(own(*args)) or chosen[-1])
    model = LogisticRegression(C=1e4, tol=1e-8).fit(X, y)
    assert not chosen[0]
    assert any(chosen)
    direct = model.coef_.copy()
    monkeypatch.setattr(SmoothProblem, "factorises_sooner", lambda *_: False)
    by_products = LogisticRegression(C=1e4, tol=1e-8).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), by_products.predict_proba(X), atol=1e-6)
    np.testing.assert_allclose(direct, by_products.coef_, atol=1e-3)
