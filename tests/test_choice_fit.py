"""The fit at the choice of `LassoCV`, by the solver of the path: as good as a fit from 0, and certified by the rows."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from test_path import crosses

from sparsereg import ElasticNet, ElasticNetCV, Lasso, LassoCV
from sparsereg.data.design import as_design
from sparsereg.linear_model import lasso_cv
from sparsereg.objective.problem import Coefficients, make_problem
from sparsereg.solvers.prefilter import PrefilteredSolver


def table(dtype=np.float64, n=15000):
    X, y = crosses(n)
    return sp.csr_array(X.astype(dtype)), y


def never_from_zero(monkeypatch):
    def fail(*_):
        raise AssertionError("a fit from 0")

    monkeypatch.setattr(ElasticNetCV, "_fit_choice", fail)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("options", [{}, {"l1_ratio": [0.5, 1.0]}, {"standardize": True}, {"fit_intercept": False}])
def test_as_good_as_a_fit_from_zero(monkeypatch, dtype, options):
    X, y = table(dtype)
    s = np.random.default_rng(0).uniform(0.5, 2.0, y.size) if "standardize" in options else None
    with monkeypatch.context() as only:
        never_from_zero(only)
        model = ElasticNetCV(alphas=30, eps=1e-2, cv=4, **options).fit(X, y, sample_weight=s)
    cold = ElasticNet(model.alpha_, l1_ratio=model.l1_ratio_, **{k: v for k, v in options.items() if k != "l1_ratio"})
    cold.fit(X, y, sample_weight=s)
    atol = 1e-6 * np.abs(cold.coef_).max()
    np.testing.assert_allclose(model.coef_, cold.coef_, atol=atol)
    assert model.intercept_ == pytest.approx(cold.intercept_, abs=1e-6)
    assert model.coef_.dtype == dtype
    assert model.n_iter_ >= 1
    flags = {k: v for k, v in options.items() if k in ("standardize", "fit_intercept")}
    problem, kept = make_problem(as_design(X), y, sample_weight=s, **flags), model.sparse_coef_.toarray()[0]
    columns = problem.design.columns
    coef = Coefficients(np.arange(columns.size), kept[columns].astype(np.float64)).nonzero()
    gap = problem.duality_gap(coef, model.alpha_, model.l1_ratio_)
    assert gap <= 1e-6 * problem.gap_scale
    assert model.dual_gap_ == pytest.approx(gap, abs=1e-12 * problem.gap_scale)


def test_deep_down_a_dual_point_certifies(monkeypatch):
    """The residual, scaled as a whole, has a gap of an eighth of the null model's loss there."""
    X, y = table()
    never_from_zero(monkeypatch)
    model = LassoCV(alphas=40, eps=1e-4, cv=4, rule=lambda validated: len(validated.alphas) - 1).fit(X, y)

    def objective(one):
        fit = 0.5 * np.mean((y - one.predict(X)) ** 2)
        return fit + model.alpha_ * np.abs(one.coef_).sum()

    closer = Lasso(model.alpha_, tol=1e-9).fit(X, y)
    assert objective(model) - objective(closer) <= model.dual_gap_ <= 1e-4 * y.var()


def test_eliminated_columns_are_bounded():
    """An eliminated column could be over a threshold that is low enough: no number is then given."""
    X, y = table()
    model = LassoCV(alphas=10, eps=0.1, cv=3)
    seen = []

    def look(solver, path, *_):
        seen.append(solver.solver.eliminated_length)
        held = solver.coefficients()
        assert np.isfinite(solver.gap_by_passes(held, float(path.alphas[-1])))
        assert solver.gap_by_passes(held, 1e-6 * float(path.alphas[-1])) == np.inf
        assert solver.gap_by_passes(held, 1e-6 * float(path.alphas[-1]), held) == np.inf

    model._fit_at = look
    model.fit(X, y)
    assert seen[0] > 0


@pytest.mark.parametrize("why", ["uncertified", "order", "gram"])
def test_a_fit_from_zero_takes_its_place(monkeypatch, why):
    X, y = table()
    options = {"selection": "random", "random_state": 0} if why == "order" else {}
    if why == "gram":
        centred = X.toarray() - X.toarray().mean(axis=0)
        options["precompute"] = centred.T @ centred
    if why == "uncertified":
        monkeypatch.setattr(PrefilteredSolver, "gap_by_passes", lambda *_: np.inf)
    fits = []
    from_zero = ElasticNetCV._fit_choice
    monkeypatch.setattr(ElasticNetCV, "_fit_choice", lambda self, *a: fits.append(from_zero(self, *a)) or fits[-1])
    model = LassoCV(alphas=10, cv=3, **options).fit(X, y)
    assert len(fits) == 1
    monkeypatch.undo()
    np.testing.assert_allclose(model.coef_, LassoCV(alphas=10, cv=3).fit(X, y).coef_, atol=1e-6)


def test_not_after_an_interrupt(monkeypatch):
    """What was interrupted may have left the solver between two states."""
    X, y = table()
    calls = []

    def interrupting(i, *_):
        calls.append(i)
        if i == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(lasso_cv, "fit_from_path", lambda *_: calls.append("path"))
    model = LassoCV(alphas=10, cv=3, verbose=True)
    monkeypatch.setattr("sparsereg.linear_model.path_choice._print_progress", interrupting)
    with pytest.warns(UserWarning, match="Interrupted after 5 of 10"):
        model.fit(X, y)
    assert calls == [0, 1, 2, 3, 4]
    assert model.validation_.chosen.stopped == "interrupted"
    assert model.dual_gap_ <= 1e-4 * np.var(y)
