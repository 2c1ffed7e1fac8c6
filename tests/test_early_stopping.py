"""Early stopping, compared with its spectral filter and with ridge at the equivalent alpha."""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.estimator_checks import check_estimator

from sparsereg import Ridge, degrees_of_freedom
from sparsereg.data.design import as_design
from sparsereg.ridge.early_stopping import hold_out, step_length
from sparsereg.ridge.normal_equations import NormalEquations

EARLY = Ridge(alpha=0.0, early_stopping=True, random_state=0)


def data(seed: int = 0, n: int = 150, p: int = 40, noise: float = 3.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns with unequal norms and large means, and much noise."""
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(n, p)) + 1.0) * rng.uniform(0.3, 1.5, p)
    return X, X @ (rng.normal(size=p) / np.sqrt(p)) * 3.0 + noise * rng.normal(size=n), rng.uniform(0.2, 2.0, n)


def training_weights(X, s: np.ndarray | None, model: Ridge) -> np.ndarray:
    """The weights, 0 for the rows that the model holds out."""
    equations = NormalEquations(as_design(X), s, True, np.ones(X.shape[1]))
    rng = check_random_state(model.random_state)
    kept, _ = hold_out(equations, model.validation_fraction, 5, rng)
    return kept.s


def stopped(X, y, s, v, alpha: float, step: float, t: int) -> np.ndarray:
    """Coefficients after t steps of length `step`, from eigenvectors."""
    Xc, yc = X - np.average(X, axis=0, weights=s), y - np.average(y, weights=s)
    scaled = Xc / np.sqrt(v)
    values, vectors = np.linalg.eigh(scaled.T @ (s[:, None] * scaled) + alpha * np.eye(len(v)))
    shares = (1.0 - (1.0 - step * values) ** t) / values
    return vectors @ (shares * (vectors.T @ (scaled.T @ (s * yc)))) / np.sqrt(v)


@pytest.mark.parametrize("alpha", [0.0, 20.0])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("make", [np.asarray, sp.csr_array, sp.csc_array])
def test_it_is_the_filter_and_stops_at_the_least_held_out_error(alpha: float, weighted: bool, make) -> None:
    X, y, s = data(1)
    v = np.random.default_rng(2).uniform(0.5, 2.0, X.shape[1])
    model = clone(EARLY).set_params(alpha=alpha, penalty_factor=v)
    model.fit(make(X), y, s if weighted else None)
    full = s if weighted else np.ones(y.size)
    fitted = training_weights(X, full, model)
    t = int(model.n_iter_[0])
    assert 1 < t < 10_000
    step = 1.0 / (t * (model.equivalent_alpha_ - alpha))
    np.testing.assert_allclose(model.coef_, stopped(X, y, fitted, v, alpha, step, t), rtol=1e-6, atol=1e-9)
    assert model.intercept_ == pytest.approx(np.average(y - X @ model.coef_, weights=fitted))

    held = np.flatnonzero(fitted == 0)
    assert held.size == np.ceil(0.1 * y.size)

    def error(steps: int) -> float:
        w = stopped(X, y, fitted, v, alpha, step, steps)
        return full[held] @ ((y - X @ w)[held] - np.average(y - X @ w, weights=fitted)) ** 2

    errors = np.array([error(k) for k in range(int(1.3 * t) + 5)])
    assert errors[t] <= errors.min() * 1.001
    assert errors[-1] > errors[t], "otherwise nothing had to be stopped"
    assert (model.method_, model.solver_) == ("gradient", "gradient")


@pytest.mark.parametrize("alpha", [0.0, 3.0])
@pytest.mark.parametrize("seed", [0, 2, 5])
def test_it_is_near_ridge_at_the_equivalent_alpha(alpha: float, seed: int) -> None:
    """The difference is within that of the filters, and new rows are predicted as well; not so by least squares."""
    rng, p = np.random.default_rng(seed), 60
    X = (
        rng.normal(size=(2000, p)) @ np.diag(np.geomspace(1.0, 0.02, p)) @ np.linalg.qr(rng.normal(size=(p, p)))[0]
        + 1.0
    )
    y = X @ rng.normal(size=p) + 3.0 * rng.normal(size=2000)
    fit, new = slice(0, 1000), slice(1000, None)
    model = clone(EARLY).set_params(alpha=alpha).fit(X[fit], y[fit])
    s = training_weights(X[fit], None, model)
    ridge, free = (Ridge(a).fit(X[fit], y[fit], s) for a in (model.equivalent_alpha_, alpha))
    distance = np.linalg.norm(model.coef_ - ridge.coef_)
    assert 0 < distance < 0.21 * np.linalg.norm(free.coef_)
    assert model.score(X[new], y[new]) == pytest.approx(ridge.score(X[new], y[new]), abs=0.01)
    if alpha == 0.0:
        assert distance < 0.2 * np.linalg.norm(model.coef_ - free.coef_)
        assert model.score(X[new], y[new]) > free.score(X[new], y[new])


def test_its_risk_is_within_the_bound_of_ridges() -> None:
    """The in-sample risk, averaged over noise at the t and alpha of one fit, is at most 1.69 times that of ridge."""
    X, y, _ = data(4)
    model = clone(EARLY).fit(X, y)
    s = training_weights(X, None, model)
    kept, rng = s > 0, np.random.default_rng(5)
    truth = rng.normal(size=X.shape[1]) / 5
    t, alpha = int(model.n_iter_[0]), model.equivalent_alpha_
    risks = np.zeros(2)
    for _ in range(200):
        target = X @ truth + 3.0 * rng.normal(size=y.size)
        both = (
            stopped(X, target, s, np.ones(len(truth)), 0.0, 1 / (alpha * t), t),
            Ridge(alpha).fit(X[kept], target[kept]).coef_,
        )
        centred = X[kept] - X[kept].mean(axis=0)
        risks += [np.sum((centred @ (w - truth)) ** 2) for w in both]
    assert risks[0] <= 1.69 * risks[1]


def test_steps_are_stable_and_not_much_shorter_than_they_could_be() -> None:
    rng = np.random.RandomState(0)
    one_hot = sp.csr_array((np.ones(900), rng.randint(0, 60, 900), np.arange(0, 901, 3)), shape=(300, 60))
    one_hot.sum_duplicates()
    for X in (data(6)[0], data(7, 20, 50)[0], one_hot, np.ones((5, 1)), np.array([[0.0], [1.0]])):
        dense = X.toarray() if sp.issparse(X) else X
        v = rng.uniform(0.5, 2.0, dense.shape[1])
        centred = (dense - dense.mean(axis=0)) / np.sqrt(v)
        largest = np.linalg.eigvalsh(centred.T @ centred)[-1]
        equations = NormalEquations(design := as_design(X), None, True, v[as_design(X).columns])
        assert design.n_cols == dense.shape[1]
        step = step_length(equations, 3.0, rng)
        assert 0.8 / (largest + 3.0) < step <= 1.001 / (largest + 3.0)


def test_several_targets_stop_each_for_itself() -> None:
    X, y, _ = data(8)
    Y = np.column_stack([y, X[:, 0] * 50.0, np.ones(y.size)])
    model = clone(EARLY).set_params(alpha=[0.0, 0.0, 1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, Y)
    assert model.equivalent_alpha_.shape == model.n_iter_.shape == (3,)
    assert model.n_iter_[1] > model.n_iter_[0] > model.n_iter_[2] == 0
    assert model.equivalent_alpha_[2] == np.inf
    assert not model.coef_[2].any()
    np.testing.assert_array_equal(model.coef_[0], clone(EARLY).fit(X, y).coef_)


def test_each_parameter_has_an_effect() -> None:
    X, y, _ = data(9)
    base = clone(EARLY).fit(X, y)
    for change in (
        {"random_state": 1},
        {"validation_fraction": 0.4},
        {"alpha": 50.0},
        {"penalty_factor": "dropout", "dropout_rate": 0.3, "alpha": 1.0},
    ):
        assert not np.allclose(clone(EARLY).set_params(**change).fit(X, y).coef_, base.coef_), change
    np.testing.assert_array_equal(clone(EARLY).set_params(solver="gradient").fit(X, y).coef_, base.coef_)


def test_patience_outlasts_a_rise() -> None:
    """The held-out error rises, then falls: the fast direction is wrong for held-out rows, the slow one right."""
    n = 400
    A = np.zeros((n, 2))
    A[: n // 2, 0], A[n // 2 :, 1] = 1.0, 0.2
    held = training_weights(A, None, clone(EARLY)) == 0
    b = np.where(A[:, 0] > 0, 1.0, 4.0)
    b[held & (A[:, 0] > 0)] = -1.0
    short, long = (clone(EARLY).set_params(n_iter_no_change=k, fit_intercept=False).fit(A, b) for k in (3, 60))
    assert short.n_iter_[0] == 0
    assert long.n_iter_[0] > 50
    assert long.coef_[1] > 15.0


def test_too_few_steps_are_told() -> None:
    X, y, _ = data(11, noise=0.1)
    with pytest.warns(ConvergenceWarning, match="held-out error was still falling after max_iter=3 steps"):
        model = clone(EARLY).set_params(max_iter=3).fit(X, y)
    assert model.n_iter_[0] == 3


def test_without_noise_it_goes_on_to_least_squares() -> None:
    X, y, _ = data(12, 100, 5, noise=0.0)
    model = clone(EARLY).set_params(tol=1e-6).fit(X, y)
    np.testing.assert_allclose(model.coef_, Ridge(0.0).fit(X, y).coef_, rtol=1e-5)
    assert model.equivalent_alpha_ == 0.0


def test_x_is_neither_copied_nor_changed() -> None:
    rng = np.random.default_rng(13)
    X = np.asfortranarray(rng.normal(size=(4000, 250)))
    y = X[:, 0] + rng.normal(size=4000)
    kept = X.copy(order="F")
    X.flags.writeable = y.flags.writeable = False
    tracemalloc.start()
    clone(EARLY).fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(X, kept)
    assert peak < X.nbytes / 2


def test_what_is_refused() -> None:
    X, y, s = data(14, 20, 3)
    for change, match in [
        ({"solver": "cg"}, "solver='cg'"),
        ({"positive": True}, "positive=True"),
        ({"early_stopping": "yes"}, "early_stopping='yes'"),
        ({"early_stopping": False, "solver": "gradient"}, "solver='gradient' is for early_stopping=True"),
        ({"early_stopping": False, "validation_fraction": 0.2}, "validation_fraction=0.2 has an effect only"),
        ({"early_stopping": False, "n_iter_no_change": 9}, "n_iter_no_change=9 has an effect only"),
        ({"validation_fraction": 0.0}, "validation_fraction=0.0"),
        ({"validation_fraction": 0.99}, "validation_fraction=0.99 of n_samples=20"),
        ({"n_iter_no_change": 0}, "n_iter_no_change=0"),
        ({"penalty_factor": [1.0, 0.0, 1.0]}, "penalty_factor holds 0"),
    ]:
        with pytest.raises(ValueError, match=match):
            clone(EARLY).set_params(**change).fit(X, y, s)
    with pytest.raises(ValueError, match="too large to square"), np.errstate(all="ignore"):
        clone(EARLY).fit(X * 1e200, y)
    model = clone(EARLY).fit(X, y)
    with pytest.raises(ValueError, match="equivalent_alpha_"):
        degrees_of_freedom(model, X)
    model.set_params(early_stopping=False).fit(X, y)
    assert not hasattr(model, "equivalent_alpha_")


def test_check_estimator_with_early_stopping() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(clone(EARLY).set_params(alpha=0.1), on_fail=None)
    failed = [r["check_name"] for r in results if r["status"] in ("failed", "xfail")]
    # Held-out rows are drawn by their place, and one row cannot be held out and fitted: as for any early stopping.
    assert set(failed) <= {
        "check_sample_weight_equivalence_on_dense_data",
        "check_sample_weight_equivalence_on_sparse_data",
    }
