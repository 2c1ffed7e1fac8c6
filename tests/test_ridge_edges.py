"""Ridge's errors and warnings, X without entries, targets and columns at the limits of rounding."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model as skl
from scipy.optimize import nnls
from sklearn.exceptions import ConvergenceWarning
from test_ridge import METHODS, data

from sparsereg import Ridge, RidgeClassifier, RidgeCV, degrees_of_freedom, ridge_path


@pytest.mark.parametrize(
    "bad",
    [
        {"alpha": -1.0},
        {"alpha": [1.0, -1.0]},
        {"alpha": np.inf},
        {"alpha": "high"},
        {"tol": -1e-3},
        {"max_iter": 0},
        {"solver": "magic"},
        {"penalty_factor": -np.ones(15)},
        {"penalty_factor": np.ones(14)},
        {"solver": "lbfgs"},
        {"positive": True, "solver": "svd"},
    ],
)
def test_bad_parameters_are_named(bad: dict[str, object]) -> None:
    X, y, _ = data()
    with pytest.raises(ValueError, match=list(bad)[-1]):
        Ridge(**bad).fit(X, np.c_[y, y])


def test_as_many_alphas_as_targets() -> None:
    X, y, _ = data()
    with pytest.raises(ValueError, match="Number of targets and number of penalties do not correspond: 3 != 2"):
        Ridge(alpha=[1.0, 2.0, 3.0]).fit(X, np.c_[y, y])


@pytest.mark.parametrize(
    "weights", [np.ones((120, 1)), np.ones(119), -np.ones(120), np.zeros(120), np.full(120, np.nan)]
)
def test_bad_weights_are_named(weights: np.ndarray) -> None:
    X, y, _ = data()
    with pytest.raises(ValueError, match=r"sample_weight|Sample weights"):
        Ridge().fit(X, y, sample_weight=weights)


def test_numbers_too_large_to_square() -> None:
    X, y, _ = data()
    for solver in METHODS:
        with pytest.raises(ValueError, match="too large to square"), np.errstate(all="ignore"):
            Ridge(solver=solver).fit(X * 1e200, y)


EMPTY = sp.csr_array((30, 4))


@pytest.mark.parametrize(
    "parameters",
    [
        *({"solver": method} for method in METHODS),
        {"alpha": 0.0},
        {"positive": True},
        {"fit_intercept": False},
        {"penalty_factor": "dropout", "dropout_rate": 0.5},
    ],
)
def test_nothing_stored_leaves_the_mean(parameters: dict[str, object]) -> None:
    _, y, s = data(20, 30)
    model = Ridge(**parameters).fit(EMPTY, y, s)
    mean = np.average(y, weights=s) if model.fit_intercept else 0.0
    np.testing.assert_array_equal(model.coef_, np.zeros(4))
    np.testing.assert_allclose(model.predict(EMPTY), np.full(30, mean))
    assert model.gradient_norm_ == model.dual_gap_ == 0.0
    assert degrees_of_freedom(model, EMPTY, s).total == degrees_of_freedom(model, EMPTY, s, n_probes=4).total == 0.0


def test_nothing_stored_has_nothing_to_stop() -> None:
    _, y, _ = data(20, 30)
    model = Ridge(early_stopping=True, random_state=0).fit(EMPTY, np.stack([y, -y], axis=1))
    np.testing.assert_array_equal(model.coef_, np.zeros((2, 4)))
    np.testing.assert_array_equal(model.equivalent_alpha_, [np.inf, np.inf])


@pytest.mark.parametrize("solver", METHODS)
def test_nothing_stored_along_a_path(solver: str) -> None:
    _, y, s = data(20, 30)
    path = ridge_path(EMPTY, y, alphas=[1.0, 0.0], sample_weight=s, solver=solver)
    np.testing.assert_allclose(path.predict(EMPTY, 0), np.full(30, np.average(y, weights=s)))
    assert path.coefs.shape == (4, 2)
    assert path.coefs.nnz == 0
    assert (path.dual_gaps == 0.0).all()


def test_coefficients_made_at_access_are_read_only() -> None:
    X = sp.csr_array(([1.0, 2.0, 3.0], ([0, 1, 2], [1, 5, 7])), shape=(3, 100))
    model = Ridge().fit(X, [1.0, 2.0, 4.0])
    before = model.coef_[5]
    with pytest.raises(ValueError, match="read-only"):
        model.coef_[5] = 7.0
    model.coef_ = np.ones(100)
    model.coef_[5] = 7.0
    assert before != model.coef_[5] == 7.0


@pytest.mark.parametrize("bad", [{"fit_intercept": "no"}, {"positive": 1}, {"alpha": None}])
def test_what_is_no_flag_or_number_is_named(bad: dict[str, object]) -> None:
    X, y, _ = data()
    ((name, value),) = bad.items()
    with pytest.raises(ValueError, match=f"{name}={value!r}: expected"):
        Ridge(**bad).fit(X, y)


def test_a_factorisation_that_fails_says_so() -> None:
    rng = np.random.default_rng(0)
    X, y, s = rng.normal(size=(40, 5)), rng.normal(size=40), 10.0 ** rng.uniform(-6, 6, 40)
    with pytest.warns(ConvergenceWarning, match="what is left is rounding"):
        Ridge(alpha=1e-12, solver="dual").fit(X, y, s)
    assert Ridge(alpha=1e-12).fit(X, y, s).gradient_norm_ < 1e-12


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("entry", "alpha"), [(Ridge, 1e-10), (Ridge, 1e-11), (ridge_path, 1e-8), (ridge_path, 1e-10)])
def test_digits_that_a_weak_penalty_costs_the_kernel_are_restored(entry, alpha: float, weighted: bool) -> None:
    """The coefficients of the rows are the residual over alpha, and cancel in those of the columns."""
    rng = np.random.default_rng(0)
    X, y, s = rng.normal(size=(40, 5)), rng.normal(size=40), rng.uniform(0.1, 10.0, 40) if weighted else None
    exact = Ridge(alpha=alpha, solver="svd").fit(X, y, s).coef_
    if entry is Ridge:
        found = Ridge(alpha=alpha, solver="dual", tol=1e-12).fit(X, y, s).coef_  # a warning is an error here
    else:
        found = ridge_path(X, y, alphas=[alpha], solver="dual", tol=1e-12, sample_weight=s).coefs.toarray()[:, 0]
    np.testing.assert_allclose(found, exact, rtol=1e-9)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array, sp.csc_array])
@pytest.mark.parametrize("solver", ["gram", "cg", "dual", "svd"])
def test_gradients_where_one_row_holds_nearly_all_the_weight_are_true(solver: str, kind: type) -> None:
    """Means are nearly that row, and columns nearly constant."""
    rng = np.random.default_rng(1)
    X, y, s = np.ceil(rng.uniform(0, 1, (12, 6)) - 0.4), rng.normal(size=12), np.ones(12)
    X[0], s[0] = 1.0, 1e4
    model = Ridge(alpha=1e-3, solver=solver, tol=1e-11).fit(kind(X), y, s)
    real = np.longdouble
    X, s, w = X.astype(real), s.astype(real), model.coef_.astype(real)
    Xc, yc = X - s @ X / s.sum(), y - s @ y.astype(real) / s.sum()
    g = Xc.T @ (s * (yc - Xc @ w)) - real(1e-3) * w
    true = float(np.linalg.norm(g.astype(float)) / np.linalg.norm((Xc.T @ (s * yc)).astype(float)))
    assert true <= model.gradient_norm_ + 1e-14


def nearly_singular(solver: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, np.ndarray]:
    """Smooth columns beside constant ones, y, the weights, alpha and factors."""
    if solver == "gram":
        t, y, s = np.zeros((10, 6)), np.array([0, 1, 1, 1, 1, 0, 0, 0, 0, 0]), np.zeros(10)
        s[2:] = [1.019, 1, 66578.669, 0.378, 169410.656, 1883.88, 0.029, 3334.437]
        t[3:, 0] = [0.001, 0.48, 0.083, 0.028, 0.023, 0.003, 0.002]
        t[4:, 3] = [0.005, 0.082, 0.202, 0.226, 0.554, 0.616]
        t[4:, 4] = [0.001, 0.033, 0.097, 0.111, 0.345, 0.398]
        t[5:, 5] = [0.001, 0.005, 0.006, 0.036, 0.047]
        t[:, 1:3] = 5280395.77580992
        return t, 2.0 * y - 1.0, s, 1.32628527e-08, np.array([1, 0, 1, 1, 1, 1])
    rng = np.random.default_rng(14)
    x = np.sort(rng.uniform(-1, 1, 10))
    bumps = np.exp(-((x[:, None] - np.linspace(-1, 1, 25)) ** 2) / rng.choice([0.002, 0.02, 0.1, 1]))
    v = np.ones(29)
    v[[3, 28]] = 0.0
    return np.column_stack([bumps, np.full((10, 4), 5280395.776)]), x > 0.5, 10.0 ** rng.uniform(-6, 6, 10), 1e-8, v


@pytest.mark.parametrize("solver", ["gram", "cg"])
def test_constant_columns_stay_at_0_where_others_are_singular(solver: str) -> None:
    X, y, s, alpha, v = nearly_singular(solver)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = Ridge(alpha=alpha, penalty_factor=v, solver=solver).fit(X, y, s)
    assert not caught
    assert not model.coef_[np.ptp(X, axis=0) == 0.0].any()


@pytest.mark.parametrize("kind", [Ridge, RidgeCV])
@pytest.mark.parametrize("constant", [True, False])
def test_a_target_beyond_single_precision_is_named(kind: type, constant: bool) -> None:
    X, y, _ = data(21, 30, 5)
    y = np.full(30, 1e59) if constant else 1e60 * (y - y.mean())
    with pytest.raises(
        ValueError,
        match=r"y is too large for coefficients in float32: its largest absolute value is \d.*e\+\d\d\. Rescale",
    ):
        kind().fit(X.astype(np.float32), y)
    assert np.isfinite(kind().fit(X, y).intercept_)


@pytest.mark.parametrize("method", ["gram", "dual", "cg"])
def test_a_target_too_small_to_square_says_so(method: str) -> None:
    X, y, _ = data(22, 30, 5)
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        model = Ridge(solver=method).fit(X, 1e-200 * y)
    assert model.gradient_norm_ > 0.1


@pytest.mark.parametrize("method", ["gram", "dual", "svd", "cg"])
def test_a_target_too_large_to_square_is_named(method: str) -> None:
    X, y, _ = data(22, 30, 5)
    with pytest.raises(ValueError, match="too large to square"):
        Ridge(solver=method).fit(X, 1e200 * y)


def test_rounding_in_a_constant_column_is_no_gradient() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        y, s = 1e5 + rng.normal(size=7), rng.uniform(0.1, 2.0, 7)
        model = Ridge(alpha=0.0).fit(np.ones((7, 2)), y, s)  # a warning is an error here
        assert model.gradient_norm_ == 0.0


@pytest.mark.parametrize("solver", ["auto", "cg", "gram"])
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array, sp.csc_array])
@pytest.mark.parametrize(("value", "n", "weighted"), [(0.1, 1000, False), (1 / 3, 1000, False), (7.3, 100_000, True)])
def test_a_constant_column_that_is_not_penalised_is_left_to_the_intercept(solver, kind, value, n, weighted):
    """Rounding in its square is no curvature, and that in its products no reason for a coefficient."""
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(n, 2))
    y, s = Z @ [1.0, 2.0] + 3.0 + 0.1 * rng.normal(size=n), rng.random(n) if weighted else None
    X = kind(np.column_stack([Z, np.full(n, value)]))
    model = Ridge(penalty_factor=[1.0, 1.0, 0.0], solver=solver).fit(X, y, sample_weight=s)
    plain = Ridge().fit(Z, y, sample_weight=s)
    assert model.coef_[2] == 0.0
    np.testing.assert_allclose(model.coef_[:2], plain.coef_, rtol=1e-6)
    assert model.intercept_ == pytest.approx(plain.intercept_, rel=1e-6)


def test_without_an_intercept_it_is_a_plain_zero():
    """As scikit-learn has it, also for several targets and classes."""
    X = np.random.default_rng(0).normal(size=(20, 3))
    Y = X @ np.ones((3, 2))
    classes = (Y[:, 0] > 0).astype(int) + (Y[:, 0] > 1)
    for ours, theirs, y in (
        (Ridge, skl.Ridge, Y),
        (RidgeCV, skl.RidgeCV, Y),
        (RidgeClassifier, skl.RidgeClassifier, classes),
    ):
        found, wanted = ours(fit_intercept=False).fit(X, y), theirs(fit_intercept=False).fit(X, y)
        assert found.intercept_ == wanted.intercept_ == 0.0
        np.testing.assert_allclose(found.predict(X), wanted.predict(X), atol=1e-10)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("solver", ["auto", "cholesky", "cg", "svd", "dual"])
@pytest.mark.parametrize("shape", [(30, 3), (10, 30)])
def test_a_strength_below_the_smallest_normal_number_is_least_squares(shape, solver):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=shape), rng.normal(size=shape[0])
    model = Ridge(1e-310, solver=solver, tol=1e-8).fit(X, y)
    least = np.linalg.lstsq(X - X.mean(axis=0), y - y.mean(), rcond=None)[0]
    np.testing.assert_allclose(model.coef_, least, rtol=1e-6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_rows", [1, 4])
@pytest.mark.parametrize("factor", [1e11, 1e14, 1e20])
@pytest.mark.parametrize("alpha", [1e9, 1e12, 1e14])
def test_positive_columns_of_large_penalties_have_small_gradients_too(n_rows, factor, alpha):
    """The gap does not see them."""
    X, y = np.repeat([[0.86, 9109.0]], n_rows, axis=0), 12.0 + np.arange(n_rows)
    penalty = alpha * np.array([factor, 6e-6])
    model = Ridge(1.0, positive=True, penalty_factor=penalty, fit_intercept=False, tol=1e-8).fit(X, y)
    gradient = X.T @ (y - X @ model.coef_) - penalty * model.coef_
    assert (model.coef_ > 0).all()
    assert np.linalg.norm(gradient) <= 1e-10 * np.linalg.norm(X.T @ y)
    assert model.gradient_norm_ <= 1e-10


def test_the_gradient_of_positive_coefficients_in_single_precision():
    """Columns held at 0 have none."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 6)).astype(np.float32)
    model = Ridge(positive=True).fit(X, X @ [1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    assert (model.coef_ == 0).any()
    assert model.gradient_norm_ < 1e-6


def test_nonnegative_coefficients_that_a_weak_penalty_determines():
    """Crossed factors: a small gradient was left with errors of up to a half, four times of 43 without a warning."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        a, b = rng.integers(0, 5, 30), rng.integers(0, 4, 30)
        X = np.hstack([f[:, None] == np.unique(f) for f in (a, b, a * 4 + b)]).astype(float)
        y, s = X @ rng.uniform(0.0, 5.0, X.shape[1]) + 0.1 * rng.normal(size=30), 10.0 ** rng.uniform(-2, 2, 30)
        A = np.vstack([np.sqrt(s)[:, None] * X, 1e-2 * np.eye(X.shape[1])])
        least = nnls(A, np.append(np.sqrt(s) * y, np.zeros(X.shape[1])))[0]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = Ridge(1e-4, positive=True, fit_intercept=False, tol=1e-5).fit(X, y, sample_weight=s)
        assert np.linalg.norm(model.coef_ - least) <= 1e-6 * np.linalg.norm(least)
