"""Paths of small data, many strengths in one call."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsereg import regularization_path
from sparsereg._core import kernels
from sparsereg.data.design import as_design
from sparsereg.objective.problem import make_problem
from sparsereg.rows.contract import Coefficients
from sparsereg.solvers import small_path
from sparsereg.solvers.loop import Options


def problem(n=40, p=60, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + rng.normal(size=(n, 1)) + 3.0
    return X, X[:, :5] @ [3.0, -2.0, 1.0, 1.0, -1.0] + rng.normal(size=n)


VARIANTS = {
    "plain": {},
    "elastic net": {"l1_ratio": 0.4},
    "positive": {"positive": True},
    "no intercept": {"fit_intercept": False},
    "weights": {"sample_weight": np.linspace(0.0, 2.0, 40)},
    "factors": {"penalty_factor": np.linspace(0.5, 2.0, 60)},
    "standardize": {"standardize": True},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kind", [np.asarray, np.asfortranarray, lambda X: X.astype(np.float32)])
@pytest.mark.parametrize("few", [False, True])
def test_same_minimum_as_coordinate_descent(monkeypatch, variant, kind, few):
    """Whether all columns are in the Gram matrix from the start, or a few, and those that were missing join."""
    if few:
        monkeypatch.setattr(small_path, "ENTRIES_PER_STRENGTH", 4000)
    X, y = problem()
    path = regularization_path(kind(X), y, alphas=15, tol=1e-8, **VARIANTS[variant])
    assert set(path.methods) == {"small_path"}
    assert path.certified.all()
    slow = regularization_path(kind(X), y, alphas=path.alphas, tol=1e-12, solver="cd", **VARIANTS[variant])
    np.testing.assert_allclose(path.coefs.toarray(), slow.coefs.toarray(), atol=2e-3)
    np.testing.assert_allclose(path.deviance_explained, slow.deviance_explained, atol=1e-4)
    options = {k: v for k, v in VARIANTS[variant].items() if k != "l1_ratio"}
    again = make_problem(as_design(kind(X)), y, **options)
    for k, alpha in enumerate(path.alphas):
        coef = Coefficients(np.arange(60), path.coefs[:, [k]].toarray().ravel()).nonzero()
        gap = again.duality_gap(coef, alpha, path.l1_ratio)
        assert gap <= path.dual_gaps[k] * (1 + 1e-6) + 1e-13 * path.gap_scale


def test_solutions_that_are_known_are_handed_out_although_there_is_no_more_space():
    class Small:
        is_full = False

        def solve(self, *_):
            self.is_full = True
            return ["first", "second"], True

    together = small_path.SolvedTogether(Small())
    alphas = np.array([3.0, 2.0, 1.0])
    assert [together.first(None, alphas[k:]) for k in range(3)] == ["first", "second", None]
    assert not together.is_useful


def test_sparse_columns_are_left_to_coordinates():
    X, y = problem()
    assert "small_path" not in regularization_path(sp.csr_array(X), y, alphas=5).methods


@pytest.mark.parametrize(("limit", "most"), [("MAX_STEPS", 1), ("MAX_WORK", 200)])
def test_strengths_that_take_too_many_steps_are_solved_one_by_one(monkeypatch, limit, most):
    monkeypatch.setattr(small_path, limit, most)
    X, y = problem(seed=3)
    path = regularization_path(X, y, alphas=30, eps=1e-3, tol=1e-7)
    assert path.certified.all()
    assert {"gram_cd", "small_path"} <= {method.split(",")[0] for method in path.methods}


def test_what_a_strength_takes_one_by_one_is_allowed_to_later_ones(monkeypatch):
    def left_over(factor_speed):
        monkeypatch.setattr(small_path, "FACTOR_SPEED", factor_speed)
        return sum("small_path" not in method for method in regularization_path(X, y, alphas=30, eps=1e-3).methods)

    X, y = problem(seed=3)
    monkeypatch.setattr(small_path, "MAX_WORK", 200)
    assert 0 < left_over(1000) < left_over(0)


def test_more_active_columns_than_are_kept_go_on_one_by_one(monkeypatch):
    monkeypatch.setattr(small_path, "MAX_COLUMNS", 12)
    X, y = problem(seed=1)
    path = regularization_path(X, y, alphas=30, eps=1e-3)
    assert path.certified.all()
    assert path.methods[0] == "small_path"
    assert path.methods[-1].startswith("gram_cd")


@pytest.mark.parametrize(
    "asked",
    [
        {"penalty_factor": np.append(0.0, np.ones(59))},
        {"alphas": [0.5, 0.1, 0.0]},
        {"alphas": [0.5], "l1_ratio": 0.0},
    ],
)
def test_columns_without_a_threshold_are_left_to_others(asked):
    X, y = problem(n=100)
    path = regularization_path(X, y, tol=1e-8, **({"alphas": 4} | asked))
    assert path.certified.all()
    assert not path.methods[-1].startswith("small_path")


def test_columns_that_are_not_active_leave_where_there_is_no_room(monkeypatch):
    """On smooth columns dozens of neighbours join with each active one, and are soon 0."""
    rng = np.random.default_rng(1)
    t = np.sort(rng.uniform(-1, 1, 120))
    X = np.exp(-0.5 * ((t[:, None] - np.linspace(-1, 1, 300)) / 0.1) ** 2)
    y = np.sin(6 * t) + 2 * (t > 0.3) + 0.1 * rng.normal(size=120)
    monkeypatch.setattr(small_path, "ENTRIES_PER_STRENGTH", 40_000)
    monkeypatch.setattr(small_path, "MAX_COLUMNS", 160)
    kept = []
    keep = small_path.SmallSolver._keep

    def spy(self, cols):
        keep(self, cols)
        kept.append(self.cols.size)
        np.testing.assert_array_equal(np.isinf(self._outside).nonzero()[0], np.sort(self.cols))

    monkeypatch.setattr(small_path.SmallSolver, "_keep", spy)
    path = regularization_path(X, y, alphas=40, eps=1e-3, tol=1e-6)
    assert set(path.methods) == {"small_path"}
    assert path.certified.all()
    assert len(kept) > 1
    assert max(kept) <= 80
    again = make_problem(as_design(X), y)
    for k, alpha in enumerate(path.alphas):
        coef = Coefficients(np.arange(300), path.coefs[:, [k]].toarray().ravel()).nonzero()
        assert again.duality_gap(coef, alpha, 1.0) <= path.dual_gaps[k] * (1 + 1e-6) + 1e-13 * path.gap_scale


def test_what_rounding_hides_counts_in_the_gap():
    """Of columns of 10^9 that cancel, without an intercept, rounding hides more than a gap of 1e-9."""
    X, y = problem()
    quadratic = make_problem(as_design(X + 1e9), y, fit_intercept=False).quadratic
    solver = small_path.small_solver(quadratic, 1.0, Options(tol=1e-4), np.ones(5))
    W = np.zeros((2, 60))
    W[1, :2] = 1.0, -1.0
    nothing, much = solver._hidden(W)
    assert nothing == 0.0
    assert much > 1e-4 * quadratic.null_deviance


def test_no_entries():
    path = regularization_path(sp.csr_array((5, 3)), np.arange(5.0), alphas=[0.5, 0.1])
    assert path.certified.all()
    assert path.intercepts.tolist() == [2.0, 2.0]


def test_ending_early_and_known_strengths():
    X, y = problem()
    seen = []
    ending = {"stop_when": lambda _alpha, _n, r2: r2 > 0.5, "callback": lambda i, *_: seen.append(i)}
    path = regularization_path(X, y, alphas=40, **ending)
    assert path.stopped == "stop_when"
    assert len(seen) == path.alphas.size < 40
    again = regularization_path(X, y, alphas=np.append(path.alphas[::-1], path.alphas))
    assert again.certified.all()


@pytest.mark.parametrize("larger", [False, True])
def test_smooth_columns_take_few_steps(monkeypatch, larger):
    """Neighbouring bumps, of which coordinate descent brings in a hundred at once; on larger X once it did."""
    if larger:
        monkeypatch.setattr(small_path, "ENTRIES_PER_STRENGTH", 100_000)
    rng, t = np.random.default_rng(7), np.linspace(0, 1, 300)
    X = np.exp(-0.5 * ((t[:, None] - np.linspace(0, 1, 500)) / 0.02) ** 2)
    y = np.sin(12 * t) + 2 * (t > 0.6) + 0.3 * rng.normal(size=300)
    path = regularization_path(X, y, alphas=60)
    assert path.certified.all()
    assert (path.methods[0] == "small_path") != larger
    assert set(path.methods[20:]) == {"small_path"}
    assert path.n_iters.sum() < 1_500


def test_the_kernel_refuses_what_does_not_fit():
    one = np.ones(2)
    with pytest.raises(kernels.KernelError, match="lengths differ"):
        kernels.SmallPath(0, np.eye(3), one, one, one, 1.0, 0.1)
    path = kernels.SmallPath(0, np.eye(2), one, one, np.zeros(2), 2.0, 1e-9)
    with pytest.raises(kernels.KernelError, match="wrong length"):
        path.solve(np.zeros(3), one, 5, 1000)
    W, steps = path.solve(np.zeros(2), np.array([0.5, 0.25]), 5, 1000)
    np.testing.assert_allclose(W, [[0.5, 0.5], [0.75, 0.75]])
    assert steps.tolist() == [2, 0]
