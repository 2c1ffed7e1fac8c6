"""The one-standard-error rule: against differences row by row, in blocks, and never weaker than the best."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sparsereg.selection.paired import PairedLosses, one_se_index


@pytest.mark.parametrize("weighted", [False, True])
def test_errors_are_those_of_the_differences(weighted):
    rng = np.random.default_rng(0)
    losses = rng.normal(size=(500, 1)) * 100 + rng.normal(size=(500, 6)) * 0.1 + np.linspace(1, 0, 6) * 0.01
    s = rng.random(500) * 3 if weighted else np.ones(500)
    paired = PairedLosses(6)
    for rows in np.array_split(np.arange(500), 7):
        paired.add(losses[rows], s[rows] if weighted else None)
    np.testing.assert_allclose(paired.mean, np.average(losses, axis=0, weights=s), rtol=1e-12)
    for reference in range(6):
        d = losses - losses[:, [reference]]
        expected = np.sqrt(((s[:, None] * (d - np.average(d, axis=0, weights=s))) ** 2).sum(axis=0)) / s.sum()
        np.testing.assert_allclose(paired.errors(reference), expected, rtol=1e-7, atol=1e-10)


@given(arrays(np.float64, (6, 5), elements=st.floats(-1e3, 1e3)))
def test_never_weaker_than_the_best(losses):
    mean = losses.mean(axis=0)
    chosen = one_se_index(losses)
    assert mean[: chosen + 1].min() >= mean.min() - 1e-9
    assert chosen <= int(np.argmin(mean)) or np.isclose(mean[chosen], mean.min())


def test_differences_count_not_the_spread_of_the_rows():
    """All rows agree that the second is worse by 0.5 than the third; their own spread of 100 is beside the point."""
    level = np.random.default_rng(1).normal(size=200) * 100
    losses = level[:, None] + np.array([5.0, 0.5, 0.0])
    losses[:, 1] += np.random.default_rng(2).normal(size=200) * 0.1
    assert one_se_index(losses) == 2
    losses[:, 1] = losses[:, 2] + np.random.default_rng(2).normal(size=200) * 0.1 + 1e-4
    assert one_se_index(losses) == 1


def test_wrong_arguments():
    with pytest.raises(ValueError, match="losses of shape"):
        one_se_index([1.0, 2.0])
    with pytest.raises(ValueError, match="losses of shape"):
        one_se_index([[1.0, np.nan]])
    with pytest.raises(ValueError, match="sample_weight of shape"):
        one_se_index([[1.0, 2.0]], [1.0, 1.0])
