"""Numbers near the ends of double precision: an answer, or an error in our words; no warnings of NumPy's."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

import sparsereg as S
from sparsereg.penalties.rows import row_norms

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 4))
Y = X @ [3.0, -2.0, 1.0, 0.0] + 0.1 * RNG.normal(size=40)
CASES = {
    "squared": Y,
    "logistic": Y > 0.0,
    "poisson": RNG.poisson(np.exp(0.3 * X[:, 0])),
    "huber": Y,
    "multinomial": np.argsort(np.argsort(Y)) * 3 // 40,
    "several targets": np.column_stack([Y, Y]),
}


def attempt(call):
    """What it gives, or None for an error that says what to do."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            return call()
        except ValueError as error:
            if not any(word in str(error) for word in ("escale", "alphas", "l1_ratio")):
                raise
            return None


@pytest.mark.parametrize("scale", [1e-200, 1e-158, 1.0, 1e150, 1e155, 1e200, 1e300])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_paths_of_any_scale_and_mix(scale, name, kind):
    loss = "squared" if name == "several targets" else name
    for columns in (np.full(4, scale), np.array([scale, 1.0, 1.0, 1.0])):
        for l1_ratio in (0.0, 1e-320, 1e-200, 0.5, 1.0):
            for factor in (None, [0.0, 1.0, 1.0, 1.0]):
                options = {"loss": loss, "l1_ratio": l1_ratio, "penalty_factor": factor}
                for alphas in ([0.1], 3):
                    found = attempt(
                        lambda options=options, alphas=alphas, columns=columns: S.regularization_path(
                            kind(X * columns), CASES[name], alphas=alphas, **options
                        )
                    )
                    assert found is None or np.isfinite(found.intercepts).all()


@pytest.mark.parametrize("scale", [1e-170, 1e-161, 1e-158, 1e-150, 1e150])
@pytest.mark.parametrize("solver", ["dual", "gram", "svd", "cg", "auto"])
def test_ridge_of_any_scale(scale, solver):
    for wide in (X, X.T):
        columns = np.append(scale, np.ones(wide.shape[1] - 1))
        for alpha in (1.0, 1e-300, 1e-310, 0.0, scale * scale):
            for Z in (wide * scale, wide * columns):
                model = attempt(lambda Z=Z, alpha=alpha: S.Ridge(alpha, solver=solver).fit(Z, Y[: len(Z)]))
                assert model is None or np.isfinite(model.coef_).all()


def test_norms_of_rows_whose_squares_overflow():
    np.testing.assert_allclose(row_norms(np.array([[3e200, 4e200], [0.0, 1.0]])), [5e200, 1.0])


@pytest.mark.parametrize("model", [S.Lasso(1e-20), S.MultiTaskLasso(1e-20), S.LassoCV(cv=3)])
def test_coefficients_beyond_single_precision_are_refused(model):
    """Those of several targets were infinite, with no more than a warning of NumPy's."""
    small, y = (1e-27 * X).astype(np.float32), 1e13 * Y
    y = np.column_stack([y, y]) if isinstance(model, S.MultiTaskLasso) else y
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        with pytest.raises(ValueError, match="large values"):
            model.fit(small, y)


@pytest.mark.parametrize("model", [S.LogisticRegression(), S.LogisticRegressionCV(Cs=3), S.SquaredHingeClassifier()])
def test_weights_whose_sum_has_no_inverse_are_named(model):
    """C stands beside a sum."""
    X, y = np.random.default_rng(0).normal(size=(20, 2)), np.tile([0, 1], 10)
    with pytest.raises(ValueError, match=r"C=.* times the sum of the weights, 2e-309, has an inverse that overflows"):
        model.fit(X, y, sample_weight=np.full(20, 1e-310))
