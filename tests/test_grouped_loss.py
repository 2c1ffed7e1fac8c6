"""The loss of rows by groups, at one solution after the other: against the rows one by one."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from test_path import crosses

from sparsereg import cross_validate_path
from sparsereg.data.design import as_design
from sparsereg.losses import LOSSES
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.group_units import GroupedLoss
from sparsereg.rows.loss_rows import LossRows
from sparsereg.rows.memory import MemoryRows
from sparsereg.selection import fold_fits


def grouped(name, *, weighted=False, offset=False, valued=0):
    X, y = crosses(500)
    X.data[X.indices < valued] = 2.0
    rng = np.random.default_rng(0)
    y = (y > 0).astype(float) if name == "logistic" else rng.poisson(np.exp(np.clip(y, -3, 2))).astype(float)
    s = rng.uniform(0.5, 2.0, y.size) if weighted else None
    return LossRows(
        MemoryRows(as_design(X), y, s), LOSSES[name], rng.integers(0, 3, y.size) / 4 if offset else None, False
    )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("offset", [False, True])
@pytest.mark.parametrize("name", ["logistic", "poisson"])
def test_the_loss_at_growing_and_shrinking_supports(name, weighted, offset):
    loss_rows = grouped(name, weighted=weighted, offset=offset)
    groups, rng = GroupedLoss(loss_rows), np.random.default_rng(1)
    least = loss_rows.saturated()
    for size in (0, 1, 5, 20, 3):
        cols = np.sort(rng.choice(loss_rows.rows.n_cols, size, replace=False))
        coef, b0 = Coefficients(cols, rng.normal(size=size)), float(rng.normal())
        z = loss_rows.rows.predictor(coef) + b0 + (0.0 if loss_rows.offset is None else loss_rows.offset)
        expected = loss_rows.loss.total(loss_rows.rows.y, z, loss_rows.rows.s) - least
        assert groups.above_least(coef, b0) == pytest.approx(expected, rel=1e-11)


def test_no_groups_by_columns_of_values():
    loss_rows = grouped("logistic", valued=5)
    design = loss_rows.rows.design
    assert 0 < design.n_ones < design.n_cols
    groups, valued = GroupedLoss(loss_rows), np.array([design.n_ones])
    assert groups.above_least(Coefficients(valued, np.ones(1)), 0.0) is None
    assert groups.above_least(Coefficients(np.array([0]), np.ones(1)), 0.0) is not None


@pytest.mark.parametrize("values", [False, True])
def test_folds_measure_the_same_by_groups_and_by_rows(monkeypatch, values):
    """Also where a column of values turns up on the way."""
    X, y = crosses(800)
    if values:
        X = sp.hstack([X, sp.csr_array(np.sign(y)[:, None] * (np.arange(800) % 2)[:, None])]).tocsr()
    arguments = {"loss": "logistic", "cv": 3, "alphas": 10, "eps": 0.1}
    by_groups = cross_validate_path(X, (y > 0) * 1.0, **arguments)
    monkeypatch.setattr(fold_fits, "groups_suit", lambda _: False)
    by_rows = cross_validate_path(X, (y > 0) * 1.0, **arguments)
    np.testing.assert_allclose(by_groups.chosen.fold_losses, by_rows.chosen.fold_losses, rtol=1e-12)
