"""What bounds save: columns that are never read, and rounds."""

import numpy as np
from test_path import crosses

from sparsereg.data.design import as_design
from sparsereg.objective.problem import make_problem
from sparsereg.solvers.loop import Options
from sparsereg.solvers.path_solver import PathSolver


def test_path_skips_most_columns():
    """The point of the bounds: on crosses most columns are never read after the first pass."""
    X, y = crosses(20_000, levels=(7, 300, 5000))
    problem = make_problem(as_design(X), y)
    run = PathSolver(problem.quadratic, 1.0, Options(1e-4, 1000))
    top, read, known = run.alpha_max(), [], run.working_set.gram.known_gradients

    def known_gradients(cols, w, shift):
        read.append(cols[run.working_set.gram.store.cache_index(cols) < 0])
        return known(cols, w, shift)

    run.working_set.gram.known_gradients = known_gradients
    for alpha in np.geomspace(top, top / 20, 20):
        run.solve(alpha)
    assert np.unique(np.concatenate(read)).size < 0.5 * X.shape[1]


def test_columns_known_to_be_over_the_next_threshold_join_before_the_descent():
    X, y = crosses(20_000)
    run = PathSolver(make_problem(as_design(X), y).quadratic, 1.0, Options(1e-3, 1000))
    top, rounds, certify = run.alpha_max(), [], run._certify
    run._certify = lambda own, target: rounds.append(run.working_set.m) or certify(own, target)
    for alpha in np.geomspace(0.9 * top, top / 100, 20):
        over, _, widest = run.screening.last_above(run.quadratic.weight_sum * alpha)
        run.solve(alpha)
        assert widest > 0.1 or np.isin(over, run.working_set.cols).all()
    assert len(rounds) <= 23  # without: 26
