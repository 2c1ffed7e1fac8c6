"""X of ones in two sets of rows against selections of the rows."""

from __future__ import annotations

import numpy as np
import pytest
from test_path import crosses

from sparsereg import cross_validate_path
from sparsereg.data.design import as_design
from sparsereg.data.split_rows import SplitRows
from sparsereg.losses import LOSSES
from sparsereg.selection.fold_fits import FoldFit, Task
from sparsereg.selection.folds import Fold
from sparsereg.selection.measures import MeanDeviance
from sparsereg.solvers.loop import Options


def drawn(n):
    order = np.random.default_rng(1).permutation(n)
    return np.sort(order[n // 5 :]), np.sort(order[: n // 5])


def test_both_sets_have_the_columns_of_their_rows():
    X, y = crosses(2000)
    train, test = drawn(y.size)
    split = SplitRows.of(as_design(X), train, test)
    plain = as_design(X[train])
    np.testing.assert_array_equal(split.rest.columns, plain.columns)
    np.testing.assert_array_equal(split.rest.lengths(), plain.lengths())
    kept = split.rest.eliminate_short(5)
    assert kept.n_cols < split.rest.n_cols
    chosen = split.chosen(kept)
    np.testing.assert_array_equal(chosen.columns, kept.columns)
    for found, rows, design in ((split.rest, train, plain), (kept, train, kept), (chosen, test, kept)):
        v = np.random.default_rng(0).normal(size=rows.size)
        np.testing.assert_allclose(found.rmatvec(v), X[rows][:, design.columns].T @ v, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rows", ["overlap", "short", "twice"])
def test_other_sets_of_rows_are_not_split(rows):
    X, y = crosses(500)
    train, test = drawn(y.size)
    if rows == "overlap":
        test = np.concatenate([test[:-1], train[:1]])
    elif rows == "short":
        test = test[:-1]
    else:
        train = np.concatenate([train[:-1], train[:1]])
    assert SplitRows.of(as_design(X), train, test) is None


def test_values_are_not_split():
    X, y = crosses(500)
    X.data[3] = 2.0
    assert SplitRows.of(as_design(X), *drawn(y.size)) is None


def test_held_out_rows_get_back_columns_that_were_eliminated():
    """A fold whose solver is told that eliminated columns matter measures the same loss as one without elimination."""
    X, z = crosses(2000)
    y = (z > np.median(z)).astype(float)
    penalty = {"penalty_factor": None, "fit_intercept": True, "standardize": False, "positive": False}
    fold, alphas = Fold.of(*drawn(y.size), y.size), np.array([0.05, 0.03, 0.02])

    def fit():
        task = Task(as_design(X), y, None, None, LOSSES["logistic"], penalty, Options(tol=1e-8))
        return FoldFit(task, fold, MeanDeviance(task.loss), 1.0, alphas)

    plain, restored = fit(), fit()
    assert restored.held_out.design.n_cols < restored.task.design.n_cols
    points = [plain.advance(alpha) for alpha in alphas]
    assert restored.advance(alphas[0]).loss == points[0].loss
    restored.solver._restore()
    for alpha, point in zip(alphas[1:], points[1:], strict=True):
        assert restored.advance(alpha).loss == pytest.approx(point.loss, rel=1e-6)
    assert restored.held_out.design.n_cols > plain.held_out.design.n_cols


def test_folds_of_a_partition_and_of_repeated_rows_agree():
    """Where rows train twice, each fold counts its own rows; here all do, which changes no minimum."""
    X, z = crosses(1500)
    y = (z > np.median(z)).astype(float)
    folds = [drawn(y.size)]
    twice = [(np.repeat(train, 2), test) for train, test in folds]
    asked = {"loss": "logistic", "alphas": [0.05, 0.03, 0.02], "tol": 1e-9}
    once, again = (cross_validate_path(X, y, cv=cv, **asked).chosen.fold_losses for cv in (folds, twice))
    np.testing.assert_allclose(once, again, rtol=1e-4)
