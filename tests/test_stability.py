"""Half samples by blocks: the halves themselves, their sums, and the same columns as on each half alone."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from sparsereg import stability_selection
from sparsereg._core.kernels import append_sums
from sparsereg.data.design import as_design
from sparsereg.losses import LOSSES
from sparsereg.rows.arranged import Arranged
from sparsereg.rows.blocks import BlockRows, ChosenRows
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.memory import MemoryRows
from sparsereg.selection import half_samples
from sparsereg.selection.fold_fits import Task
from sparsereg.selection.half_samples import Halves, deal_rows
from sparsereg.solvers.loop import Options

STRICT = Options(1e-12, 10_000, "auto")


def crosses(n=3000, levels=(12, 40), seed=0):
    """One-hot factors and their cross, some of whose columns no half may have, and a target of a few of them."""
    rng = np.random.default_rng(seed)
    first, second = (rng.zipf(1.4, n).clip(max=k) - 1 for k in levels)
    columns = [first, levels[0] + second, sum(levels) + first * levels[1] + second]
    X = sp.csr_array(
        (np.ones(3 * n), np.stack(columns, 1).ravel(), np.arange(0, 3 * n + 1, 3)),
        shape=(n, sum(levels) + levels[0] * levels[1]),
    )
    effects = rng.normal(size=X.shape[1]) * (rng.random(X.shape[1]) < 0.2)
    return X, X @ effects + 0.5 * rng.normal(size=n)


def task_of(X, y, fit_intercept=True, standardize=False, options=STRICT):
    penalty = {"fit_intercept": fit_intercept, "standardize": standardize}
    return Task(as_design(X), np.asarray(y, dtype=float), None, None, LOSSES["squared"], penalty, options)


@pytest.mark.parametrize(("n", "pairs"), [(7, 3), (1000, 3), (1000, 5), (3211, 25), (5000, 70)])
def test_halves_are_complementary_and_balanced(n, pairs):
    deals = deal_rows(n, pairs, 1)
    assert sum(len(deal.halves) for deal in deals) == 2 * pairs
    for deal in deals:
        halves = [deal.rows(half) for half in deal.halves]
        rows = np.concatenate(halves[:2])
        assert rows.size == np.unique(rows).size == deal.size * deal.n_blocks
        assert n - rows.size < max(deal.n_blocks, 2)
        for a, b in zip(halves[::2], halves[1::2], strict=True):
            assert a.size == b.size
            np.testing.assert_array_equal(np.sort(np.concatenate([a, b])), np.sort(rows))
        for i, a in enumerate(halves):
            for j, b in enumerate(halves):
                if i // 2 != j // 2:
                    assert np.intersect1d(a, b).size == rows.size // 4
    again = deal_rows(n, pairs, 1)
    np.testing.assert_array_equal(again[0].order, deals[0].order)
    assert (deal_rows(n, pairs, 2)[0].order != deals[0].order).any()


def test_each_row_is_in_a_half_as_often_as_any_other():
    counts = np.zeros(200)
    for seed in range(400):
        deal = deal_rows(200, 3, seed)[0]
        counts[deal.rows(deal.halves[2])] += 1
    assert np.abs(counts / 400 - 0.5).max() < 0.12  # 4.8 standard errors


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize(("standardize", "l1_ratio"), [(False, 1.0), (True, 1.0), (False, 0.6)])
@pytest.mark.parametrize("grid", [30, np.geomspace(0.3, 0.001, 20)])
def test_columns_are_those_of_each_half_alone(fit_intercept, standardize, l1_ratio, grid, monkeypatch):
    X, y = crosses()
    task = task_of(X, y, fit_intercept, standardize)
    (deal,) = deal_rows(len(y), 7, 0)
    assert deal.n_blocks == 8
    shared = Halves(task, deal, l1_ratio, (grid, 1e-2), 12)
    alone = [shared.select(half) for half in deal.halves]
    shared.share_sums()
    monkeypatch.setattr(Halves, "_alone", None)
    for half, expected in zip(deal.halves, alone, strict=True):
        np.testing.assert_array_equal(np.sort(shared.select(half)), np.sort(expected))
    assert shared.blocks is not None
    assert any(columns.size for columns in alone)


def test_sums_of_blocks():
    """Moments, gradients, Gram columns and products with columns outside, whoever made columns members before."""
    X, y = crosses()
    (deal,) = deal_rows(len(y), 15, 3)
    design = as_design(X)
    blocks = BlockRows(design, Arranged.of(y, None, deal.order, deal.parts))
    rng, base = np.random.default_rng(0), 0.3
    for half in deal.halves[3:9]:
        rows, of_half = ChosenRows(blocks, half), deal.rows(half)
        dense = X[of_half].toarray()[:, blocks.design.columns]
        plain = MemoryRows(as_design(X[of_half].tocsc()), y[of_half], None)
        every = np.arange(blocks.design.n_cols)
        np.testing.assert_array_equal(rows.moments().sums, dense.sum(axis=0))
        np.testing.assert_allclose(rows.gradients(None, base), dense.T @ (y[of_half] - base), atol=1e-9)
        assert rows.target_mean() == pytest.approx(y[of_half].mean())
        assert rows.weight_sum == plain.weight_sum == of_half.size
        gram = rows.gram(base)
        gram.cache_rows(rows.gradients(None, base))
        members = rng.permutation(blocks.design.n_cols)[:30]
        gram.extend(members[:10])
        gram.extend(members[10:])
        np.testing.assert_allclose(gram.store.toarray(), dense[:, members].T @ dense[:, members])
        w, shift = rng.normal(size=30), 0.1
        expected = dense.T @ (y[of_half] - base - shift - dense[:, members] @ w)
        outside = np.setdiff1d(every, members)
        c, known = gram.known_gradients(outside, w, shift)
        np.testing.assert_allclose(c[known], expected[outside][known], atol=1e-9)
        assert known.sum() > 50
        np.testing.assert_allclose(gram._on_own_rows(outside, w, base + shift), expected[outside], atol=1e-9)
        coef = Coefficients(members, w)
        np.testing.assert_allclose(rows.gradients(coef, base + shift), expected, atol=1e-9)
        r = y[of_half] - base - dense[:, members] @ w
        assert rows.residual_max_abs(coef, base) == pytest.approx(np.abs(r).max())
        assert rows.squared_residual(coef, base) == pytest.approx(r @ r)


@pytest.mark.parametrize("why", ["columns that were left out matter", "no room", "targets far from 0"])
def test_halves_that_blocks_do_not_serve(why, monkeypatch):
    X, y = crosses()
    asked = {"n_pairs": 7, "n_columns": 10, "tol": 1e-12}
    expected = stability_selection(X, y, **asked)
    if why == "no room":
        monkeypatch.setattr(half_samples, "FREE_GRAM", 1)
        monkeypatch.setattr(half_samples, "GRAM_BYTES_PER_ENTRY", 16.0 * 8 * X.shape[1] / X.nnz)
    elif why == "targets far from 0":
        y = y + 1e9
    else:
        monkeypatch.setattr(half_samples, "REACH", 5.0)
    solved, alone = [], Halves._alone
    monkeypatch.setattr(Halves, "_alone", lambda self, half: solved.append(half) or alone(self, half))
    found = stability_selection(X, y, **asked)
    assert len(solved) > 2
    if why != "targets far from 0":  # which lose digits
        np.testing.assert_array_equal(found.frequencies.toarray(), expected.frequencies.toarray())


def test_any_storage_has_the_same_halves():
    X, y = crosses()
    asked = {"n_pairs": 7, "n_columns": 10, "tol": 1e-12}
    found = [
        stability_selection(Z, y, **asked, **more)
        for Z, more in ((X, {}), (X, {"n_jobs": 2}), (X.tocsc(), {}), (X, {"sample_weight": np.ones(len(y))}))
    ]
    for other in found[1:]:
        np.testing.assert_array_equal(other.frequencies.toarray(), found[0].frequencies.toarray())


def test_few_pairs_and_other_losses_are_solved_alone():
    X, y = crosses()
    (deal,) = deal_rows(len(y), 3, 0)
    few = Halves(task_of(X, y), deal, 1.0, (20, 1e-2), 5)
    few.share_sums()
    assert few.blocks is None
    sign = np.where(y > np.median(y), 1.0, 0.0)
    found = stability_selection(X, sign, loss="logistic", n_pairs=5, n_columns=5)
    assert found.n_halves == 10


def test_several_classes_are_refused_without_naming_them_as_possible():
    X, y = crosses()
    with pytest.raises(ValueError, match="Several classes are not taken here") as error:
        stability_selection(X, np.arange(len(y)) % 3, loss="multinomial")
    assert str(error.value).count("multinomial") == 1


def test_sums_need_fitting_parts():
    X, y = crosses()
    (deal,) = deal_rows(len(y), 7, 0)
    blocks = BlockRows(as_design(X), Arranged.of(y, None, deal.order, deal.parts))
    gram = ChosenRows(blocks, deal.halves[0]).gram(0.0)
    blocks.extend(np.arange(5))
    with pytest.raises(ValueError, match="wrong length"):
        append_sums(gram.store, blocks.stores, np.arange(5), np.full(4, -1, dtype=np.int32))
    with pytest.raises(ValueError, match="no part"):
        type(gram.store)(as_design(X[:, :9]).matrix, None, leader=blocks.stores[0])
