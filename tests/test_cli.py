"""The command line: what it fits, predicts and prints, and errors in one line."""

from __future__ import annotations

import gzip
import json
import shlex
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from sparsereg import load_model
from sparsereg.cli import commands, fitting
from sparsereg.cli.commands import cli

README = Path(__file__).parents[1] / "README.md"
HOUSES = (
    "fit houses.csv --target median_house_value --bin latitude=1/60 --bin longitude=1/60 "
    "--cross latitude,longitude --cross ocean_proximity,latitude,longitude --model model.npz"
)


def houses(n: int = 800, seed: int = 0) -> pl.DataFrame:
    """A small table of the shape of California's, with gaps where it has them."""
    rng = np.random.default_rng(seed)
    latitude, longitude = rng.normal(37.7, 0.1, n), rng.normal(-122.3, 0.1, n)
    rooms, place = rng.integers(50, 900, n).astype(float), rng.choice(["INLAND", "NEAR BAY"], n)
    income = rng.gamma(3.0, 1.3, n)
    value = 60_000 + 40_000 * income + 50_000 * (place == "NEAR BAY") + rng.normal(0, 20_000, n)
    return pl.DataFrame(
        {
            "longitude": longitude.round(2),
            "latitude": latitude.round(2),
            "total_bedrooms": pl.Series(rooms).set(pl.Series(rng.random(n) < 0.05), None),
            "median_income": income.round(4),
            "ocean_proximity": place,
            "households": rng.integers(1, 2_000, n),
            "median_house_value": pl.Series(value.round()).set(pl.Series(rng.random(n) < 0.02), None),
        }
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, but for houses.csv."""
    monkeypatch.chdir(tmp_path)
    houses().write_csv("houses.csv")
    return tmp_path


def run(*args: str):
    return CliRunner().invoke(cli, shlex.split(" ".join(args)), prog_name="sparsereg")


def succeed(*args: str):
    result = run(*args)
    assert result.exit_code == 0, result.stderr
    return result


def fail(*args: str) -> str:
    """The one line of an error."""
    result = run(*args)
    assert result.exit_code in (1, 2)
    assert isinstance(result.exception, SystemExit), "a traceback would have been printed"
    lines = [line for line in result.stderr.splitlines() if not line.startswith("note:") and "0:00" not in line]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("Error: ")
    return lines[0]


def test_houses(folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "110")
    result = succeed(HOUSES)
    names = ("latitude x longitude", "ocean_proximity x latitude x longitude", "median_income")
    assert all(name in result.stdout for name in names)
    assert "points are certified" in result.stdout
    assert " s in all" in result.stdout
    n_missing = houses()["median_house_value"].null_count()
    assert f"note: {n_missing} of 800 rows have no median_house_value and are left out." in result.stderr
    gaps = houses().drop_nulls("median_house_value")["total_bedrooms"].null_count()
    assert "20 quantile bins: total_bedrooms, median_income." in result.stderr
    assert f"Missing values are a bin of their own: total_bedrooms ({gaps})." in result.stderr
    assert "5 folds drawn with seed 0: point" in result.stderr
    assert f"fitted on all {800 - n_missing} rows" in result.stderr
    model = load_model("model.npz")
    assert [block.name for block in model.cross.blocks_][-2:] == list(names[:2])
    assert model.meta["target"] == "median_house_value"
    assert model.point == int(np.argmax(model.meta["held_out_r2"]))
    assert sorted(path.name for path in folder.iterdir()) == ["houses.csv", "model.npz"]


@pytest.mark.usefixtures("folder")
def test_held_out_scores_are_what_predicting_gives():
    succeed(HOUSES, "--validate 0.25 --seed 3")
    model = load_model("model.npz")
    table = houses().drop_nulls("median_house_value")
    y = table["median_house_value"].to_numpy()
    order = np.random.default_rng(3).permutation(table.height)
    held, train = order[: round(0.25 * table.height)], order[round(0.25 * table.height) :]
    assert model.meta["rows"] == train.size
    null = ((y[held] - y[train].mean()) ** 2).sum()
    for k in (0, 50, 99):
        predicted = model.predict(table, k)[held]
        assert model.meta["held_out_r2"][k] == pytest.approx(1 - ((y[held] - predicted) ** 2).sum() / null)


@pytest.mark.usefixtures("folder")
def test_compressed_csv_and_parquet_give_the_same_model():
    succeed(HOUSES)
    expected = load_model("model.npz")
    with gzip.open("houses.csv.gz", "wb") as out:
        out.write(Path("houses.csv").read_bytes())
    houses().write_parquet("houses.parquet")
    for name in ("houses.csv.gz", "houses.parquet"):
        succeed(HOUSES.replace("houses.csv", name).replace("model.npz", "other.npz"))
        other = load_model("other.npz")
        np.testing.assert_array_equal(other.path.intercepts, expected.path.intercepts)
        assert (other.path.coefs != expected.path.coefs).nnz == 0


@pytest.mark.usefixtures("folder")
def test_predict():
    succeed(HOUSES)
    other = houses(50, seed=9).with_columns(pl.arange(0, 50).alias("id"))
    other.write_csv("other.csv")
    expected = load_model("model.npz").predict(other)
    to_file = succeed("predict model.npz other.csv --keep id --out predictions.csv")
    assert to_file.stdout == ""
    assert "rows that hold median_house_value" in to_file.stderr
    written = pl.read_csv("predictions.csv")
    assert written.columns == ["id", "prediction"]
    assert written["id"].to_list() == list(range(50))
    np.testing.assert_allclose(written["prediction"], expected, rtol=1e-12)
    printed = succeed("predict model.npz other.csv")
    np.testing.assert_allclose(pl.read_csv(printed.stdout.encode())["prediction"], expected, rtol=1e-12)
    succeed("predict model.npz other.csv --out predictions.parquet --point 0")
    assert pl.read_parquet("predictions.parquet")["prediction"].n_unique() == 1


@pytest.mark.usefixtures("folder")
def test_codes_that_look_like_numbers_elsewhere():
    """A column of text in fit stays one in a file where all of it looks like numbers."""
    pl.DataFrame({"code": ["007", "C1", "12"] * 20, "y": [1.0, 2.0, 4.0] * 20}).write_csv("a.csv")
    succeed("fit a.csv --target y --validate 0 --model m.npz")
    pl.DataFrame({"code": ["12", "007", "8"]}).write_csv("b.csv")
    predicted = pl.read_csv(succeed("predict m.npz b.csv").stdout.encode())["prediction"]
    assert predicted[0] == pytest.approx(4.0, abs=0.1)
    assert predicted[1] == pytest.approx(1.0, abs=0.1)


@pytest.mark.usefixtures("folder")
def test_report():
    fitted = succeed(HOUSES, "--report report.json")
    shown = succeed("report model.npz")
    assert shown.stdout.strip() in fitted.stdout
    content = json.loads(Path("report.json").read_text())
    assert content == json.loads(succeed("report model.npz --json").stdout)
    point = json.loads(succeed("report model.npz --json --point 5 --top 2").stdout)
    assert point["point"] == 5
    assert len(point["columns"]) == 2
    assert point["path"] == content["path"]
    assert len(content["path"]) == load_model("model.npz").path.alphas.size
    assert content["path"][7]["held"] == load_model("model.npz").meta["held_out_r2"][7]


@pytest.mark.usefixtures("folder")
def test_options_reach_the_model():
    succeed(
        "fit houses.csv --target median_house_value --field ocean_proximity --numeric median_income",
        "--weight households --bin total_bedrooms=edges:100,500 --bin latitude=quantiles:3 --l1-ratio 0.5",
        "--alphas 20 --eps 0.05 --tol 1e-6 --positive --validate 0 --log-target --min-count 3 --model m.npz",
    )
    model = load_model("m.npz")
    assert {block.name for block in model.cross.blocks_} == {
        "latitude",
        "total_bedrooms",
        "ocean_proximity",
        "median_income",
    }
    assert model.path.l1_ratio == 0.5
    assert model.path.tol == 1e-6
    assert model.path.alphas.size == 20
    assert model.path.alphas[-1] == pytest.approx(0.05 * model.path.alphas[0])
    assert (model.path.coefs.data >= 0).all()
    assert model.point == 19
    assert model.cross.min_count == 3
    predicted = model.predict(houses())
    assert 10_000 < np.median(predicted) < 1_000_000, "in the target's own units"
    succeed(
        "fit houses.csv --target median_house_value --alphas 9000,90,900 --exclude latitude --standardize --model m.npz"
    )
    model = load_model("m.npz")
    assert model.path.alphas.tolist() == [9000.0, 900.0, 90.0]
    assert "latitude" not in {block.name for block in model.cross.blocks_}


@pytest.mark.usefixtures("folder")
def test_numbers_are_penalised_per_standard_deviation():
    """Another unit of a number changes its coefficient and nothing else."""
    houses().with_columns(pl.col("median_income") * 1000).write_csv("cents.csv")
    tail = "--target median_house_value --numeric median_income --validate 0 --tol 1e-9"
    note = succeed(f"fit houses.csv {tail} --model a.npz").stderr
    assert "passed through as numbers, penalised by their effect per standard deviation: median_income." in note
    succeed(f"fit cents.csv {tail} --model b.npz")
    a, b = load_model("a.npz"), load_model("b.npz")
    column = a.cross.blocks_[-1].start
    np.testing.assert_allclose(a.path.alphas, b.path.alphas)
    np.testing.assert_allclose(a.path.coefs[column].toarray(), 1000 * b.path.coefs[column].toarray(), rtol=1e-3)


@pytest.mark.usefixtures("folder")
def test_dates():
    times = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 20), "1h", eager=True)
    table = pl.DataFrame({"when": times, "y": times.dt.hour().cast(pl.Float64)})
    table.write_csv("t.csv", datetime_format="%Y-%m-%d %H:%M:%S")
    table.write_parquet("t.parquet")
    for name in ("t.csv", "t.parquet"):
        succeed(f"fit {name} --target y --exclude when --bin hour=hour:when --bin weekday=weekday:when --model m.npz")
        model = load_model("m.npz")
        assert [block.name for block in model.cross.blocks_] == ["hour", "weekday"]
        printed = succeed(f"predict m.npz {name}")
        assert "R2 1.0000" in printed.stderr
    succeed("fit t.parquet --target y --bin hour=hour:when")
    table.with_columns(pl.lit(1).alias("one")).write_parquet("t.parquet")
    assert (
        "note: not used, as they hold neither numbers nor categories: when."
        in succeed("fit t.parquet --target y --design main").stderr
    )


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("fit none.csv --target y", "none.csv' does not exist"),
        ("fit houses.csv", "Missing option '--target'"),
        ("fit houses.csv --target median_house_valeu", "did you mean 'median_house_value'?"),
        ("fit houses.csv --target ocean_proximity --loss squared", "must hold numbers, but holds '"),
        ("{} --weight total_bedrooms", "Give every row one"),
        ("{} --field median_house_value", "is the target and cannot be a field"),
        ("{} --bin latitude=wide", "'latitude=wide'"),
        ("{} --bin latitude", "should look like NAME=1/60"),
        ("{} --bin latitude=hexagons:3", "'hexagons' is not one of width"),
        ("{} --bin latitude=quantiles:x", "'x' is not a number of bins"),
        ("{} --bin latitude=1 --bin latitude=2", "has two rules"),
        ("{} --bin ocean_proximity=1", "must hold numbers, but holds '"),
        ("{} --bin latitude=1 --exclude latitude", "both used and excluded"),
        ("{} --bin latitude=1 --numeric latitude", "choose one"),
        ("{} --bin hour=hour:ocean_proximity", "cannot be read as dates"),
        ("{} --cross latitude", "should be two columns or more"),
        ("{} --cross latitude,nowhere", "there is no column 'nowhere'"),
        ("{} --numeric total_bedrooms", "missing values. Use --bin"),
        ("{} --alphas few", "neither a number of points nor a list"),
        ("{} --l1-ratio 2", "--l1-ratio 2.0: expected a number"),
        ("{} --validate 1", "--validate"),
        ("{} --model no/where.npz", "there is no folder"),
        ("{} --nonsense", "No such option '--nonsense'"),
        ("fit twice.csv --target y", "cannot be read as a table"),
        ("fit empty.csv --target y", "cannot be read as a table"),
        ("fit noise.parquet --target y", "noise.parquet cannot be read as a table"),
        ("fit zeros.csv --target y --log-target", "only positive numbers have a logarithm. Leave such rows out"),
        ("fit zeros.csv --target none", "no row has a value of 'none'"),
        ("fit zeros.csv --target y", "too few to hold out"),
        ("fit zeros.csv --target y --validate 0 --exclude none --exclude x", "no columns are left"),
        ("predict houses.csv houses.csv", "houses.csv is not a sparsereg model"),
        ("report houses.csv", "houses.csv is not a sparsereg model"),
        ("frobnicate", "No such command 'frobnicate'"),
        ("demo --rows 3", "--rows"),
    ],
)  # fmt: skip
def test_errors_take_one_line(folder, command, message):
    Path("twice.csv").write_text("y,x\n1,2\n3,4,5,6\n")
    Path("empty.csv").write_bytes(b"")
    Path("noise.parquet").write_bytes(b"PAR1 nothing of the kind")
    Path("zeros.csv").write_text("y,x,none\n0,a,\n1,b,\n")
    before = sorted(folder.iterdir())
    assert message in fail(command.format("fit houses.csv --target median_house_value"))
    assert sorted(folder.iterdir()) == before


@pytest.mark.usefixtures("folder")
def test_errors_in_predict():
    succeed(HOUSES)
    houses().drop("latitude").write_csv("narrow.csv")
    assert "narrow.csv has no column 'latitude', which the model was fitted on" in fail("predict model.npz narrow.csv")
    assert "--point 500 is not one of the path's" in fail("predict model.npz houses.csv --point 500")
    assert "--point -501 is not one of" in fail("report model.npz --point -501")
    assert "--keep names 'id'" in fail("predict model.npz houses.csv --keep id")
    Path("model.npz").write_bytes(Path("model.npz").read_bytes()[:-100])
    assert "model.npz is not a sparsereg model, or is damaged" in fail("predict model.npz houses.csv")


@pytest.mark.parametrize(("module", "step"), [(fitting, "cross_validate_path"), (commands, "save_model")])
def test_interrupted_work_leaves_no_file(folder, monkeypatch, module, step):
    def interrupt(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, step, interrupt)
    result = run(HOUSES)
    assert result.exit_code == 130
    assert "Aborted!" in result.stderr
    assert [path.name for path in folder.iterdir()] == ["houses.csv"]


@pytest.mark.usefixtures("folder")
def test_uncertified_points_are_said(monkeypatch):
    solve = fitting.cross_validate_path
    monkeypatch.setattr(fitting, "cross_validate_path", lambda *args, **more: solve(*args, max_iter=1, **more))
    result = succeed(HOUSES, "--tol 1e-12")
    assert "note: " in result.stderr
    assert "did not reach tol=1e-12" in " ".join(result.stderr.split())
    assert "NOT certified" in result.stdout


@pytest.mark.usefixtures("folder")
def test_missing_values_by_another_name():
    Path("na.csv").write_text("x,y\n" + "1.5,2\nNA,3\n2.5,4\n" * 20)
    result = succeed("fit na.csv --target y --na NA --design main")
    assert "Missing values are a bin of their own: x (20)" in result.stderr


@pytest.mark.usefixtures("folder")
def test_target_with_nan_and_columns_of_nothing():
    rng = np.random.default_rng(0)
    y = rng.normal(size=60)
    y[:5] = np.nan
    table = pl.DataFrame({"y": y, "a": ["u", "v", "w"] * 20, "nothing": pl.Series([None] * 60, dtype=pl.Null)})
    table.write_parquet("t.parquet")
    assert "note: 5 of 60 rows have no y" in succeed("fit t.parquet --target y --model m.npz").stderr
    succeed("predict m.npz t.parquet")


def test_california(real_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("houses.csv").write_bytes(gzip.decompress((real_data / "california_housing.csv.gz").read_bytes()))
    result = succeed(HOUSES, "--eps 0.001")
    assert "total_bedrooms (207)" in result.stderr
    assert "All 100 points are certified" in result.stdout
    model = load_model("model.npz")
    assert max(model.meta["held_out_r2"]) > 0.75
    succeed("predict model.npz houses.csv --out p.csv")
    assert pl.read_csv("p.csv").height == 20_640
