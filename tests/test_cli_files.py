"""Files of the command line: codes stay what is written, dates, encodings, and what is refused."""

from __future__ import annotations

import bz2
import io
import lzma
import os
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from sparsereg import load_model
from sparsereg.cli.commands import cli


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(args: str, stdin: bytes | None = None):
    return CliRunner().invoke(cli, shlex.split(args), prog_name="sparsereg", input=stdin)


def succeed(args: str, stdin: bytes | None = None):
    result = run(args, stdin)
    assert result.exit_code == 0, result.stderr
    return result


def fail(args: str) -> str:
    result = run(args)
    assert result.exit_code in (1, 2), result.stdout
    assert isinstance(result.exception, SystemExit)
    return result.stderr.splitlines()[-1]


def write_codes(codes, file="a.csv", header="code,y", repeat=60, quote=""):
    rng = np.random.default_rng(0)
    rows = [
        f"{quote}{code}{quote},{10 * i + 0.1 * rng.random():.6f}" for _ in range(repeat) for i, code in enumerate(codes)
    ]
    Path(file).write_text("\n".join([header, *rows]) + "\n")


def levels(name="code"):
    found = load_model("m.npz").cross.levels_[name]
    return [found.level(code) for code in range(len(found))]


@pytest.mark.parametrize(
    ("codes", "quote"),
    [
        (["1", "01", "001"], ""),
        (["007", "07"], '"'),
        (["02130", "10001"], ""),
        (["1.1", "1.10", "2.5"], ""),
        (["TRUE", "true"], ""),
        (["1E5", "100000.0", "2"], ""),
        (["1.0", "1"], ""),
        (["+1", "1"], ""),
        (["123456789012345678901234567890", "123456789012345678901234567891"], ""),
        (["9223372036854775807", "9223372036854775808"], ""),
    ],
    ids=str,
)
def test_different_texts_are_different_levels(codes, quote):
    write_codes(codes, quote=quote)
    succeed("fit a.csv --target y --validate 0.2 --model m.npz")
    assert levels() == sorted(codes)
    assert max(load_model("m.npz").meta["held_out_r2"]) > 0.9
    printed = succeed("predict m.npz a.csv --keep code").stdout
    expected = pl.Series(10.0 * np.tile(np.arange(len(codes)), 60))
    back = pl.read_csv(printed.encode(), infer_schema=False)
    assert back["code"].to_list() == codes * 60
    np.testing.assert_allclose(back["prediction"].cast(pl.Float64), expected, atol=1)


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["1", "-2", "0"], "integer"),
        (["True", "False"], "boolean"),
        (["12.50", "3.75", "4.00", "1.25"], "bin"),
        (["1e-05", "2.5", "NaN", "-0.0", "0.0", "100000.0"], "bin"),
    ],
    ids=str,
)
def test_numbers_stay_numbers(texts, kind):
    write_codes(texts)
    result = succeed("fit a.csv --target y --model m.npz")
    assert load_model("m.npz").cross.levels_["code"].kind == kind
    assert "read as text" not in result.stderr


def test_options_say_what_codes_are():
    write_codes(["1", "01", "2", "3"])
    assert (
        "read as text, as different texts would be one number: code (such as 01)"
        in succeed("fit a.csv --target y --model m.npz").stderr
    )
    assert "read as text" not in succeed("fit a.csv --target y --numeric code --model m.npz").stderr
    assert load_model("m.npz").cross.numbers_ == ["code"]
    succeed("fit a.csv --target y --bin code=1 --model m.npz")
    assert levels() == [(1, 2), (2, 3), (3, 4)]
    write_codes(["1", "2", "3"])
    succeed("fit a.csv --target y --text code --model m.npz")
    assert levels() == ["1", "2", "3"]
    assert "is in both --numeric and --text" in fail("fit a.csv --target y --numeric code --text code")
    write_codes(["1.5", "2.5"])
    succeed("fit a.csv --target y --text code --model m.npz")
    assert levels() == ["1.5", "2.5"]


def test_kept_columns_are_as_written():
    write_codes(["a", "b"])
    succeed("fit a.csv --target y --model m.npz")
    rows = ["007,1.10,TRUE,02139,NA,a", "8,2,no,1,,b"]
    Path("b.csv").write_text("\n".join(["id,version,flag,zip,gap,code", *rows]) + "\n")
    printed = succeed("predict m.npz b.csv --keep id,version,flag,zip,gap --na NA").stdout.splitlines()
    assert printed[0] == "id,version,flag,zip,gap,prediction"
    assert [line.rpartition(",")[0] for line in printed[1:]] == ["007,1.10,TRUE,02139,NA", "8,2,no,1,"]
    succeed("predict m.npz b.csv --keep id,zip,gap --na NA --out p.parquet")
    kept = pl.read_parquet("p.parquet")
    assert kept["id"].to_list() == ["007", "8"]
    assert kept["gap"].null_count() == 2
    Path("c.csv").write_text("prediction,code\n1,a\n")
    assert "--keep names 'prediction', which is the name of the output's own column" in fail(
        "predict m.npz c.csv --keep prediction"
    )
    assert succeed("predict m.npz a.csv --keep code --keep code").stdout.startswith("code,prediction\n")


def test_columns_of_one_name_are_refused():
    Path("a.csv").write_text("y,c,y\n1,2,3\n")
    assert "a.csv has several columns named y; rename them" in fail("fit a.csv --target y")
    write_codes(["a"])
    succeed("fit a.csv --target y --design main --validate 0 --model m.npz")
    Path("b.csv").write_text("code,code\na,b\n")
    assert "several columns named code" in fail("predict m.npz b.csv")


@pytest.mark.parametrize("values", ["x1", "7.5", "07", "99999999999999999999"])
def test_other_values_in_a_column_of_integers_are_unknown(values):
    write_codes([1, 2, 9])
    succeed("fit a.csv --target y --model m.npz")
    Path("b.csv").write_text(f"code\n9\n{values}\n2.0\n\n")
    result = succeed("predict m.npz b.csv")
    predicted = pl.read_csv(result.stdout.encode())["prediction"]
    assert predicted[0] == pytest.approx(20, abs=1)
    assert predicted[2] == pytest.approx(10, abs=1)
    assert predicted[1] == pytest.approx(load_model("m.npz").path.intercepts[load_model("m.npz").point])
    assert f"fitted as integers; 1 other values, such as '{values}', are unknown" in result.stderr


def test_text_where_numbers_are_needed():
    write_codes(["1.5", "oops", "2.5"])
    for option in ("--numeric code", "--bin code=1"):
        message = fail(f"fit a.csv --target y {option}")
        assert "column 'code' must hold numbers, but holds 'oops'; correct it, or use --na" in message
    succeed("fit a.csv --target y --bin code=1 --na oops --model m.npz")
    Path("b.csv").write_text("code\n1.5\nwhat\n")
    assert "must hold numbers, but holds 'what'" in fail("predict m.npz b.csv")
    assert succeed("predict m.npz b.csv --na what").stdout.count("\n") == 3


def write_dates(words, file="d.csv"):
    rows = [f"{word},{i % 7}" for i, word in enumerate(words)] * 5
    Path(file).write_text("\n".join(["when,y", *rows]) + "\n")


FIT_DATES = "fit d.csv --target y --exclude when --bin month=month:when --bin hour=hour:when --validate 0 --model m.npz"


@pytest.mark.parametrize(
    ("words", "options", "note", "months"),
    [
        (["06/04/2024", "07/04/2024"], "", "read day first, as %d/%m/%Y, which no date contradicts", [4]),
        (["06/04/2024", "25/05/2024"], "", "read day first, as %d/%m/%Y; --date-format", [4, 5]),
        (["06/04/2024", "07/25/2024"], "", "read month first, as %m/%d/%Y", [6, 7]),
        (["06/04/2024", "07/04/2024"], "--date-format %m/%d/%Y", "", [6, 7]),
        (["6.4.2024 10:30", "7.4.2024 23:59"], "", "as %d.%m.%Y %H:%M", [4]),
        (["2024-01-02T10:00:00Z", "2024-02-02T10:00:00Z"], "", "offsets; they are read in UTC", [1, 2]),
        (["2024-01-02 10:00:00+02:00", "2024-02-01T01:00:00.5+02:00"], "", "read in UTC", [1]),
        (["2024-03-02", "2024-04-02"], "", "", [3, 4]),
        (["2024-03-02 11:12", "2024-04-02 11:12"], "", "", [3, 4]),
        (["20240302", "20240402"], "--date-format %Y%m%d", "", [3, 4]),
    ],
    ids=str,
)
def test_dates(words, options, note, months):
    write_dates(words)
    result = succeed(f"{FIT_DATES} {options}")
    assert note in result.stderr
    assert note or "date-format" not in result.stderr
    assert levels("month") == months
    # The order of fit is that of predict, whatever its own dates leave open.
    write_dates(words[:1], "e.csv")
    succeed("predict m.npz e.csv")
    assert len(load_model("m.npz").meta["date_formats"]["when"]) > 5


def test_dates_that_cannot_be_read():
    write_dates(["soon"])
    assert "'soon' is in no known format; give its --date-format" in fail(FIT_DATES)
    write_dates(["2024-01-02", "2024-13-02"])
    assert "'2024-13-02' is not written as %Y-%m-%d; give another --date-format" in fail(FIT_DATES)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_r2_of_fit_and_predict_are_the_same(log, weighted):
    rng = np.random.default_rng(0)
    group = rng.integers(0, 5, 400)
    table = pl.DataFrame({"g": group, "y": np.exp(group + rng.normal(size=400)), "w": rng.integers(1, 9, 400)})
    table.write_csv("a.csv")
    options = "--log-target " * log + ("--weight w" if weighted else "--exclude w")
    result = succeed(f"fit a.csv --target y {options} --validate 0.25 --model m.npz")
    order = np.random.default_rng(0).permutation(400)
    table[np.sort(order[:100]).tolist()].write_csv("held.csv")
    r2 = max(load_model("m.npz").meta["held_out_r2"])
    name = "R2" + " of log(y)" * log + " weighted by w" * weighted
    assert f"({name} {r2:.4f})" in result.stderr
    assert f"note: {name} {r2:.4f}, on the 100 rows that hold y;" in succeed("predict m.npz held.csv").stderr
    if weighted:
        table.drop("w").write_csv("bare.csv")
        assert "unweighted as the file has no w" in succeed("predict m.npz bare.csv").stderr


def zipped(content: bytes, *names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return out.getvalue()


def test_compressed_encoded_and_separated_files():
    write_codes(["ä", "b"])
    content = Path("a.csv").read_bytes()
    succeed("fit a.csv --target y --model m.npz")
    expected = load_model("m.npz").path.intercepts
    for packed in (bz2.compress(content), lzma.compress(content), zipped(content, "a.csv")):
        Path("b.csv.x").write_bytes(packed)
        succeed("fit b.csv.x --target y --model m.npz")
        np.testing.assert_array_equal(load_model("m.npz").path.intercepts, expected)
    Path("b.zip").write_bytes(zipped(content, "a.csv", "b.csv"))
    assert "is a zip archive of 2 files; extract the one to read" in fail("fit b.zip --target y")
    Path("l.csv").write_bytes(content.decode().replace(",", "\t").encode("latin-1"))
    assert "name its --encoding" in fail("fit l.csv --target y --separator '\\t'")
    succeed("fit l.csv --target y --separator '\\t' --encoding latin-1 --model m.npz")
    assert levels() == ["b", "ä"]
    assert "cannot be read as a table" in fail("fit l.csv --target y --encoding klingon")
    assert "should be one character" in fail("fit l.csv --target y --separator ,,")
    succeed("fit - --target y --model m.npz", content)
    assert levels() == ["b", "ä"]
    assert succeed("predict m.npz -", content).stdout.count("\n") == 121


def test_names_at_commas_and_degree():
    table = pl.DataFrame({"y": [1.0, 2.0, 4.0] * 30, "a": [1, 2, 3] * 30, "b": [1, 1, 2] * 30, "c,d": [4, 4, 5] * 30})
    table.write_csv("a.csv")
    succeed("""fit a.csv --target y --exclude 'a,"c,d"' --model m.npz""")
    assert list(load_model("m.npz").cross.levels_) == ["b"]
    succeed("fit a.csv --target y --degree 2 --model m.npz")
    assert len(load_model("m.npz").cross.blocks_) == 6
    assert succeed("predict m.npz a.csv --keep a,b").stdout.startswith("a,b,prediction\n")


def test_a_file_without_rows():
    write_codes(["a", "b"])
    succeed("fit a.csv --target y --model m.npz")
    Path("b.csv").write_text("code,y\n")
    assert succeed("predict m.npz b.csv --keep code").stdout == "code,prediction\n"
    pl.DataFrame({"code": []}, schema={"code": pl.String}).write_parquet("b.parquet")
    assert succeed("predict m.npz b.parquet").stdout == "prediction\n"
    assert "no row has a value of 'y'" in fail("fit b.csv --target y")


@pytest.mark.skipif(os.name == "nt", reason="signals and pipes are POSIX's")
def test_a_reader_that_stops_early():
    write_codes(["a", "b"], repeat=50_000)
    succeed("fit a.csv --target y --alphas 3 --model m.npz")
    words = [sys.executable, "-m", "sparsereg", "predict", "m.npz", "a.csv", "--keep", "code,y"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"code,y,prediction\n"
        process.stdout.close()
        message = process.stderr.read()
    assert b"rror" not in message
    assert process.returncode == 0


def test_advice_is_in_options(tmp_path):
    lines = [f"{text},{i}.{j}" for i, text in enumerate(("a", "a ", "b", "c")) for j in range(20)]
    (tmp_path / "t.csv").write_text("\n".join(["k,y", *lines]))
    words = " ".join(succeed("fit t.csv --target y").stderr.split())
    assert "differ only in surrounding blanks or Unicode form; write them alike to treat them as one" in words
    assert "normalize_text" not in words
