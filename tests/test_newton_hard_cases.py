"""Losses other than squares where solvers break: separable and rare classes, huge counts, weights of 0."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from loss_problems import draw, full_gap

from sparsereg import regularization_path
from sparsereg.data.design import as_design
from sparsereg.losses import LOSSES
from sparsereg.objective.problem import Coefficients, make_problem
from sparsereg.solvers import loss_columns, loss_working_set, working_set
from sparsereg.solvers.loop import Options
from sparsereg.solvers.loss_path import LossPathSolver
from sparsereg.solvers.newton_path import NewtonPath


def one_hot(rng, n, *levels):
    fields = [rng.integers(0, k, n) for k in levels]
    fields.append(fields[0] * 1000 + fields[1])
    return sp.csr_array(np.hstack([f[:, None] == np.unique(f) for f in fields]).astype(float))


def certified(X, y, **options):
    """A path with certificates that full passes confirm."""
    path = regularization_path(X, y, alphas=12, tol=1e-6, **options)
    assert path.certified.all()
    assert np.isfinite(path.intercepts).all()
    assert np.isfinite(path.coefs.data).all()
    problem = make_problem(as_design(X), np.asarray(y, dtype=float), **{k: v for k, v in options.items() if k != "eps"})
    solver = NewtonPath(problem, 1.0, Options(1e-6))
    with pytest.MonkeyPatch.context() as patched:  # once more at projected dual points, as where epochs are dear
        patched.setattr(working_set, "COSTLY_EPOCH", 0)
        found = [solver.solve(float(alpha)) for alpha in path.alphas][-1]
    assert full_gap(problem, found, float(path.alphas[-1]), 1.0) <= 1.001e-6 * path.gap_scale
    return path


def test_separable_classes():
    X = one_hot(np.random.default_rng(0), 300, 5, 4)
    y = X[:, [2]].toarray()[:, 0]
    path = certified(X, y, loss="logistic", eps=1e-4)
    assert ((path.predict(X) > 0.0) == (y > 0.5)).all()


def test_rare_events():
    rng = np.random.default_rng(1)
    X, y = one_hot(rng, 100_000, 8, 6), np.zeros(100_000)
    y[rng.integers(0, 100_000, 2)] = 1.0
    certified(X, y, loss="logistic", eps=0.05)


@pytest.mark.parametrize("far", [40.0, 700.0, 1e4])
def test_huge_offsets(far):
    """Rows whose prediction is settled do not take part; those on the wrong side pull by their whole weight."""
    rng = np.random.default_rng(2)
    X, offset = one_hot(rng, 200, 4, 3), rng.choice([-far, 0.0, far], 200)
    y = (rng.random(200) < 0.5).astype(float)
    certified(X, y, loss="logistic", offset=offset, fit_intercept=False)


def test_counts_to_a_million_with_exposure():
    rng = np.random.default_rng(3)
    X, exposure = one_hot(rng, 2_000, 6, 5), rng.uniform(0.1, 1.0, 2_000)
    rate = np.exp(X @ rng.normal(size=X.shape[1]) * 2.0 + 6.0)
    y = rng.poisson(np.minimum(rate * exposure, 1e6)).astype(float)
    path = certified(X, y, loss="poisson", offset=np.log(exposure), eps=1e-4)
    assert y.max() > 1e4
    assert (LOSSES["poisson"].inverse_link(path.predict(X)) >= 0.0).all()
    by_rate = regularization_path(
        X, y / exposure, loss="poisson", sample_weight=exposure, alphas=path.alphas * 2_000 / exposure.sum(), tol=1e-6
    )
    for k in (4, 11):
        mine, other = (p.predict(X, k) for p in (path, by_rate))
        np.testing.assert_allclose(mine, other, atol=0.05)


def test_weights_of_zero_and_empty_columns_change_nothing():
    rng = np.random.default_rng(4)
    X, y = one_hot(rng, 150, 4, 3), (rng.random(150) < 0.4).astype(float)
    s = np.where(rng.random(150) < 0.3, 0.0, rng.choice([1.0, 2.0], 150))
    wide = sp.hstack([X, sp.csr_array((150, 3))], format="csr")
    path = certified(sp.csc_array(wide), y, loss="logistic", sample_weight=s)
    repeated = np.repeat(np.arange(150), s.astype(int))
    other = regularization_path(X[repeated], y[repeated], loss="logistic", alphas=path.alphas, tol=1e-6)
    np.testing.assert_allclose(path.deviance_explained, other.deviance_explained, atol=2e-6)
    assert not path.coefs.toarray()[-3:].any()


@pytest.mark.parametrize("seed", [0, 1, 6, 7, 12, 13, 18, 19])
def test_groups_and_rows_agree(seed, monkeypatch):
    """With few distinct offsets, with one a row, and without groups."""
    problem = draw(seed)
    arguments = {"loss": problem.loss, "l1_ratio": problem.l1_ratio, "tol": 1e-10, **problem.options}
    grouped = regularization_path(problem.X, problem.y, alphas=5, **arguments)
    monkeypatch.setattr(loss_working_set, "groups_suit", lambda _: False)
    by_rows = regularization_path(problem.X, problem.y, alphas=grouped.alphas, **arguments)
    monkeypatch.setattr(loss_working_set, "gram_suits", lambda _: False)
    without_gram = regularization_path(problem.X, problem.y, alphas=grouped.alphas, **arguments)
    for other in (by_rows, without_gram):
        assert other.certified.all()
        np.testing.assert_allclose(other.deviance_explained, grouped.deviance_explained, atol=1e-5)


@pytest.mark.parametrize("seed", [0, 1, 4, 5])
def test_a_gram_matrix_that_grows_too_large_is_given_up(seed, monkeypatch):
    problem = draw(seed)
    monkeypatch.setattr(loss_columns, "SMALL_GRAM", -(10**9))
    path = regularization_path(problem.X, problem.y, loss=problem.loss, alphas=5, tol=1e-8, **problem.options)
    assert path.certified.all()


def test_eliminated_columns_come_back():
    """Of the Poisson loss residuals may grow: a group of large counts once its rows are predicted."""
    rng = np.random.default_rng(5)
    X, y = one_hot(rng, 3_000, 40, 30), rng.poisson(0.5, 3_000).astype(float)
    problem = make_problem(as_design(X), y, loss="poisson")
    short = problem.with_design(problem.design.eliminate_short(30))
    assert short.design.n_cols < problem.design.n_cols
    solver, whole = (LossPathSolver(p, 1.0, Options(1e-8)) for p in (short, problem))
    alpha = 0.05 * whole.alpha_max()
    for at in (4 * alpha, alpha):
        found, known = solver.solve(at), whole.solve(at)
        assert found.dual_gap <= 1e-8 * problem.gap_scale
        np.testing.assert_array_equal(np.sort(found.columns), np.sort(known.columns))
    assert solver.problem.design.n_cols == problem.design.n_cols


def test_ridge_alone_at_given_strengths():
    rng = np.random.default_rng(6)
    X, y = one_hot(rng, 200, 4, 3), (rng.random(200) < 0.4).astype(float)
    path = regularization_path(X, y, loss="logistic", l1_ratio=0.0, alphas=[0.1, 0.01], tol=1e-10)
    assert path.certified.all()
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1 / (200 * 0.01), solver="newton-cholesky", tol=1e-12).fit(X.toarray(), y)
    np.testing.assert_allclose(path.coefs.toarray()[:, 1], model.coef_[0], atol=1e-4)


def test_a_warm_start_is_kept():
    problem = draw(1)
    held = make_problem(as_design(problem.X), problem.y, loss=problem.loss, **problem.options)
    first = LossPathSolver(held, 1.0, Options(1e-8))
    alpha = 0.1 * first.alpha_max()
    known = first.solve(alpha)
    second = LossPathSolver(held, 1.0, Options(1e-8))
    second.start_from(known.coef)
    again = second.solve(alpha)
    assert again.epochs <= known.epochs
    np.testing.assert_allclose(again.coef.w, known.coef.w, atol=1e-4)


@pytest.mark.parametrize("loss", ["huber", "squared_hinge", "logistic", "poisson", "gamma"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_columns_without_a_penalty_by_proximal_gradient(loss, fit_intercept):
    """Certified, and the same solutions as by coordinate descent; the claimed gaps are those of full passes."""
    rng = np.random.default_rng(8)
    X = rng.normal(size=(120, 12)) * 10.0 ** rng.uniform(-0.5, 0.5, 12)
    z, factor = 0.5 * X[:, 0] - 0.5 * X[:, 5], np.r_[0.0, 0.0, np.ones(10)]
    y = {
        "huber": z + rng.standard_t(2, size=120),
        "squared_hinge": np.where(z + rng.normal(size=120) > 0.0, 1.0, -1.0),
        "logistic": (z + rng.logistic(size=120) > 0.0) * 1.0,
        "poisson": rng.poisson(np.exp(np.clip(z, -2.0, 2.0))) * 1.0,
        "gamma": np.exp(np.clip(z, -2.0, 2.0)) * rng.gamma(2.0, size=120),
    }[loss]
    s, offset = rng.uniform(0.5, 2.0, 120), 0.2 * rng.normal(size=120)
    options = {"loss": loss, "sample_weight": s, "penalty_factor": factor, "fit_intercept": fit_intercept}
    options |= {"offset": offset, "l1_ratio": 0.8, "tol": 1e-8}
    path = regularization_path(X, y, alphas=8, solver="prox_gradient", **options)
    known = regularization_path(X, y, alphas=8, **options)
    assert path.certified.all()
    np.testing.assert_allclose(path.alphas, known.alphas, rtol=1e-4)
    assert set(path.point(0)[0]) == {0, 1}
    problem = make_problem(as_design(X), y, **{n: v for n, v in options.items() if n not in ("l1_ratio", "tol")})
    for k, alpha in enumerate(path.alphas):
        columns, w = path.point(k)
        assert problem.duality_gap(Coefficients(columns, w), alpha, 0.8) <= path.dual_gaps[k] * (1.0 + 1e-6) + 1e-15
        np.testing.assert_allclose(path.predict(X, k), known.predict(X, k), atol=2e-2)


def with_unpenalized(seed, rng):
    """The problem of a seed, some of its columns without penalty."""
    problem = draw(seed)
    factor = np.array(problem.options.get("penalty_factor", np.ones(problem.X.shape[1])), dtype=float)
    problem.options.pop("positive", None)
    factor[rng.integers(0, factor.size, 1 + factor.size // rng.integers(2, 9))] = 0.0
    problem.options["penalty_factor"] = factor
    return problem


# Huber with flat rows, where the model's gap is not that of the loss and where dependent columns crawl; classes that
# unpenalized columns separate, whose dual points are on the boundary of the domain.
@pytest.mark.parametrize(
    "seed", [31, 67, 72, 100, 142, 151, 163, 179, 192, 203, 432, 480, 519, 561, 2032, 3034, 3448, 3526]
)
@pytest.mark.parametrize("spread", [0.0, 6.0])
def test_unpenalized_columns_are_certified(seed, spread):
    """Also with weights over 12 orders; and full passes find a gap where the solver does."""
    problem = with_unpenalized(seed, rng := np.random.default_rng([seed, 99]))
    if spread:
        problem.options["sample_weight"] = 10 ** rng.uniform(-spread, spread, problem.y.size)
    arguments = {"loss": problem.loss, "l1_ratio": problem.l1_ratio, **problem.options}
    path = regularization_path(problem.X, problem.y, alphas=5, tol=1e-6, **arguments)
    assert path.certified.all()
    del arguments["l1_ratio"]
    held = make_problem(as_design(problem.X), problem.y, **arguments)
    order = np.argsort(held.design.columns)
    for k in range(5):
        columns, w = path.point(k)
        coef = Coefficients(order[np.searchsorted(held.design.columns, columns, sorter=order)], w)
        assert held.duality_gap(coef, float(path.alphas[k]), problem.l1_ratio) <= 1e-5 * path.gap_scale


@pytest.mark.parametrize("loss", ["logistic", "poisson", "huber"])
def test_copies_of_columns_leave_no_rounding(loss):
    """A copy may share the weight; it does not hold what rounding leaves."""
    rng = np.random.default_rng(8)
    X = one_hot(rng, 200, 5, 4)
    z = X @ rng.normal(size=X.shape[1])
    y = {"logistic": z > 0.3 * rng.logistic(size=200), "poisson": rng.poisson(np.exp(z)), "huber": z}[loss]
    path = certified(sp.hstack([X, X[:, :6]], format="csr"), y.astype(float), loss=loss, eps=1e-2)
    for k in range(path.alphas.size):
        size = np.abs(path.point(k)[1])
        assert size.min(initial=np.inf) > 1e-13 * size.max(initial=0.0)


@pytest.mark.parametrize("with_gram", [True, False])
@pytest.mark.parametrize(("loss", "seed"), [("poisson", 11), ("poisson", 40), ("poisson", 57), ("logistic", 50)])
def test_two_strengths_down_to_where_walks_nearly_interpolate(loss, seed, with_gram, monkeypatch):
    """Epochs with a Newton step now and then took all 10,000, as direct steps on 80 columns never counted as cheap."""
    monkeypatch.setattr(loss_working_set, "gram_suits", lambda rows: with_gram)  # noqa: ARG005
    rng = np.random.default_rng(seed)
    X = np.cumsum(rng.normal(size=(90, 105)), axis=1)
    z = X @ (rng.normal(size=105) * (rng.random(105) < 0.2))
    z *= 4.0 / z.std()
    y = rng.poisson(np.exp(np.clip(0.7 * z, -5.0, 5.0))) if loss == "poisson" else z + rng.logistic(size=90) > 0.0
    l1_ratio = 1.0 if loss == "poisson" else 0.5
    path = regularization_path(X, y.astype(float), loss=loss, l1_ratio=l1_ratio, alphas=2, eps=2e-4, tol=1e-6)
    assert path.certified.all()
    assert path.n_iters.max() < 4000


@pytest.mark.parametrize("seed", [47, 51, 83])
def test_far_strengths_are_solved_by_way_of_others_where_one_jump_crawls(seed):
    """10,000 epochs in the models of Huber's loss, to gaps above tol; by way of strengths between a third of that."""
    rng = np.random.default_rng(seed)
    X = np.cumsum(rng.normal(size=(60, 200)), axis=1)
    z = X @ (rng.normal(size=200) * (rng.random(200) < 0.2))
    y = z * 4.0 / z.std() + rng.normal(size=60)
    path = regularization_path(X, y, loss="huber", l1_ratio=0.5, alphas=2, eps=1e-4, tol=1e-6)
    assert path.certified.all()
    assert path.alphas.size == 2
    assert path.n_iters.max() < 6000
    problem = make_problem(as_design(X), y, loss="huber")
    solver = NewtonPath(problem, 0.5, Options(1e-6))
    found = [solver.solve(float(alpha)) for alpha in path.alphas][-1]
    assert full_gap(problem, found, float(path.alphas[-1]), 0.5) <= 1.001e-6 * path.gap_scale
