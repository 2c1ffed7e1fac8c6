"""Copies of columns: which are found, and automatic paths without them against those with all columns."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from sparsereg import cross_validate_path
from sparsereg.data.design import as_design
from sparsereg.data.distinct_columns import DistinctColumns
from sparsereg.objective.problem import make_problem
from sparsereg.rows.contract import Coefficients
from sparsereg.selection import engine
from sparsereg.solvers import prefilter


def test_copies_of_columns_are_left_out_and_stay_so():
    """But for the first of X; shorter ones that were eliminated come back without them."""
    rng = np.random.default_rng(0)
    X = (rng.random((50, 40)) < np.linspace(0.02, 0.5, 40)).astype(float)
    X = np.hstack([X[:, :5], X, X[:, 10:20], np.zeros((50, 2))])
    _, first = np.unique(X, axis=1, return_index=True)
    expected = np.sort(first[X[:, first].any(axis=0)])
    design = DistinctColumns.of_design(as_design(sp.csr_array(X)))
    np.testing.assert_array_equal(np.sort(design.columns), expected)
    shorter = design.eliminate_columns(20)
    assert shorter.n_cols == 20
    np.testing.assert_array_equal(np.sort(shorter.restore_eliminated().columns), expected)
    v = rng.normal(size=50)
    np.testing.assert_allclose(design.rmatvec(v), X[:, design.columns].T @ v)
    np.testing.assert_allclose(shorter.rmatvec(v), X[:, shorter.columns].T @ v)


def with_copies():
    """Rows where a third of the levels of one column tell those of another, so that their cells are levels again."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 60, 1500), rng.integers(0, 8, 1500)
    b[a < 20] = a[a < 20] % 8
    parts = [np.eye(size)[codes] for codes, size in ((a, 60), (b, 8), (8 * a + b, 480))]
    X = np.hstack(parts)
    y = rng.normal(size=60)[a] + rng.normal(size=480)[8 * a + b] + rng.normal(size=1500)
    return sp.csr_array(X), y


@pytest.mark.parametrize("margin", [None, 0.01])
@pytest.mark.parametrize("options", [{}, {"sample_weight": True}, {"standardize": True}, {"positive": True}], ids=str)
def test_copies_of_columns_stay_at_0_on_automatic_paths(monkeypatch, options, margin):
    """The losses and certificates are those of all columns, also where eliminated columns come back."""
    X, y = with_copies()
    if options.get("sample_weight"):
        options = {"sample_weight": np.random.default_rng(1).uniform(0.5, 2.0, len(y))}
    if margin is not None:
        monkeypatch.setattr(prefilter, "RESIDUAL_MARGIN", margin)
    monkeypatch.setattr(engine, "SMALL_ENTRIES", 10)
    monkeypatch.setattr(engine, "OF_FOLDS", 1e-9)
    asked = {"cv": 4, "alphas": 12, "eps": "auto", "tol": 1e-4} | options
    ours = cross_validate_path(X, y, **asked)
    monkeypatch.setattr(DistinctColumns, "of_design", lambda design: design)
    plain = cross_validate_path(X, y, **asked)
    assert ours.k == plain.k
    np.testing.assert_allclose(ours.chosen.fold_losses, plain.chosen.fold_losses, rtol=2e-3)
    _, first = np.unique(X.toarray(), axis=1, return_index=True)
    copies = np.setdiff1d(np.arange(X.shape[1]), first)
    assert copies.size >= 20
    assert not ours.path.coefs.tocsr()[copies].nnz
    s = options.get("sample_weight")
    rest = {name: value for name, value in options.items() if name != "sample_weight"}
    problem = make_problem(as_design(X.toarray()), y, sample_weight=s, **rest)
    for k in range(0, ours.path.alphas.size, 5):
        values = []
        for path in (ours.path, plain.path):
            cols, w = path.point(k)
            values.append(problem.objective(Coefficients(cols.astype(np.int64), w), float(path.alphas[k]), 1.0))
        assert values[0] - values[1] <= ours.path.dual_gaps[k] + 1e-12


@pytest.mark.parametrize("options", [{"l1_ratio": 0.5}, {"penalty_factor": True}], ids=str)
def test_copies_stay_where_they_are_penalised_in_another_way(monkeypatch, options):
    X, y = with_copies()
    if "penalty_factor" in options:
        options = {"penalty_factor": np.random.default_rng(1).uniform(0.5, 2.0, X.shape[1])}
    monkeypatch.setattr(engine, "SMALL_ENTRIES", 10)
    monkeypatch.setattr(DistinctColumns, "of_design", lambda _: pytest.fail("columns were left out"))
    cross_validate_path(X, y, cv=4, alphas=12, eps="auto", **options)
