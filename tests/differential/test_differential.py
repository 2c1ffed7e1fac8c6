"""Random problems against the oracle: 400 on every push, `SPARSEREG_DIFFERENTIAL=N` for more, `run.py` for hours."""

from __future__ import annotations

import os

import numpy as np
import pytest
from seeds import seeds

from differential import losses
from differential.active_set import Real
from differential.checks import examine
from differential.oracle import Data, minimise, value
from differential.problems import ENTRIES, FEATURES, draw
from differential.shrink import shrink, snippet

PROBLEMS = int(os.environ.get("SPARSEREG_DIFFERENTIAL", "400"))
CHUNK = 50
LOSS_PROBLEMS = len(seeds(40))


@pytest.mark.parametrize("start", range(0, PROBLEMS, CHUNK))
def test_random_problems(start):
    """No false certificate, no silent miss, nothing else of `checks.py`."""
    for seed in range(start, min(start + CHUNK, PROBLEMS)):
        problem = draw(seed)
        for failure in examine(problem):
            small = snippet(shrink(problem, failure.kind))
            pytest.fail(f"{failure.kind} (seed {seed}, {sorted(problem.features)}): {failure.detail}\n{small}")


@pytest.mark.parametrize("start", range(0, LOSS_PROBLEMS, CHUNK // 5))
def test_random_problems_of_other_losses(start):
    """Every loss, several classes among them; a point that is not certified says so, and is none of these failures."""
    for seed in range(start, min(start + CHUNK // 5, LOSS_PROBLEMS)):
        problem = losses.draw(seed)
        found = [failure for failure in losses.examine(problem) if failure.kind != "stalled"]
        assert not found, f"seed {seed}: {problem}"


def test_steps_along_dependent_columns_keep_coefficients_non_negative():
    """Where the penalty seems to rise along them, by the rounding of slopes of unpenalized twins."""
    problem = draw(776318)
    assert problem.positive
    assert not examine(problem)


@pytest.mark.parametrize("seed", [15817424, 98601114])
def test_flat_rows_of_large_weights_do_not_hold_back_others(seed):
    """Squared hinge with weights over six orders: steps crawled where flat rows had a curvature of 1e-4."""
    assert not losses.examine(losses.draw(seed))


def test_every_loss_is_drawn_and_its_oracle_agrees_with_its_derivatives():
    drawn = [losses.draw(seed) for seed in range(100)]
    assert {problem.loss for problem in drawn} == set(losses.LOSSES)
    for problem in drawn[:20]:
        rng, shape = np.random.default_rng(problem.seed), (problem.dense.shape[1], problem.n_outputs)
        b, W = (
            rng.normal(size=shape[1]).astype(Real),
            (rng.normal(size=shape) / np.abs(problem.dense).max()).astype(Real),
        )
        along, h = rng.normal(size=shape).astype(Real), Real(1e-6) / np.abs(problem.dense).max()

        def smooth(W, problem=problem, b=b):
            return problem.value(b, W, 0.1) - problem.strengths(0.1)[0] @ np.abs(W).sum(axis=1)

        slope = (smooth(W + h * along) - smooth(W - h * along)) / (2 * h)
        assert slope == pytest.approx(np.sum(problem.gradient(b, W, 0.1)[1] * along), rel=1e-4, abs=1e-6)


def test_every_feature_and_entry_point_is_drawn():
    drawn = [draw(seed) for seed in range(1500)]
    assert {problem.entry for problem in drawn} == set(ENTRIES)
    assert set().union(*(problem.features for problem in drawn)) == set(FEATURES)
    assert {type(problem.X).__name__ for problem in drawn} == {"ndarray", "csr_array", "csc_array", "coo_array"}


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.01, 0.0])
@pytest.mark.parametrize("shape", [(30, 8), (12, 25)])
def test_the_oracle_certifies_itself(shape, l1_ratio, positive):
    """Its own gap is rounding, and no neighbour is better; duplicated columns and sums of columns among them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=shape)
    X[:, 3], X[:, 4] = X[:, 2], X[:, 0] + X[:, 1]
    data = Data.of(X + 1e9, X @ rng.normal(size=shape[1]) + rng.normal(size=shape[0]))
    l1, l2 = np.full(shape[1], Real(l1_ratio)), np.full(shape[1], Real(1 - l1_ratio))
    least = minimise(data, l1, l2, positive)
    assert least.gap <= 1e-13 * float(data.null)
    m, ym = data.means
    for _ in range(20):
        w = least.w + 1e-4 * rng.normal(size=shape[1])
        w = np.maximum(w, 0) if positive else w
        assert value(data, w, ym - m @ w, l1, l2) >= least.value
