"""How closely models are solved."""

import numpy as np
import scipy.sparse as sp

from sparsereg.data.design import as_design
from sparsereg.objective.problem import make_problem
from sparsereg.solvers.closeness import Closeness
from sparsereg.solvers.loop import Options
from sparsereg.solvers.newton_path import NewtonPath


def test_models_are_as_close_as_the_last_strengths_were():
    last = Closeness(1e-8, 0.9)
    for gap in (1e-2, 1e-5, 1e-9):
        last.step_taken(gap, 1.0)
    now = Closeness(1e-8, 0.9, last)
    seen = []
    for gap in (1e-2, 1e-5, 1e-9, 1e-9):
        assert now.of_model(dear=False) == 1e-8
        seen.append(now.of_model(dear=True))
        now.step_taken(gap, 1.0)
    np.testing.assert_allclose(seen, [1e-3, 1e-6, 1e-8, 1e-8])
    now.step_taken(1e-9, 0.0)  # stalls
    assert now.of_model(dear=True) < 1e-8
    far = Closeness(1e-8, 0.1, last)
    far.begin_round(1.0)
    assert far.of_model(dear=False) == 1e-8
    assert far.of_model(dear=True) == 0.1


def test_close_paths_on_the_residual_take_fewer_epochs_for_that(monkeypatch):
    rng = np.random.default_rng(1)
    X = sp.random_array((300, 120), density=0.5, rng=rng, format="csr")
    y = (X[:, [0]].toarray().ravel() + 0.3 * rng.normal(size=300) > 0.25).astype(float)
    problem = make_problem(as_design(X), y, loss="logistic")

    def epochs():
        solver = NewtonPath(problem, 1.0, Options(1e-10, 10_000))
        top = solver.alpha_max()
        found = [solver.solve(alpha) for alpha in np.geomspace(top, 0.05 * top, 40)]
        assert all(one.dual_gap <= 1e-10 * problem.gap_scale for one in found)
        return sum(one.epochs for one in found)

    now = epochs()
    monkeypatch.setattr("sparsereg.solvers.closeness.REACHED_SHARE", 0.0)
    assert now < 0.9 * epochs()
