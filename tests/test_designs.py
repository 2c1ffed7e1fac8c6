"""Designs on the same folds: the best first, by paired differences, and no fold sees its held-out rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sparsereg import FeatureCross, Lasso, choose_crosses, compare_designs


def shop(n: int = 800, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {"shop": rng.choice(list("abcd"), n), "hour": rng.integers(0, 8, n), "size": rng.normal(size=n)}
    )
    y = np.where(table["shop"] == "a", 1.0, -1.0) * np.sin(table["hour"]) + 0.3 * rng.normal(size=n)
    return table, np.asarray(y)


@pytest.fixture(scope="module")
def found():
    table, y = shop()
    return compare_designs(table, y, cv=3, alphas=12)


def test_crosses_predict_better_than_main_effects(found):
    rows = {(row["design"], row["penalty"]): row for row in found.rows}
    assert len(rows) == 9
    assert found.rows[0]["difference"] == 0.0
    assert found.rows[0]["design"] != "main effects"
    main = rows["main effects", "lasso"]
    assert main["r2"] < rows["chosen crosses", "lasso"]["r2"] - 0.2
    assert -main["difference"] > 3 * main["error"] > 0
    assert all(a["r2"] >= b["r2"] for a, b in zip(found.rows, found.rows[1:], strict=False))
    assert len(str(found).splitlines()) == 10


def test_differences_are_paired(found):
    table, y = shop()
    losses = found.fold_losses
    for row, own in zip(found.rows, losses, strict=True):
        difference = (losses[0] - own) / y.var()
        assert row["difference"] == pytest.approx(difference.mean())
        assert row["error"] == pytest.approx(difference.std(ddof=1) / np.sqrt(3))
    assert len(table) == y.size


def test_no_fold_sees_its_held_out_rows():
    """What a design gets, and the loss on one fold when another fold's own rows are the only ones to change."""
    table, y = shop(300)
    seen = []

    def watched(part, target):
        seen.append((part.copy(), target.copy()))
        return choose_crosses(part, target).cross

    folds = [(np.arange(100, 300), np.arange(100)), (np.arange(200), np.arange(200, 300))]
    compare_designs(table, y, {"w": watched}, cv=folds, alphas=3, ridge=False, standardize=[False])
    for (train, _), (part, target) in zip(folds, seen, strict=True):
        pd.testing.assert_frame_equal(part.reset_index(drop=True), table.iloc[train].reset_index(drop=True))
        np.testing.assert_array_equal(target, y[train])
    other, changed = y.copy(), table.copy()
    other[:100] += 1e3
    changed.loc[:99, "size"] = 1e6
    first = seen[0]
    compare_designs(changed, other, {"w": watched}, cv=folds[:1], alphas=3, ridge=False, standardize=[False])
    assert repr(choose_crosses(*first).cross) == repr(choose_crosses(*seen[2]).cross)
    pd.testing.assert_frame_equal(first[0], seen[2][0])


def test_a_loss_is_that_of_a_fit():
    table, y = shop(400)
    cross = FeatureCross(fields=["shop", "hour"], degree=2)
    folds = [(np.arange(100, 400), np.arange(100)), (np.arange(300), np.arange(300, 400))]
    found = compare_designs(
        pl.from_pandas(table), y, {"pairs": cross}, cv=folds, alphas=1, ridge=False, standardize=[False]
    )
    for loss, (train, test) in zip(found.fold_losses[0], folds, strict=True):
        X = cross.fit_transform(table.iloc[train])
        model = Lasso(alpha=1e6).fit(X, y[train])  # one strength: the largest, without columns
        predicted = model.predict(cross.transform(table.iloc[test]))
        assert loss == pytest.approx(np.mean((y[test] - predicted) ** 2), rel=1e-6)


def test_wide_pairs_are_left_out_and_empty_comparisons_refused():
    table, y = shop(300)
    found = compare_designs(table, y, cv=2, alphas=3, ridge=False, standardize=[False], max_columns=60)
    assert "pairs" not in {row["design"] for row in found.rows}
    with pytest.raises(ValueError, match="nothing is left to compare"):
        compare_designs(table, y, ridge=False, standardize=[])
    for wrong in ({}, {"a": 3}, [FeatureCross()]):
        with pytest.raises(ValueError, match=r"designs=.*expected a dict of names"):
            compare_designs(table, y, wrong)
    with pytest.raises(ValueError, match="different texts"):
        compare_designs(table, np.array(["a", "b", "c"] * 100))
