"""No fold sees the targets that it holds out: its path stays the same to the last digit when they are changed."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from blind_problems import differences, differing
from seeds import seeds
from test_path import crosses

from sparsereg import cross_validate_path
from sparsereg.rows import folds as folds_of_rows
from sparsereg.rows import training_rows
from sparsereg.solvers import path_solver


@pytest.mark.parametrize("seed", [104, 107, *seeds(12)])
def test_no_fold_sees_the_targets_that_it_holds_out(seed):
    assert differences(seed, losses=("squared",)) == []


@pytest.mark.parametrize("loss", ["logistic", "poisson", "multinomial"])
@pytest.mark.parametrize("seed", seeds(2))
def test_nor_with_other_losses(seed, loss):
    assert differences(seed, losses=(loss,)) == []


def paths_of_a_fold(X, y, changed, **options):
    """Of the first of four folds, with its own targets and with others."""
    alphas = np.abs(X.T @ (y - y.mean())).max() / y.size * 0.05 ** np.linspace(0.0, 1.0, 10)
    folds = [(np.flatnonzero(np.arange(y.size) % 4 != f), np.flatnonzero(np.arange(y.size) % 4 == f)) for f in range(4)]
    other = np.where(np.arange(y.size) % 4 == 0, changed, y)
    asked = {"cv": folds, "alphas": alphas, "keep_fold_paths": True, "max_iter": 30, **options}
    return [cross_validate_path(X, targets, **asked).chosen.fold_paths[0] for targets in (y, other)]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("level", "changed"), [(0.0, -30.0), (1e5, 9e4)], ids=["near", "far"])
@pytest.mark.parametrize("kind", ["ones", "values", "weighted"])
@pytest.mark.parametrize("room", ["all", "no products", "no Gram matrix", "apart"])
def test_nor_where_room_is_short(monkeypatch, level, changed, kind, room):
    """Each fold decides by its own columns how many cached products it keeps, and when to go on without a Gram matrix;
    by its own residuals which columns it leaves out; and by its own targets whether they are shifted."""
    X, y = crosses(1500)
    if kind == "values":
        X.data = np.random.default_rng(0).normal(size=X.nnz)
    if room == "no products":
        monkeypatch.setattr(folds_of_rows, "MIN_CACHE_BYTES", -X.nnz + 4_000)
    if room == "no Gram matrix":
        monkeypatch.setattr(path_solver, "FREE_GRAM", 0)
        monkeypatch.setattr(path_solver, "GRAM_BYTES_PER_ENTRY", 0.5)
    if room == "apart":
        monkeypatch.setattr(training_rows, "LEAST_SHARED", 200)
        monkeypatch.setattr(training_rows, "PER_SHARED", 1_000_000)
    s = np.random.default_rng(1).uniform(0.5, 2.0, y.size) if kind == "weighted" else None
    assert differing(*paths_of_a_fold(sp.csr_array(X), y + level, changed, sample_weight=s)) == []
