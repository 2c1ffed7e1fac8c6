"""Newton steps of losses by ridge's preconditioners: against dense equations, and the fits that they lead to."""

from __future__ import annotations

import numpy as np
import pytest
from factor_designs import crossed, one_hot, saturated

from sparsereg import GammaRegressor, LogisticRegression, PoissonRegressor, SquaredHingeClassifier
from sparsereg.data.design import as_design
from sparsereg.linear_model.loss_fit import LossFit
from sparsereg.ridge.weighted_step import WeightedStep

DESIGNS = {
    "crossed": crossed(),
    "saturated": saturated(),
    "missing": one_hot([np.arange(300) % 7, np.arange(300) % 11], missing=0.3),
}


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("name", DESIGNS)
def test_it_solves_the_weighted_equations(name: str, fit_intercept: bool) -> None:
    X, rng = as_design(DESIGNS[name]), np.random.default_rng(0)
    h, r = rng.uniform(0.0, 2.0, X.n_rows), rng.normal(size=X.n_cols)
    h[:50] = 0.0
    dense = X.observed().toarray()
    centred = dense - (h @ dense / h.sum() if fit_intercept else 0.0)
    l2 = rng.uniform(0.01, 1.0, X.n_cols)
    H = centred.T @ (h[:, None] * centred) + np.diag(l2)
    d = WeightedStep(X, l2, fit_intercept, 1_000)(h, r, 1e-12)[0]
    np.testing.assert_allclose(H @ d, r, atol=1e-9)


def wide(n: int = 6_000) -> tuple[object, np.ndarray]:
    """Nested crosses of more columns than are factorised, and a rate."""
    rng = np.random.default_rng(1)
    a, b, c = rng.zipf(1.3, n) % 40, rng.zipf(1.3, n) % 30, rng.integers(0, 20, n)
    eta = rng.normal(size=40)[a] - 1.0 + 0.5 * rng.normal(size=(30, 20))[b, c]
    return one_hot([a, b, c, a * 30 + b, b * 20 + c]), rng.poisson(np.exp(eta)).astype(float)


@pytest.mark.parametrize(
    "model",
    [
        PoissonRegressor(alpha=1e-5, l1_ratio=0.0),
        GammaRegressor(alpha=1e-4, l1_ratio=0.0),
        LogisticRegression(C=30.0),
        LogisticRegression(C=3.0, fit_intercept=False),
        SquaredHingeClassifier(C=3.0, l1_ratio=0.0),
    ],
    ids=str,
)
def test_fits_are_those_of_plain_conjugate_gradients(model, monkeypatch) -> None:
    X, y = wide()
    assert X.shape[1] > 600
    y = y + 0.1 if isinstance(model, GammaRegressor) else y
    y = y if hasattr(model, "alpha") else (y > 0.0).astype(int)
    calls: list[int] = []
    step = WeightedStep.__call__
    monkeypatch.setattr(WeightedStep, "__call__", lambda *args: calls.append(1) or step(*args))
    found = np.ravel(model.set_params(max_iter=1_000).fit(X, y).coef_).copy()
    assert calls
    assert model.gradient_norm_ < 1e-6
    monkeypatch.setattr(LossFit, "_step_of_ridge", None)
    np.testing.assert_allclose(found, np.ravel(model.fit(X, y).coef_), atol=1e-6 * np.abs(found).max())
