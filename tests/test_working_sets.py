"""Positions of a working set, moved to in several ways: the same as if worked out anew."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from sparsereg.data.design import as_design
from sparsereg.objective.problem import make_problem
from sparsereg.solvers.gram_cd import GramCD
from sparsereg.solvers.prox_gradient import ProxGradient, ProxGradientOnResidual
from sparsereg.solvers.residual_cd import ResidualCD

KINDS = (GramCD, ResidualCD, ProxGradient, ProxGradientOnResidual)


def working_set(kind, rng, m):
    """Of the first m of 30 columns, half of the coefficients 0."""
    X = sp.random_array((80, 30), density=0.2, rng=rng, format="csr")
    problem = make_problem(as_design(X), rng.standard_normal(80), sample_weight=rng.random(80))
    ws = kind(problem.quadratic)
    ws.add(np.arange(m))
    ws.set_strength(0.01, 1.0)
    ws.set_w(rng.standard_normal(m) * (rng.random(m) < 0.5))
    return ws


def assert_as_if_anew(ws, w):
    found = ws.position()
    np.testing.assert_array_equal(found.w, w)
    ws.set_w(w)
    anew = ws.position()
    np.testing.assert_allclose(found.state, anew.state, rtol=1e-12, atol=1e-12)
    assert found.r_sum == pytest.approx(anew.r_sum, abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_added", [0, 2, 20])  # fewer columns than are not at 0, and more
def test_beyond_the_last_position_on_the_line_from_an_earlier_one(kind, n_added):
    rng = np.random.default_rng(n_added)
    ws = working_set(kind, rng, 10)
    before = ws.copied_position()
    ws.add(np.arange(10, 10 + n_added))
    w = np.concatenate([before.w + 0.3 * rng.standard_normal(10), rng.standard_normal(n_added)])
    w[0], w_before = 0.01 * np.sign(before.w[0] or 1.0), np.concatenate([before.w, np.zeros(n_added)])
    ws.set_w(w)
    ws.move_beyond(before, 0.7)
    line = w + 0.7 * (w - w_before)
    expected = np.where(line * w > 0.0, line, 0.0)
    assert not expected.all()  # some would change sign
    np.testing.assert_allclose(ws.w, expected, rtol=1e-12)
    assert_as_if_anew(ws, ws.w)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_added", [0, 2, 20])
def test_back_to_a_position_of_the_first_columns(kind, n_added):
    rng = np.random.default_rng(n_added)
    ws = working_set(kind, rng, 10)
    before = ws.position()
    ws.set_w(np.zeros(10))
    ws.add(np.arange(10, 10 + n_added))
    ws.return_to(before)
    assert_as_if_anew(ws, np.concatenate([before.w, np.zeros(n_added)]))
