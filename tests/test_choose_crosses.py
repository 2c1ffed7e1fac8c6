"""Designs chosen by held-out rows: what is kept, what is left out, and that held-out targets stay out of the choice."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

import sparsereg
from sparsereg import FeatureCross, Lasso, Quantiles, choose_crosses, load_model, regularization_path, save_model
from sparsereg.crosses.auto.gains import Residuals, combine


def shop(n: int = 3000, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """A pair with an effect, an amount with one, and columns that must be left out."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "order_id": rng.permutation(10 * n)[:n],
            "note": [f"text {i}" for i in rng.permutation(n)],
            "shop": rng.choice(list("abcdef"), n),
            "hour": rng.integers(0, 24, n),
            "price": rng.gamma(2.0, 100.0, n).astype(np.int64),
            "noise": rng.normal(size=n),
            "one": 7,
            "gap": [None] * n,
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10_000, n), unit="h"),
        }
    )
    pair = (table["shop"] == "a") * np.sin(table["hour"]) - (table["shop"] == "b") * np.cos(table["hour"])
    return table, np.asarray(3 * pair + np.log1p(table["price"]) + 0.3 * rng.normal(size=n))


@pytest.fixture(scope="module")
def chosen():
    table, y = shop()
    return table, y, choose_crosses(table, y)


def test_the_pair_is_found_and_others_left_out(chosen):
    _, _, choice = chosen
    assert ("shop", "hour") in choice.cross.crosses
    used = {*choice.cross.fields}
    assert not used & {"order_id", "note", "one", "gap"}
    assert isinstance(choice.cross.bins["price_20"], sparsereg.Of)
    assert "price" not in used
    notes = "\n".join(choice.notes)
    assert "as identifiers have: order_id, note." in notes
    assert "as they have one value: one, gap." in notes
    assert "price is binned: a column for each of its values" in notes
    best = max((block for block in choice.blocks if len(block.fields) == 2), key=lambda block: block.gain)
    assert best.fields == ("shop", "hour")
    assert "shop x hour: 144 columns, +" in str(choice)


def test_the_code_makes_the_same_columns(chosen):
    table, y, choice = chosen
    again = eval(choice.to_code(), {name: getattr(sparsereg, name) for name in sparsereg.__all__})
    automatic = FeatureCross(crosses="auto")
    X = automatic.fit_transform(table, y)
    expected = again.fit_transform(table)
    assert repr(automatic.design_) == choice.to_code()
    assert repr(automatic) == "FeatureCross(crosses='auto')"
    assert (expected != X).nnz == 0
    assert automatic.get_feature_names_out().tolist() == again.get_feature_names_out().tolist()
    assert (automatic.transform(table[:50]) != expected[:50]).nnz == 0
    assert choose_crosses(pl.from_pandas(table.drop(columns="gap")), y).to_code() == choice.to_code()


def test_gains_are_those_of_a_slow_oracle():
    rng = np.random.default_rng(0)
    y, cells, fold, s = rng.normal(size=60), rng.integers(0, 7, 60), rng.integers(0, 3, 60), rng.random(60)
    rest = Residuals(y, fold, s, 4)
    rest.add(fold % 2, 2, 3.0)
    gain = rest.gain(cells, 7)
    for f in range(3):
        train, held = fold != f, fold == f
        r = y - np.average(y[train], weights=s[train])
        total = (s[held] * r[held] ** 2).sum()
        for own, m, shrinkage in ((fold % 2, 2, 3.0), (cells, 7, gain.shrinkage)):
            before = (s[held] * r[held] ** 2).sum()
            effects = np.zeros(m)
            for c in range(m):
                at = train & (own == c)
                if s[at].sum() >= 4:
                    effects[c] = (s[at] * r[at]).sum() / (s[at].sum() + shrinkage)
            r = r - effects[own]
        assert gain.folds[f] == pytest.approx((before - (s[held] * r[held] ** 2).sum()) / total)


def test_held_out_targets_stay_out_of_a_fold():
    rng = np.random.default_rng(0)
    y, cells, fold = rng.normal(size=300), rng.integers(0, 9, 300), rng.integers(0, 5, 300)
    other = np.where(fold == 2, 100.0 * rng.normal(size=300), y)
    one, two = Residuals(y, fold, None, 2), Residuals(other, fold, None, 2)
    for rest in (one, two):
        rest.add(cells, 9, 3.0)
        rest.add(cells % 2, 2, 20.0)
    train = fold != 2
    np.testing.assert_array_equal(one.r[2][:, train], two.r[2][:, train])
    np.testing.assert_allclose((one.r[2] - y)[:, ~train], (two.r[2] - other)[:, ~train], atol=1e-12)
    assert not np.array_equal(one.r[1][:, train], two.r[1][:, train])


def test_cells_of_crosses():
    rng = np.random.default_rng(0)
    a, b, c = rng.integers(0, 50, 100), rng.integers(0, 60, 100), rng.integers(0, 5, 100)
    cells, n = combine([a, b, c], [50, 60, 5])
    assert n == np.unique(np.stack([a, b, c]), axis=1).shape[1] or n <= 400 * 5
    same = (a[:, None] == a) & (b[:, None] == b) & (c[:, None] == c)
    np.testing.assert_array_equal(cells[:, None] == cells, same)
    assert cells.max() < n


def test_coordinates_get_fine_cells():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"lat": rng.uniform(40, 41, 4000), "long": rng.uniform(-75, -74, 4000)})
    y = ((np.floor(40 * table["lat"]) + np.floor(40 * table["long"])) % 2).to_numpy() + 0.1 * rng.normal(size=4000)
    crosses = choose_crosses(table, y, min_count=2).cross.crosses
    assert ("lat_50", "long_50") in crosses or ("lat_100", "long_100") in crosses


@pytest.mark.parametrize("n", [2, 3, 7, 40])
def test_tiny_tables(n):
    rng = np.random.default_rng(n)
    table = pd.DataFrame({"a": rng.choice(["u", "v"], n), "b": np.arange(n) / 3})
    table.loc[0, "a"], table.loc[1, "a"] = "u", "v"
    X = FeatureCross(crosses="auto").fit_transform(table, rng.normal(size=n))
    assert X.shape[0] == n
    assert X.nnz


def test_one_column_and_none():
    table, y = shop(500)
    one = choose_crosses(table[["shop"]], y)
    assert one.cross.crosses == []
    assert one.cross.fields == ["shop"]
    with pytest.raises(ValueError, match=r"no column is left .* as they have one value: one.* Give columns of two"):
        choose_crosses(table[["one"]], y)
    assert choose_crosses(table[["shop", "hour"]], np.ones(500)).cross.crosses == []


def test_budgets_are_kept_and_said():
    table, y = shop()
    small = choose_crosses(table, y, max_columns=100)
    assert sum(block.n_columns for block in small.blocks) <= 100
    assert ("shop", "hour") not in small.cross.crosses
    assert any("budget of 100 leaves" in note and "shop x hour (144)" in note for note in small.notes)
    late = choose_crosses(table, y, max_seconds=1e-9)
    assert late.cross.crosses == []
    assert any("budget of 1e-09 seconds was used up" in note for note in late.notes)
    assert choose_crosses(table, y, degree=1).cross.crosses == []


def test_given_rules_and_numbers_stay():
    table, y = shop()
    choice = choose_crosses(
        table, y, fields=["shop", "price", "noise"], bins={"noise": Quantiles(3)}, numeric=["price"]
    )
    assert choice.cross.bins["noise"] == Quantiles(3)
    assert choice.cross.numeric == ["price"]
    fitted = choice.cross.fit(table)
    assert fitted.numbers_ == ["price"]
    assert "hour" not in fitted.levels_


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": np.char.add("t", np.arange(300).astype(str))}, "300 different texts, such as 't0'"),
        ({"y": np.ones((300, 2, 2))}, r"shape \(300, 2, 2\)"),
        ({"y": np.ones(4)}, r"shape \(4,\)"),
        ({"y": np.full(300, np.nan)}, "missing or infinite"),
        ({"degree": 4}, "beyond 3"),
        ({"max_seconds": 0}, "must be a number above 0"),
        ({"max_columns": 0}, "max_columns=0"),
    ],
)
def test_errors(arguments, message):
    table, y = shop(300)
    with pytest.raises(ValueError, match=message):
        choose_crosses(table, **({"y": y} | arguments))


def test_gains_of_several_targets_are_shares_of_the_sum_of_their_variances():
    rng = np.random.default_rng(0)
    y, cells, fold = rng.normal(size=(300, 3)) * [1.0, 2.0, 3.0], rng.integers(0, 9, 300), rng.integers(0, 5, 300)
    s = rng.uniform(0.5, 2.0, 300)
    together, alone = Residuals(y, fold, s, 2), [Residuals(v, fold, s, 2) for v in y.T]
    gain, own = together.gain(cells, 9), [rest.gain(cells, 9) for rest in alone]
    scale = np.array([rest.scale for rest in alone])
    if all(one.shrinkage == gain.shrinkage for one in own):
        expected = (scale * [one.folds for one in own]).sum(axis=0) / scale.sum(axis=0)
        np.testing.assert_allclose(gain.folds, expected, atol=1e-13)
    np.testing.assert_allclose(together.scale, scale.sum(axis=0))
    together.add(cells, 9, 20.0)
    for k, rest in enumerate(alone):
        rest.add(cells, 9, 20.0)
        np.testing.assert_allclose([r[k] for r in together.r], [r[0] for r in rest.r], atol=1e-12)


def test_crosses_are_chosen_by_several_classes():
    """Where the pair of two fields decides which of three classes a row has, as labels and as indicators."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.integers(0, 3, (3000, 3)), columns=list("abc")).astype(str)
    own = (table["a"].astype(int) + table["b"].astype(int)) % 3
    label = np.where(rng.random(3000) < 0.7, own, rng.integers(0, 3, 3000))
    names = np.array(["x", "y", "z"])[label]
    choice = choose_crosses(table, names)
    assert {block.fields for block in choice.blocks if len(block.fields) > 1} == {("a", "b")}
    again = choose_crosses(table, (label[:, None] == np.arange(3)).astype(float))
    assert again.to_code() == choice.to_code()
    assert again.blocks == choice.blocks


def test_text_classes_are_two():
    table, y = shop(400)
    words = np.where(y > np.median(y), "yes", "no")
    assert choose_crosses(table, words).to_code() == choose_crosses(table, words == "yes").to_code()


def test_as_an_estimator(tmp_path):
    table, y = shop(600)
    table = table.drop(columns=["gap", "one"])
    with pytest.raises(ValueError, match="pass y to fit"):
        FeatureCross(crosses="auto").fit(table)
    with pytest.raises(ValueError, match="call fit"):
        FeatureCross(crosses="auto").plan(table)
    with pytest.raises(ValueError, match="main_effects=False does not go with"):
        FeatureCross(crosses="auto", main_effects=False).fit(table, y)
    model = make_pipeline(FeatureCross(crosses="auto"), Lasso(alpha=0.01)).fit(table[:500], y[:500])
    assert model.score(table[500:], y[500:]) > 0.5
    cross = clone(model[0])
    assert not hasattr(cross, "design_")
    X = cross.fit_transform(table, y)
    save_model(tmp_path / "m.npz", cross, regularization_path(X, y, alphas=5), point=2)
    loaded = load_model(tmp_path / "m.npz")
    assert (sp.csr_array(loaded.cross.transform(table)) != sp.csr_array(X)).nnz == 0
    assert repr(loaded.cross) == repr(cross.design_)
