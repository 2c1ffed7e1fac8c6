"""Strengths of other losses on the line between two dual points: their gaps against the truth, and where it fails."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from test_between import OPTIONS as of_squares
from test_between import check_fallback, values, walked
from test_path import crosses

from sparsereg import cross_validate_path
from sparsereg.data.design import as_design
from sparsereg.losses import LOSSES
from sparsereg.objective.problem import make_problem
from sparsereg.rows.group_units import GroupUnits
from sparsereg.solvers import ahead, working_set
from sparsereg.solvers.loop import Options
from sparsereg.solvers.newton_path import NewtonPath

OPTIONS = [*of_squares, {"offset": True}]


def made(data, loss, options, tol=1e-4):
    """A solver, its problem, and fifty strengths over a factor of ten."""
    X, z = data
    rng, options = np.random.default_rng(0), dict(options)
    y = (z > np.median(z)).astype(float) if loss == "logistic" else rng.poisson(np.exp((z - z.mean()) / 4)) * 1.0
    l1_ratio, n = options.pop("l1_ratio", 1.0), y.size
    drawn = {"sample_weight": rng.uniform(0.5, 2.0, n), "penalty_factor": rng.uniform(0.5, 2.0, X.shape[1])}
    drawn["offset"] = rng.normal(size=n)
    problem = make_problem(as_design(X), y, loss=LOSSES[loss], **{k: drawn.get(k, v) for k, v in options.items()})
    solver = NewtonPath(problem, l1_ratio, Options(tol=tol))
    top = solver.alpha_max()
    return solver, problem, np.geomspace(top, 0.1 * top, 50).tolist()


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("loss", ["logistic", "poisson"])
@pytest.mark.parametrize("data", [crosses(1500), values()], ids=["ones", "values"])
@pytest.mark.parametrize("projected", [False, True])
def test_gaps_bound_the_distance_to_the_minimum(data, loss, options, projected, monkeypatch):
    """`projected`: as where epochs are dear, certified at projected dual points."""
    if projected:
        monkeypatch.setattr(working_set, "COSTLY_EPOCH", 0)
    solver, problem, alphas = made(data, loss, options)
    assert isinstance(solver.units, GroupUnits) == (data[0].data.max() == data[0].data.min())
    found, steps = walked(solver, alphas)
    assert max(steps) >= 3
    assert len(steps) < 0.6 * len(alphas)
    close, _, _ = made(data, loss, options, tol=1e-10)
    for alpha, point in list(zip(alphas, found, strict=True))[1::2]:
        value = problem.objective(point.coef, alpha, solver.l1_ratio)
        best = close.solve(alpha)
        least = problem.objective(best.coef, alpha, solver.l1_ratio)
        assert value - least <= point.dual_gap + 1e-10 * problem.gap_scale
        assert point.dual_gap <= 1e-4 * problem.gap_scale
        at = problem.loss_rows.predictor(point.coef)[0] + (point.intercept - problem.intercept(point.coef))
        above = problem.loss.total(problem.rows.y, at, problem.rows.s) - problem.loss_rows.saturated()
        assert point.deviance == pytest.approx(2.0 * above, rel=1e-9)


def test_where_the_line_does_not_certify_strengths_are_solved(monkeypatch):
    """Over steps that are too long, and the next steps from the last strength."""
    monkeypatch.setattr(ahead, "LINE", 0.01)
    solver, problem, alphas = made(crosses(1500), "logistic", {}, tol=1e-6)
    solver.solve_ahead(alphas[:1])
    check_fallback(solver, problem, alphas[1:])


def test_folds_solve_every_few_strengths_and_lose_nothing(monkeypatch):
    """The held-out losses are those of solutions at every strength, but for the gap; kept fold paths have deviances."""
    X, z = crosses(3000)
    y = (z > np.median(z)).astype(float)
    asked = {"loss": "logistic", "alphas": 40, "eps": 0.05, "keep_fold_paths": True}
    found = cross_validate_path(X, y, **asked)
    monkeypatch.setattr(ahead, "LINE", 1.0)
    each = cross_validate_path(X, y, **asked)
    np.testing.assert_allclose(found.chosen.fold_losses, each.chosen.fold_losses, rtol=3e-3)
    for path, other in zip(found.chosen.fold_paths, each.chosen.fold_paths, strict=True):
        assert path.certified.all()
        np.testing.assert_allclose(path.deviance_explained, other.deviance_explained, atol=2e-3)
    assert sum(np.count_nonzero(path.n_iters == 0) for path in found.chosen.fold_paths) > 80


@pytest.mark.parametrize("good", [[], [95.0], [98.0, 93.0]], ids=str)
def test_what_a_line_misses_is_filled_from_the_middle(good):
    """Lines certify what lies between strengths apart by 2, and those that are `good`."""

    class Lines(ahead.LooksAhead):
        options, _gap_scale = Options(tol=1.0), 1.0
        _stride = 8

        def solve(self, alpha):
            self.at = self._dual_point = Point(alpha)
            solved.append(alpha)
            return Point(alpha)

        def _interpolates(self):
            return True

        def _solve_between(self, first, last, alphas):
            near = first.alpha - last.alpha <= 2.0
            return [Point(alpha) if near or alpha in good else None for alpha in alphas]

        def _return_to(self, end):
            self.at = end

    solved: list[float] = []
    solver = Lines()
    solver.solve_ahead([100.0])
    solver._stride = 8
    found = solver.solve_ahead([99.0, 98.0, 97.0, 96.0, 95.0, 94.0, 93.0, 92.0, 91.0])
    assert [point.alpha for point in found] == [99.0, 98.0, 97.0, 96.0, 95.0, 94.0, 93.0, 92.0]
    assert solver.at.alpha == solver._dual_point.alpha == 92.0
    assert solved[1] == 92.0
    assert len(solved) < 7
    assert solver._stride == 6


class Point(NamedTuple):
    alpha: float
    dual_gap: float = 0.0
