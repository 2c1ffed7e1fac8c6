"""`fit` on Parquet files in parts: the model of one table, a checkpoint, and files that changed."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner

from sparsereg import load_model
from sparsereg.cli.commands import cli
from sparsereg.crosses.parquet import ParquetRows
from sparsereg.solvers import path as paths

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

FIT = "fit 'logs/*.parquet' --target y --cross shop,day --exclude note --tol 1e-7 --alphas 20 --eps 0.05 "


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Three files, one target is missing; parts of 500 rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ParquetRows, "part_rows", property(lambda _: 500))
    rng, n = np.random.default_rng(0), 2000
    shop, day = np.minimum(rng.zipf(1.3, n) - 1, 40), rng.integers(0, 20, n)
    y = np.exp(rng.normal(size=n) * 0.3 + 1.0 * (shop < 2) - 1.5 * (day == 5))
    columns = {"shop": [f"s{k}" for k in shop], "day": day, "size": rng.normal(size=n), "note": ["x"] * n}
    whole = pa.table(columns | {"number": rng.normal(size=n), "y": pa.array([None, *y[1:].tolist()])})
    (tmp_path / "logs").mkdir()
    for number in range(3):
        pq.write_table(whole.slice(number * 700, 700), f"logs/{number}.parquet", row_group_size=300)
    pq.write_table(whole, "whole.parquet")
    return tmp_path


def run(*args: str):
    return CliRunner().invoke(cli, shlex.split(" ".join(args)), prog_name="sparsereg")


def succeed(*args: str):
    result = run(*args)
    assert result.exit_code == 0, result.stderr
    return result


def weights(file: str, k: int = -1) -> dict[str, float]:
    """Coefficients of a point by name."""
    model = load_model(file)
    columns, values = model.path.point(k)
    return dict(zip(model.cross.feature_names(columns), values.tolist(), strict=True))


@pytest.mark.parametrize("options", ["", "--log-target", "--numeric number", "--min-count 5 --positive"])
def test_the_model_is_that_of_one_table(options):
    result = succeed(FIT, "--validate 0 --model parts.npz", options)
    assert "1,999 rows fitted" in result.stdout
    said = " ".join(result.stderr.split())
    assert "2,000 rows" in said
    assert "2 passes over the files" in said
    succeed(FIT.replace("'logs/*.parquet'", "whole.parquet"), "--loss squared --validate 0 --model whole.npz", options)
    parts, whole = load_model("parts.npz"), load_model("whole.npz")
    np.testing.assert_allclose(parts.path.alphas, whole.path.alphas, rtol=1e-10)
    np.testing.assert_allclose(parts.path.deviance_explained, whole.path.deviance_explained, atol=1e-6)
    ours, theirs = weights("parts.npz", 8), weights("whole.npz", 8)
    assert len(theirs) > 1
    for name in ours.keys() | theirs.keys():
        assert ours.get(name, 0.0) == pytest.approx(theirs.get(name, 0.0), abs=1e-2)


def test_held_out_rows_choose_the_point():
    result = succeed(FIT, "--max-memory 1GB --model parts.npz")
    model = load_model("parts.npz")
    assert model.point == int(np.argmax(model.meta["held_out_r2"]))
    assert 150 < model.meta["held_out_rows"] < 250
    assert "3 passes over the files" in " ".join(result.stderr.split())
    assert "held-out R2" in " ".join(result.stderr.split())
    assert 0.1 < max(model.meta["held_out_r2"]) < 1.0
    succeed("predict parts.npz whole.parquet --out out.csv")


@pytest.fixture
def _clicks(folder):
    """Two texts, counts and a file of all rows, with the same columns as the others."""
    rng, whole = np.random.default_rng(1), pq.read_table(folder / "whole.parquet").slice(1)
    z = np.log(whole["y"].to_numpy()) + 0.3 * rng.normal(size=len(whole))
    whole = whole.append_column("clicked", pa.array(np.where(z > 0.3, "yes", "no")))
    whole = whole.append_column("count", pa.array(rng.poisson(np.exp(z)))).drop_columns(["y"])
    for number in range(3):
        pq.write_table(whole.slice(number * 700, 700), f"logs/{number}.parquet", row_group_size=300)
    pq.write_table(whole, "whole.parquet")


@pytest.mark.usefixtures("_clicks")
@pytest.mark.parametrize(
    ("target", "other", "loss"), [("clicked", "count", "logistic"), ("count", "clicked", "poisson")]
)
def test_other_losses_are_those_of_one_table(target, other, loss):
    fit = FIT.replace("--target y", f"--target {target} --exclude {other}")
    options = "" if loss == "logistic" else "--loss poisson"
    result = succeed(fit, "--validate 0 --scratch work --model parts.npz", options)
    if loss == "logistic":
        assert "--loss logistic" in " ".join(result.stderr.split())
    succeed(fit.replace("'logs/*.parquet'", "whole.parquet"), "--validate 0 --model whole.npz", f"--loss {loss}")
    parts, whole = load_model("parts.npz"), load_model("whole.npz")
    assert parts.path.loss == loss
    assert parts.path.certified.all()
    np.testing.assert_allclose(parts.path.alphas, whole.path.alphas, rtol=1e-10)
    np.testing.assert_allclose(parts.path.deviance_explained, whole.path.deviance_explained, atol=1e-4)
    assert (parts.path.classes is None) == (whole.path.classes is None)
    assert parts.meta["null_predictor"] == pytest.approx(whole.meta["null_predictor"])
    held = succeed(fit, "--model held.npz", options)
    assert "held-out deviance explained" in " ".join(held.stderr.split())
    assert 0.0 < max(load_model("held.npz").meta["held_out_r2"]) < 1.0
    succeed("predict parts.npz whole.parquet --out out.csv")


@pytest.mark.usefixtures("_clicks")
def test_a_value_of_neither_class_is_an_error():
    table = pq.read_table("logs/1.parquet")
    strange = table.set_column(table.column_names.index("clicked"), "clicked", pa.array(["maybe"] * len(table)))
    for number in range(3, 12):
        pq.write_table(table, f"logs/{number:02}.parquet")
    pq.write_table(strange, "logs/040.parquet")
    result = run(FIT.replace("--target y", "--target clicked --exclude count"))
    assert result.exit_code != 0
    assert "maybe" in result.stderr or "different texts" in " ".join(result.stderr.split())


@pytest.mark.parametrize("target", ["y", "clicked"])
def test_folds_choose_the_point(request, target):
    if target == "clicked":
        request.getfixturevalue("_clicks")
    fit = FIT.replace("--target y", f"--target {target}") + ("--exclude count " if target == "clicked" else "")
    result = succeed(fit, "--folds 3 --model parts.npz --seed 4")
    model = load_model("parts.npz")
    assert model.point == int(np.argmax(model.meta["held_out_r2"]))
    assert model.meta["folds"] == 3
    assert model.path.alphas.size == 20
    assert 0.05 < max(model.meta["held_out_r2"]) < 1.0
    assert "3 folds drawn with seed 4" in " ".join(result.stderr.split())
    succeed("predict parts.npz whole.parquet --out out.csv")


@pytest.mark.usefixtures("_clicks")
def test_an_exposure_is_that_of_one_table():
    fit = FIT.replace("--target y", "--target count --loss poisson --exclude clicked --exposure time")
    for file in ["whole.parquet", *(f"logs/{number}.parquet" for number in range(3))]:
        table = pq.read_table(file)
        pq.write_table(table.append_column("time", pa.array(np.exp(table["number"].to_numpy()))), file)
    succeed(fit, "--validate 0 --model parts.npz")
    succeed(fit.replace("'logs/*.parquet'", "whole.parquet"), "--validate 0 --model whole.npz")
    parts, whole = load_model("parts.npz"), load_model("whole.npz")
    assert parts.meta["offset"] == whole.meta["offset"]
    np.testing.assert_allclose(parts.path.alphas, whole.path.alphas, rtol=1e-9)
    np.testing.assert_allclose(parts.path.deviance_explained, whole.path.deviance_explained, atol=1e-4)
    assert parts.path.certified.all()


def test_an_interrupted_fit_goes_on(monkeypatch):
    succeed(FIT, "--model whole.npz --scratch other")
    solve, solved = paths.solve_point, []

    def interrupted(*args):
        if len(solved) == 7:
            raise KeyboardInterrupt
        solved.append(1)
        return solve(*args)

    monkeypatch.setattr(paths, "solve_point", interrupted)
    assert run(FIT, "--model parts.npz --scratch work").exit_code != 0
    monkeypatch.setattr(paths, "solve_point", lambda *args: solved.append(1) or solve(*args))
    result = succeed(FIT, "--model parts.npz --scratch work")
    said = " ".join(result.stderr.split())
    assert "not read again" in said
    assert "7 of 20 points are in" in said
    assert len(solved) == 20
    parts, whole = load_model("parts.npz"), load_model("whole.npz")
    assert parts.path.certified.all()
    np.testing.assert_allclose(parts.path.deviance_explained, whole.path.deviance_explained, atol=1e-6)
    assert parts.path.coefs[:, :7].data.tolist() == whole.path.coefs[:, :7].data.tolist()


@pytest.mark.parametrize("scratch", ["", "--scratch work"])
def test_a_path_ends_where_columns_that_were_left_out_might_matter(monkeypatch, scratch):
    from sparsereg.crosses import over_parts

    monkeypatch.setattr(over_parts, "RESIDUAL_MARGIN", 0.3)
    result = succeed(FIT, "--model parts.npz", scratch)
    path = load_model("parts.npz").path
    assert 1 < path.alphas.size < 20
    assert f"ends after {path.alphas.size} of 20 points" in " ".join(result.stderr.split())
    assert path.certified.all()


def test_changed_files_and_other_options_are_refused():
    succeed(FIT, "--scratch work")
    for options, message in (
        ("--min-count 3", "of a fit with other options"),
        ("--alphas 10", "of a fit with other options"),
    ):
        result = run(FIT, "--scratch work", options)
        assert result.exit_code != 0
        assert message in " ".join(result.stderr.split())
    os.utime("logs/1.parquet", ns=(1, 1))
    result = run(FIT, "--scratch work")
    assert "1.parquet' changed since" in " ".join(result.stderr.split())
    os.remove("work/fit/scratch.json")
    os.truncate("work/checkpoint.npz", 100)
    assert "cannot be read" in " ".join(run(FIT, "--scratch work").stderr.split())


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ("fit 'logs/*.csv' --target y", "matches no file"),
        ("fit 'logs/*.parquet' --target z", "z"),
        ("fit 'logs/*.parquet' --target shop", "--loss multinomial needs the rows"),
        ("fit 'logs/*.parquet' --target y --loss logistic", "takes two"),
        ("fit 'logs/*.parquet' --target y --max-memory lots", "not a size such as 8GB"),
        ("fit words.csv --target y --max-memory 8GB --scratch work", "are for Parquet files"),
        ("fit nothing.parquet --target y", "does not exist"),
        ("fit 'logs/*.parquet' --target y --folds 3 --validate 0.2", "choose one"),
        ("fit 'logs/*.parquet' --target y --offset nothing", "nothing"),
    ],
)
def test_wrong_calls_say_why(folder, args, message):
    (folder / "words.csv").write_text("y\n1\n")
    result = run(args)
    assert result.exit_code != 0
    assert message in " ".join(result.stderr.split())


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_fit_that_is_killed_goes_on(folder):
    """The process dies without a chance to clean up; the same command ends as if nothing had happened."""
    fit = FIT.replace("--alphas 20", "--alphas 150") + "--model parts.npz --scratch work"
    command = [sys.executable, "-c", "from sparsereg.cli.commands import cli; cli()", *shlex.split(fit)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not (folder / "work" / "checkpoint.npz").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (folder / "parts.npz").exists()
    with np.load(folder / "work" / "checkpoint.npz", allow_pickle=False) as noted:
        n_noted = noted["sizes"].size
    assert 0 < n_noted < 150
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "not read again" in " ".join(again.stderr.split())
    parts = load_model("parts.npz")
    assert parts.path.certified.all()
    assert parts.path.alphas.size == 150


@pytest.mark.parametrize(
    ("library", "options", "extra"), [("pyarrow", "", "parquet"), ("distributed", "--scheduler tcp://x:1", "dask")]
)
def test_a_library_that_is_missing_is_named_with_its_extra(monkeypatch, library, options, extra):
    monkeypatch.setitem(sys.modules, library, None)
    result = run(FIT, options)
    assert result.exit_code == 1
    assert f'{library}, which is not installed: pip install "sparsereg[{extra}]"' in " ".join(result.stderr.split())
