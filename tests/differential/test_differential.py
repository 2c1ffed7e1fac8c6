"""Random problems against the oracle: 400 on every push, `SPARSEREG_DIFFERENTIAL=N` for more, `run.py` for hours."""

from __future__ import annotations

import os

import numpy as np
import pytest

from differential.active_set import Real
from differential.checks import examine
from differential.oracle import Data, minimise, value
from differential.problems import ENTRIES, FEATURES, draw
from differential.shrink import shrink, snippet

PROBLEMS = int(os.environ.get("SPARSEREG_DIFFERENTIAL", "400"))
CHUNK = 50


@pytest.mark.parametrize("start", range(0, PROBLEMS, CHUNK))
def test_random_problems(start):
    """No false certificate, no silent miss, nothing else of `checks.py`."""
    for seed in range(start, min(start + CHUNK, PROBLEMS)):
        problem = draw(seed)
        for failure in examine(problem):
            small = snippet(shrink(problem, failure.kind))
            pytest.fail(f"{failure.kind} (seed {seed}, {sorted(problem.features)}): {failure.detail}\n{small}")


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
