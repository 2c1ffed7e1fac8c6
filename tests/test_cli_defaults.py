"""`sparsereg fit` with a table and a target only: the design, the folds, and the rows of the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from test_cli import HOUSES, fail, houses, succeed

from sparsereg import SparsityReport, load_model, regularization_path
from sparsereg.cli import fitting
from sparsereg.cli.fit_options import remedies


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, but for houses.csv."""
    monkeypatch.chdir(tmp_path)
    houses().write_csv("houses.csv")


@pytest.mark.usefixtures("folder")
def test_everything_by_default():
    """Crosses are chosen and kept, identifiers left out; the strength is chosen by folds, and all rows are fitted."""
    rng = np.random.default_rng(0)
    n = 2000
    shop, hour = rng.choice(list("abcd"), n), rng.integers(0, 12, n)
    table = pl.DataFrame(
        {"id": rng.permutation(n), "shop": shop, "hour": hour, "size": rng.normal(size=n), "when": ["2024-03-01"] * n}
    ).with_columns(when=pl.Series(np.datetime64("2024-01-01") + rng.integers(0, 400, n)).cast(pl.String))
    y = 2.0 * np.where(shop == "a", np.sin(hour), np.cos(hour)) + table["size"].to_numpy() + 0.3 * rng.normal(size=n)
    table.with_columns(y=y).write_csv("t.csv")
    result = succeed("fit t.csv --target y --model m.npz --report r.json --html r.html")
    notes = " ".join(result.stderr.split())
    assert "as identifiers have: id." in notes
    assert "most by shop x hour" in notes
    assert "crosses carry" in notes
    assert "the path ended where the held-out score had turned" in notes
    assert "2,000 rows fitted" in result.stdout
    model = load_model("m.npz")
    assert "id" not in model.cross.levels_
    assert {"when_month", "when_weekday"} <= model.cross.levels_.keys()
    assert f"the design as code: {model.cross!r}" in notes
    assert model.meta["rows"] == model.meta["held_out_rows"] == n
    assert model.meta["held_out_r2"][model.point] > 0.8
    X = model.cross.transform(table.with_columns(pl.col("when").str.to_datetime()))
    y_mean = model.path.intercepts[model.point] + (X @ model.path.coef(model.point).T).mean()
    assert y_mean == pytest.approx(y.mean()), "the intercept is that of all rows"
    assert "R2 0.9" in succeed("predict m.npz t.csv --out p.csv").stderr
    main = succeed("fit t.csv --target y --exclude id --design main --model main.npz")
    assert "crosses carry" not in main.stderr
    succeed("fit t.csv --target y --exclude id,when --design pairs --alphas 10 --eps 0.1 --model pairs.npz")
    assert [block.name for block in load_model("pairs.npz").cross.blocks_][3:] == [
        "shop x hour", "shop x size", "hour x size",
    ]  # fmt: skip
    assert "choose one" in fail("fit t.csv --target y --design auto --cross shop,hour")
    assert "the path" not in succeed("fit t.csv --target y --budget-seconds 0.001 --design main --alphas 3").stderr


@pytest.mark.usefixtures("folder")
def test_held_out_scores_of_folds():
    """They are those of paths fitted without each fold."""
    succeed(HOUSES, "--folds 3 --seed 2 --alphas 8 --eps 0.1 --tol 1e-8")
    model = load_model("model.npz")
    table = houses().drop_nulls("median_house_value")
    y, X = table["median_house_value"].to_numpy(), model.cross.transform(table)
    order = np.random.default_rng(2).permutation(y.size)
    loss = 0.0
    for f in range(3):
        test = order[np.arange(y.size) % 3 == f]
        train = np.setdiff1d(np.arange(y.size), test)
        path = regularization_path(X[train], y[train], alphas=model.path.alphas, tol=1e-8)
        loss += ((y[test] - path.predict(X[test], 5)) ** 2).sum()
    assert model.meta["held_out_r2"][5] == pytest.approx(1 - loss / ((y - y.mean()) ** 2).sum(), abs=1e-4)
    assert model.point == int(np.argmax(model.meta["held_out_r2"]))


@pytest.mark.usefixtures("folder")
def test_one_best_point_where_a_fold_ended_before_the_others():
    """The note, the scores and the checks have the same one; the last point of a fold does not count for later ones."""
    rng = np.random.default_rng(0)
    n = 3000
    table = {"u": rng.integers(0, 20, n), "v": rng.choice(list("abcd"), n), "x": rng.normal(size=n)}
    mean = np.exp(0.5 * (table["u"] < 5) + 0.3 * (table["v"] == "a") + 0.2 * table["x"])
    for seed in range(3):
        y = rng.gamma(2.0, mean) + 1e-3
        pl.DataFrame(table | {"y": y}).write_csv("t.csv")
        succeed(f"fit t.csv --target y --loss gamma --design main --seed {seed} --model m.npz --report r.json")
        model, report = load_model("m.npz"), SparsityReport.from_json(Path("r.json").read_text())
        assert int(np.argmax(model.meta["held_out_r2"])) == model.point
        check = next(check for check in report.checks if check["id"] == "strength")
        assert check["passed"], check["sentence"]
        assert f"at point {model.point} of" in check["sentence"]


@pytest.mark.usefixtures("folder")
def test_dates_written_without_separators():
    """As basic ISO 8601 has them, with a time; they are read back from the compact model too."""
    days = np.datetime64("2014-10-13") + np.arange(600) % 200
    compact = pl.Series(days).dt.strftime("%Y%m%dT000000")
    pl.DataFrame({"date": compact, "y": pl.Series(days).dt.month().cast(pl.Float64)}).write_csv("t.csv")
    succeed("fit t.csv --target y --alphas 5 --eps 0.1 --model m.npz")
    model = load_model("m.npz")
    assert "date_month" in model.cross.levels_
    assert model.meta["date_formats"] == {"date": "%Y%m%d %H%M%S"}
    succeed("predict m.npz t.csv --out p.csv")
    assert pl.read_csv("p.csv").height == 600


@pytest.mark.usefixtures("folder")
def test_constant_columns_only():
    pl.DataFrame({"a": [1] * 50, "b": ["x"] * 50, "y": np.arange(50.0)}).write_csv("t.csv")
    assert "Give columns of two or more values each" in " ".join(fail("fit t.csv --target y").split())


@pytest.mark.usefixtures("folder")
def test_the_budget_is_not_blamed_where_the_score_was_falling(monkeypatch):
    """Seconds that end a path beyond its best point do not ask for more of them."""
    rng = np.random.default_rng(0)
    pl.DataFrame({"a": rng.integers(0, 30, 400), "y": rng.normal(size=400)}).write_csv("t.csv")
    for falling, words in ((True, "falling already"), (False, "more may predict better")):
        monkeypatch.setattr(fitting, "is_falling", lambda _, falling=falling: falling)
        notes = succeed("fit t.csv --target y --design main --budget-seconds 0.001").stderr
        assert words in " ".join(notes.split())


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("more", ["", "--alphas 9", "--validate 0.2", "--validate 0.2 --patience 9", "--criterion bic"])
def test_memory_ends_the_path_and_is_named(more):
    rng = np.random.default_rng(0)
    a = rng.integers(0, 30, 900)
    pl.DataFrame({"a": a, "y": np.sin(a) + rng.normal(size=900)}).write_csv("t.csv")
    result = succeed(f"fit t.csv --target y --design main --max-memory 1kB {more} --model m.npz")
    notes = " ".join(result.stderr.split())
    assert "max_memory=1000: the first strength alone holds" in notes
    assert "--max-memory ended the path" in notes
    assert load_model("m.npz").path.alphas.size == 1
    assert "--max-memory ended" not in succeed(f"fit t.csv --target y --design main --max-memory 2GB {more}").stderr


def test_an_interrupted_path_is_to_run_on():
    """Another end of the grid would not help."""
    path = regularization_path(np.eye(4), np.arange(4.0), alphas=3)
    assert remedies({"alphas": 100}, path, "interrupted")["strength"] == "Fit again without interrupting it."


@pytest.mark.usefixtures("folder")
def test_patience_ends_the_path():
    """After so many strengths without a better mean loss, not earlier and not later."""
    fit = "fit houses.csv --target median_house_value --design main --folds 3 --model m.npz "
    for k in (2, 4):
        result = succeed(f"{fit} --patience {k}")
        model = load_model("m.npz")
        assert model.path.alphas.size - 1 - model.point == k
        assert "after --patience strengths without a better" in " ".join(result.stderr.split())
        assert np.argmax(model.meta["held_out_r2"]) == model.point


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("loss", ["squared", "poisson --exposure years", "logistic", "multinomial --weight years"])
def test_patience_on_held_out_rows(loss):
    """The same path as without patience, up to so many strengths beyond the best; the model is of that point."""
    rng = np.random.default_rng(0)
    table = pl.DataFrame({name: rng.integers(0, 12, 1500) for name in "ab"})
    table = table.with_columns(years=rng.uniform(0.5, 1.5, 1500))
    mean = np.exp(0.4 * (table["a"] == 3).to_numpy() - 0.3 * (table["b"] == 5).to_numpy())
    counts = rng.poisson(mean * table["years"].to_numpy())
    limits = {"logistic": 1, "multinomial": 2}
    table = table.with_columns(y=np.minimum(counts, limits.get(loss.split()[0], 99)))
    table.write_csv("t.csv")
    fit = f"fit t.csv --target y --exclude years --design pairs --loss {loss} --validate 0.3 --eps 1e-2 --model m.npz "
    fit = fit.replace("--exclude years ", "") if "years" in loss else fit
    succeed(fit)
    whole = load_model("m.npz")
    for k in (2, 5):
        notes = " ".join(succeed(f"{fit} --patience {k}").stderr.split())
        model = load_model("m.npz")
        held = np.array(whole.meta["held_out_r2"])
        n, best = next((i + 1, held[: i + 1].argmax()) for i in range(held.size) if i - held[: i + 1].argmax() == k)
        assert (model.path.alphas.size, model.point) == (n, best)
        np.testing.assert_allclose(model.meta["held_out_r2"], held[:n], atol=1e-3)
        assert "after --patience strengths without a better" in notes


@pytest.mark.usefixtures("folder")
def test_crosses_are_chosen_and_folds_drawn_for_several_classes():
    """A pair of fields decides the class; the design by default finds it, and folds choose the strength."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, (1500, 3))
    table = pl.DataFrame({name: np.array(["r", "s", "t"])[column] for name, column in zip("abc", codes.T, strict=True)})
    own = (codes[:, 0] + codes[:, 1]) % 3
    label = np.where(rng.random(1500) < 0.8, own, rng.integers(0, 3, 1500))
    table.with_columns(kind=np.array(["u", "v", "w"])[label]).write_csv("t.csv")
    notes = " ".join(succeed("fit t.csv --target kind --folds 3 --model m.npz --html r.html").stderr.split())
    assert "on held-out rows, most by a x b +" in notes
    assert "3 folds drawn" in notes
    model = load_model("m.npz")
    assert ("a", "b") in model.cross.crosses
    assert model.path.classes.tolist() == ["u", "v", "w"]
    assert max(model.meta["held_out_r2"]) > 0.3
    assert (model.predict(table) == np.array(["u", "v", "w"])[own]).mean() > 0.95
    pl.DataFrame({"a": list("xyxy") * 9, "kind": ["u", "v", "w"] * 11 + ["u", "v", "q"]}).write_csv("t.csv")
    assert "class 'q' has a single row" in fail("fit t.csv --target kind")


@pytest.mark.usefixtures("folder")
def test_designs_are_compared():
    lines = succeed("designs houses.csv --target median_house_value --folds 3 --no-ridge").stdout.splitlines()
    assert lines[0].split()[:4] == ["design", "penalty", "held-out", "R2"]
    assert {line.split("  ")[0] for line in lines[1:-1]} <= {"main effects", "pairs", "chosen crosses"}
    assert len(lines) >= 6
    assert "no column 'x'" in fail("designs houses.csv --target x")


@pytest.mark.usefixtures("folder")
def test_designs_say_how_two_classes_are_compared():
    rng = np.random.default_rng(0)
    a, b = rng.choice(list("xy"), 60), rng.choice(list("uv"), 60)
    pl.DataFrame({"a": a, "b": b, "sold": np.where(a == "x", "no", "yes")}).write_csv("two.csv")
    notes = " ".join(succeed("designs two.csv --target sold --folds 2 --no-ridge").stderr.split())
    assert "sold is compared as 1 for yes and 0 for no, by least squares" in notes
