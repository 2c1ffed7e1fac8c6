"""Columns left out as too light: the same path without them, and back again where they matter after all."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import recomputed_gap

from sparsereg import regularization_path
from sparsereg.data import threads
from sparsereg.data.design import as_design
from sparsereg.objective.problem import Coefficients, make_problem
from sparsereg.solvers.loop import Options
from sparsereg.solvers.path import trace
from sparsereg.solvers.path_solver import PathSolver
from sparsereg.solvers.prefilter import PrefilteredSolver, eliminate_columns
from sparsereg.solvers.residual_cd import ResidualCD
from sparsereg.solvers.screening import EliminatedColumns


def crosses(seed: int, n: int = 200, *, dense: str = "", index: type = np.int32, dtype: type = np.float64):
    """Two fields, one with many rare levels; valued columns ("v") and columns with a value in every row ("d") before,
    between and after."""
    rng = np.random.default_rng(seed)
    blocks, kinds = [], iter([*dense, *"-" * 3])
    for size in (5, 60):
        kind = next(kinds)
        if kind in "vd":
            blocks.append(rng.normal(size=(n, 1)) * (1.0 if kind == "d" else rng.random((n, 1)) < 0.3))
        blocks.append(np.eye(size)[np.minimum(rng.geometric(2.0 / size, n) - 1, size - 1)])
    if next(kinds) in "vd":
        blocks.append(rng.normal(size=(n, 2)))
    X = sp.csr_array(np.hstack(blocks).astype(dtype))
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    w = np.where(rng.random(X.shape[1]) < 0.3, rng.normal(size=X.shape[1]), 0.0)
    return X, X @ w + 2.0 + 0.2 * rng.normal(size=n)


def w_of(path, k):
    return path.coefs[:, [k]].toarray()[:, 0]


def whole_path(problem, alphas, l1_ratio, tol, solver):
    run = PathSolver(problem.quadratic, l1_ratio, Options(tol, 10_000, solver))
    return [run.solve(alpha) for alpha in alphas]


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dense", ["", "dv", "vdd", "-d", "--d"])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_what_is_left_are_the_heavy_columns(monkeypatch, index, dense, n_threads):
    monkeypatch.setattr(threads, "WORTH", 50)
    X, _ = crosses(1, dense=dense, index=index, dtype=np.float32)
    design = as_design(X, n_threads=n_threads)
    lighter = design.eliminate_short(8.5)
    plain, counts = X.toarray(), np.diff(X.tocsc().indptr)
    ones = (plain * (plain - 1.0) == 0.0).all(axis=0)
    assert set(lighter.columns) == set(np.flatnonzero((counts > 8) | (~ones & (counts > 0))))
    assert lighter.eliminated_length == counts[ones & (counts <= 8)].max()
    assert lighter.nnz == counts[lighter.columns].sum()
    v = np.random.default_rng(0).normal(size=X.shape[0])
    np.testing.assert_allclose(lighter.rmatvec(v), plain[:, lighter.columns].T @ v, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        lighter.select_observed(design.rmatvec_by_rows(v)), plain[:, lighter.columns].T @ v, rtol=1e-9, atol=1e-9
    )
    back = lighter.restore_eliminated()
    np.testing.assert_array_equal(back.columns, design.columns)
    assert (back.eliminated_length, back.n_ones, back.n_threads) == (0, design.n_ones, n_threads)


def test_nothing_is_left_out_of_what_is_written_already_or_was_no_csr_or_is_too_wide():
    X, y = crosses(1)
    written = as_design(X)
    assert written.can_eliminate
    assert written.matrix.shape == (200, written.n_cols)
    wide = sp.csr_array((X.data, X.indices.astype(np.int64) * 10**9, X.indptr.astype(np.int64)), shape=(200, 10**12))
    for design in (written, as_design(X.tocsc()), as_design(X.toarray()), as_design(wide)):
        assert not design.can_eliminate
    for options in ({"penalty_factor": np.ones(X.shape[1])}, {"standardize": True}):
        problem = make_problem(as_design(X), y, **options)
        assert eliminate_columns(problem, 1.0, 10, 1e-2) == (problem, None)
    problem = make_problem(as_design(X), y)
    assert eliminate_columns(problem, 0.0, np.array([1.0]), 1e-2) == (problem, None)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    dense=st.sampled_from(["", "d", "vd", "--d", "-v"]),
    l1_ratio=st.sampled_from([1.0, 0.5, 0.1]),
    solver=st.sampled_from(["cd", "prox_gradient"]),
    weighted=st.booleans(),
    fit_intercept=st.booleans(),
    positive=st.booleans(),
)
def test_the_path_is_that_of_all_columns(seed, dense, l1_ratio, solver, weighted, fit_intercept, positive):
    X, y = crosses(seed, dense=dense)
    s = np.random.default_rng(seed).random(y.size) * (y > 1.0) + 0.01 if weighted else None
    path = regularization_path(
        X,
        y,
        l1_ratio=l1_ratio,
        alphas=8,
        eps=0.2,
        sample_weight=s,
        fit_intercept=fit_intercept,
        positive=positive,
        tol=1e-9,
        solver=solver,
    )
    assert path.certified.all()
    problem = make_problem(as_design(X), y, sample_weight=s, fit_intercept=fit_intercept, positive=positive)
    for k, point in enumerate(whole_path(problem, path.alphas, l1_ratio, 1e-9, "cd")):
        w = np.zeros(X.shape[1])
        w[problem.design.columns[point.coef.cols]] = point.coef.w
        np.testing.assert_allclose(w_of(path, k), w, atol=2e-3)
        assert path.intercepts[k] == pytest.approx(point.intercept, abs=2e-3)
        cols = np.flatnonzero(w_of(path, k)[problem.design.columns])
        mine = Coefficients(cols, w_of(path, k)[problem.design.columns[cols]])
        gap = recomputed_gap(problem, mine, path.alphas[k], l1_ratio, 1e-9 * path.gap_scale)
        assert gap <= 1.2e-9 * path.gap_scale


@pytest.mark.parametrize("solver", ["cd", "prox_gradient"])
@pytest.mark.parametrize("dense", ["", "dv", "--d"])
@pytest.mark.parametrize("weighted", [False, True])
def test_columns_come_back_where_they_matter_after_all(solver, dense, weighted):
    """A strength that nobody spoke of beforehand: as residuals that grow would, it lets light columns over their
    threshold."""
    X, y = crosses(3, dense=dense)
    s = np.random.default_rng(0).random(y.size) if weighted else None
    problem = make_problem(as_design(X), y, sample_weight=s)
    lighter, c = eliminate_columns(problem, 1.0, 10, 0.5)
    assert lighter.design.eliminated_length > 0
    run = PrefilteredSolver(lighter, 1.0, Options(1e-9, 10_000, solver), c)
    top = run.alpha_max()
    assert top == pytest.approx(PathSolver(problem.quadratic, 1.0, Options(1e-9, 10_000)).alpha_max(), rel=1e-12)
    run.solve(0.6 * top)
    assert run.problem is lighter
    found = run.solve(0.01 * top)
    assert run.problem.design.n_cols == problem.design.n_cols
    assert run.problem.design.eliminated_length == 0
    assert found.dual_gap <= 1e-9 * problem.gap_scale
    target = 1e-9 * problem.gap_scale
    assert recomputed_gap(problem, found.coef, 0.01 * top, 1.0, target) <= 2.0 * target
    assert found.intercept == pytest.approx(problem.intercept(found.coef), rel=1e-9)
    assert set(np.flatnonzero(np.diff(X.tocsc().indptr) <= lighter.design.eliminated_length)) & set(
        problem.design.columns[found.coef.cols]
    )


def test_points_before_and_after_columns_come_back_are_numbered_alike():
    X, y = crosses(3)
    problem = make_problem(as_design(X), y)
    lighter, c = eliminate_columns(problem, 1.0, 10, 0.5)
    run = PrefilteredSolver(lighter, 1.0, Options(1e-9, 10_000), c)
    alphas = run.alpha_max() * np.array([0.6, 0.3, 0.02])
    path = trace(run, alphas)
    expected = regularization_path(X.tocsc(), y, alphas=alphas, tol=1e-9)
    np.testing.assert_allclose(path.coefs.toarray(), expected.coefs.toarray(), atol=1e-4)
    assert path.n_nonzero[2] > path.n_nonzero[0] > 0


def test_all_columns_too_light_leaves_zeros():
    X, y = crosses(5)
    path = regularization_path(X, y, alphas=[1e6, 1e5])
    assert path.n_nonzero.tolist() == [0, 0]
    assert path.certified.all()
    constant = regularization_path(X, np.full(X.shape[0], 2.0), alphas=3)
    assert constant.n_nonzero.tolist() == [0, 0, 0]


def test_the_intercept_is_right_at_the_point_where_the_gram_is_given_up(monkeypatch):
    X, y = crosses(7)
    monkeypatch.setattr(PathSolver, "_gram_is_too_large", lambda self: self.working_set.m > 10)
    problem = make_problem(as_design(X), y)
    run = PathSolver(problem.quadratic, 1.0, Options(1e-6, 10_000))
    found = run.solve(0.02 * run.alpha_max())
    assert isinstance(run.working_set, ResidualCD)
    assert found.intercept == pytest.approx(problem.intercept(found.coef), rel=1e-12)


@pytest.mark.parametrize("dense", ["", "dv"])
def test_a_point_keeps_its_columns_when_others_come_back_on_the_way_to_a_closer_one(monkeypatch, dense):
    X, y = crosses(3, dense=dense)
    y = y + 5.0 * X[:, [0]].toarray()[:, 0]
    lighter, c = eliminate_columns(make_problem(as_design(X), y), 1.0, 10, 0.5)
    run = PrefilteredSolver(lighter, 1.0, Options(1e-6, 10_000), c)
    plain = PathSolver._solve

    def in_vain(self, alpha, tol, max_iter):
        if tol == 1e-6:
            return plain(self, alpha, tol, max_iter)
        if self.eliminated_length:
            raise EliminatedColumns
        return plain(self, alpha, tol, max_iter)._replace(dual_gap=np.inf)

    monkeypatch.setattr(PathSolver, "_solve", in_vain)
    alphas = run.alpha_max() * np.array([0.6])
    path = trace(run, alphas, 1e-12)
    expected = regularization_path(X.tocsc(), y, alphas=alphas, tol=1e-6)
    assert run.problem.design.eliminated_length == 0
    np.testing.assert_allclose(path.coefs.toarray(), expected.coefs.toarray(), atol=1e-2)


def test_a_huge_constant_column_does_not_say_which_columns_are_light():
    """Its gradient is rounding, but of its own size: no threshold may be derived from that."""
    X, y = crosses(3)
    y = y + 10.0 * X[:, [8]].toarray()[:, 0]
    X = sp.hstack([X, np.full((X.shape[0], 1), 2.0**70)], format="csr")
    path, expected = (regularization_path(A, y, alphas=3) for A in (X, X.tocsc()))
    np.testing.assert_allclose(path.alphas, expected.alphas, rtol=1e-9)
    assert path.n_nonzero[-1] == expected.n_nonzero[-1] > 0


def test_a_start_after_a_solution_counts_how_far_it_is():
    X, y = crosses(3)
    problem = make_problem(as_design(X), y)
    lighter, c = eliminate_columns(problem, 1.0, 10, 0.5)
    run = PathSolver(lighter.quadratic, 1.0, Options(1e-2, 1), c, lighter.design.eliminated_length)
    top = run.alpha_max()
    run.solve(0.9 * top)
    run.start_from(Coefficients(np.array([0]), np.array([1e3])))
    run._certify(run._own_gap(), np.inf)
    coef = Coefficients(np.array([0]), np.array([1e3]))
    base = problem.quadratic.base(float(problem.quadratic.moments(coef.cols).sums @ coef.w))
    assert run._residual_max_abs >= np.abs(problem.rows.residual(coef, base)).max()


@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
def test_the_largest_residual_is_bounded_from_the_coefficients(weighted):
    """From where it was computed last, at first at w = 0; a pass over the rows comes where that does not suffice."""
    X, y = crosses(3)
    s = np.random.default_rng(0).uniform(0.5, 2.0, y.size) if weighted else None
    problem = make_problem(as_design(X), y, sample_weight=s)
    run, passes = PathSolver(problem.quadratic, 1.0, Options()), []
    top = run.alpha_max()
    for share in (0.5, 0.2, 0.05):
        run.eliminated_length = 0
        run.solve(share * top)
        run.eliminated_length = 2
        coef = Coefficients(run.working_set.cols, run.working_set.w)
        largest = np.abs(problem.rows.residual(coef, problem.quadratic.base(run.working_set.products_sum()))).max()
        bound = run._residual_bound()
        assert largest <= bound
        run._residual_max_abs = np.inf
        assert run._eliminated_bound(2.0 * bound * (1 + 1e-9)) == 2.0 * bound
        if bound > largest:
            assert run._eliminated_bound(2.0 * largest) == pytest.approx(2.0 * largest)
            passes.append(share)
            assert run._residual_bound() == pytest.approx(largest)
    assert passes


def test_what_is_kept_of_eliminations_belongs_to_one_numbering_of_columns():
    X, y = crosses(3, dense="dv")
    problem = make_problem(as_design(X), y)
    lighter, _ = eliminate_columns(problem, 1.0, 10, 0.5)
    loose = np.array([lighter.design.n_cols - 1])
    ours, _ = problem.quadratic.unpenalized_least_squares(loose, np.ones(1))
    theirs, _ = lighter.quadratic.unpenalized_least_squares(loose, np.ones(1))
    assert problem.design.columns[loose] != lighter.design.columns[loose]
    assert ours != theirs


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dense", ["", "dv", "--d"])
def test_the_largest_residual_is_found_block_by_block(weighted, dense):
    X, y = crosses(2, n=140_000, dense=dense)
    design, rng = as_design(X), np.random.default_rng(0)
    cols = rng.permutation(design.n_cols)[:20]
    w = rng.normal(size=20) * (rng.random(20) < 0.7)
    s = rng.random(y.size) if weighted else None
    r = (1.0 if s is None else s) * (y - 0.3 - X[:, design.columns[cols]] @ w)
    assert design.matrix.residual_max_abs(w, cols, y, 0.3, s) == pytest.approx(np.abs(r).max(), rel=1e-12)
    nobody = np.empty(0, dtype=np.int64)
    alone = np.abs(y - 0.3) if s is None else s * np.abs(y - 0.3)
    assert design.matrix.residual_max_abs(np.empty(0), nobody, y, 0.3, s) == pytest.approx(alone.max(), rel=1e-12)
    with pytest.raises(TypeError, match="None"):
        design.matrix.residual_max_abs(np.zeros(design.n_cols), None, y, 0.3, s)


@pytest.mark.parametrize(("first", "last"), [(0, 140_000), (70_001, 139_000), (1, 1), (139_999, 140_000)])
def test_the_largest_residual_of_a_stretch_of_rows(first, last):
    X, y = crosses(2, n=140_000, dense="dv")
    design, rng = as_design(X), np.random.default_rng(0)
    w = rng.normal(size=design.n_cols)
    r = (y - 0.3 - X[:, design.columns] @ w)[first:last]
    found = design.matrix.residual_max_abs(w, np.arange(design.n_cols), y, 0.3, None, first, last)
    assert found == pytest.approx(np.abs(r).max(initial=0.0), rel=1e-12)
    with pytest.raises(ValueError, match="no row"):
        design.matrix.residual_max_abs(w, np.arange(design.n_cols), y, 0.3, None, first, 140_001)


def test_a_dual_point_is_left_where_eliminated_columns_are_missed():
    """Other columns go on from the coefficients, not from the dual point that the certificate was tried at."""
    X, y = crosses(3)
    run = PathSolver(make_problem(as_design(X), y).quadratic, 1.0, Options())
    run.solve(0.3 * run.alpha_max())
    before, threshold = run.working_set.w.copy(), run._threshold
    own = run._own_gap()
    own.dual, run.eliminated_length = run.working_set.position_of(0.5 * before), 10**6
    with pytest.raises(EliminatedColumns):
        run._certify_and_add(own, -1.0)
    assert threshold == run._threshold
    np.testing.assert_array_equal(run.working_set.w, before)
