"""Compact models in files: written whole, checked on reading, read without the package."""

from __future__ import annotations

import copy
import gzip
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import sparsereg as S
from sparsereg import CompactModel, DatePart, FeatureCross, Model, Of, Quantiles, Split, Width, load_compact
from sparsereg.cli.commands import cli
from sparsereg.cli.score import main as score
from sparsereg.scorer import Scorer
from sparsereg.serving.schema import check_schema, read_schema

SCORER = Path(S.__file__).parent / "scorer.py"


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    n = 300
    table = pd.DataFrame(
        {
            "zip": rng.choice(["007", "07", "12", ""], n),
            "rooms": rng.integers(1, 6, n),
            "lat": (37 + rng.integers(0, 60, n) / 60).round(4),
            "new": rng.choice([True, False], n),
            "sold": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 500_000, n), unit="min"),
            "tags": rng.choice(["pool|garden", "garden", "view"], n),
            "km": rng.normal(size=n).round(2),
        }
    )
    cross = FeatureCross(
        bins={"lat": Width("1/60"), "sold": DatePart("hour"), "day": Of("sold", DatePart("weekday")), 
              "tags": Split("|")},
        crosses=[("rooms", "lat"), ("zip", "tags")],
        rare="pool", min_count=3,
    )  # fmt: skip
    y = rng.normal(size=n) + table["rooms"] + (table["zip"] == "007")
    path = S.regularization_path(cross.fit_transform(table), y.to_numpy(), alphas=20, eps=1e-2)
    return Model(cross, path, {"target": "price", "point": 15, "na": ["?"]}), table


@pytest.fixture
def saved(fitted, tmp_path):
    CompactModel.from_model(fitted[0]).save(tmp_path / "compact.json")
    return tmp_path / "compact.json"


def test_round_trip(fitted, saved):
    model, table = fitted
    compact = load_compact(saved)
    assert np.allclose(compact.predict(table), model.predict(table), rtol=1e-13, atol=1e-13)
    assert compact.to_json() == saved.read_text(encoding="utf-8")
    assert compact.data["csv"] == {"missing": ["?"]}
    assert "columns of zip" in repr(compact)


def test_every_weight_reads_back_exactly(fitted, saved):
    model, _ = fitted
    columns, weights = model.path.point(15)
    assert dict(load_compact(saved).weights()) == dict(zip(model.cross.feature_names(columns), weights, strict=True))


def test_saving_replaces_whole_files_only(saved, monkeypatch):
    compact, before = load_compact(saved), saved.read_bytes()
    monkeypatch.setattr(CompactModel, "to_json", lambda _: "\u00e9")  # fails to encode
    with pytest.raises(UnicodeEncodeError):
        compact.save(saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]
    with pytest.raises(ValueError, match="there is no folder"):
        compact.save(saved.parent / "none" / "x.json")


def test_schema(saved):
    """The package's own check and the jsonschema library agree, on the file and on damaged ones."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = read_schema("compact")
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    data = json.loads(saved.read_text(encoding="utf-8"))
    validator.validate(data)
    rng = np.random.default_rng(0)
    outcomes = []
    for _ in range(300):
        wrong = copy.deepcopy(data)
        damage(wrong, rng)
        try:
            check_schema(wrong, schema)
        except ValueError:
            outcomes.append(False)
        else:
            outcomes.append(True)
        assert outcomes[-1] == validator.is_valid(wrong), wrong
    assert 30 < sum(outcomes) < 270


def damage(data, rng):
    """Change, remove or add one value somewhere."""
    value = data
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = keys[rng.integers(len(keys))]
        inner = value[key]
        if isinstance(inner, (dict, list)) and inner and rng.random() < 0.8:
            value = inner
            continue
        new = [None, "text", 1, -2, 0.5, True, [], {}, [1], 2**60][rng.integers(10)]
        action = rng.integers(3)
        if action == 0:
            value[key] = new
        elif action == 1:
            del value[key]
        elif isinstance(value, dict):
            value["more"] = new
        else:
            value.append(new)
        return


@settings(max_examples=150)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_damaged_files_are_refused_or_predict_their_test_rows(fitted, tmp_path_factory, seed, as_bytes):
    """A ValueError, or a model that passes its test rows: never another error."""
    text = CompactModel.from_model(fitted[0]).to_json() if not CACHE else CACHE[0]
    CACHE[:] = [text]
    rng = np.random.default_rng(seed)
    file = tmp_path_factory.mktemp("damaged") / "compact.json"
    if as_bytes:
        content = bytearray(text.encode())
        for place in rng.integers(0, len(content), 3):
            content[place] = rng.integers(256)
        file.write_bytes(content[: rng.integers(1, len(content) + 1)] if rng.random() < 0.5 else content)
    else:
        data = json.loads(text)
        damage(data, rng)
        file.write_text(json.dumps(data), encoding="utf-8")
    try:
        compact = load_compact(file)
    except ValueError:
        return
    for test in compact.data["tests"]:
        assert np.isclose(compact.predict_one(test["row"]), test["prediction"])


CACHE: list[str] = []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format_version": 3}, "format version 3.*upgrade"),
        ({"format": "else"}, "no sparsereg compact model"),
        ({"link": "cloglog"}, "the link 'cloglog'"),
        ({"extra": 1}, "'extra', which is not known"),
        ({"intercept": 1e9}, "is predicted as"),
    ],
)
def test_wrong_heads(saved, change, words):
    data = json.loads(saved.read_text(encoding="utf-8")) | change
    saved.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        load_compact(saved)


@pytest.mark.parametrize("text", ["", "[1", "[]", "NaN", '{"format": NaN}', "[" * 100_000, "1" * 5000, "\ufeff{}"])
def test_files_that_are_no_models(tmp_path, text):
    (tmp_path / "x.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"x\.json"):
        load_compact(tmp_path / "x.json")


def test_scorer_alone(saved):
    """A copy of scorer.py, without the package and without site-packages."""
    shutil.copy(SCORER, saved.parent / "scorer.py")
    code = (
        "import sys, json; sys.path.insert(0, '.'); import scorer; one = scorer.load('compact.json');"
        "print(json.dumps([one.predict_one(test['row']) for test in one.data['tests']]));"
        "print(sorted({'numpy', 'sparsereg', 'typing', 'sklearn'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=saved.parent, capture_output=True, text=True, check=True
    )
    found, modules = run.stdout.splitlines()
    assert json.loads(found) == [test["prediction"] for test in load_compact(saved).data["tests"]]
    assert modules == "[]"


def test_score_starts_without_libraries():
    code = (
        "import sys; sys.argv = ['sparsereg', 'score', '--help']; import sparsereg.cli as c\n"
        "try: c.main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'click', 'rich', 'polars', 'sklearn', 'scipy'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"


def test_score_reads_csv_as_predict_does(fitted, saved, capsys):
    model, table = fitted
    expected = model.predict(table.assign(zip=table["zip"].replace("", None)))
    file = saved.parent / "rows.csv"
    table.to_csv(file, index=False)
    assert score([str(saved), str(file), "--keep", "zip,rooms"]) == 0
    found = pd.read_csv(io.StringIO(capsys.readouterr().out), dtype={"zip": str})
    assert np.allclose(found["prediction"], expected, rtol=1e-13)
    assert found["zip"].fillna("").tolist() == table["zip"].tolist()
    (saved.parent / "rows.csv.gz").write_bytes(gzip.compress(file.read_bytes()))
    assert score([str(saved), str(saved.parent / "rows.csv.gz"), "--out", str(saved.parent / "out.csv")]) == 0
    assert pd.read_csv(saved.parent / "out.csv")["prediction"].tolist() == found["prediction"].tolist()


def test_whole_command_line(tmp_path):
    """fit, export, score and predict agree on a file with codes, dates, truth values and missing texts."""
    rng = np.random.default_rng(1)
    n = 400
    day, month = rng.integers(1, 28, n), rng.integers(1, 13, n)
    table = pd.DataFrame(
        {
            "shop": rng.choice(["01", "1", "001", "NA"], n),
            "open": rng.choice(["true", "false"], n),
            "when": [
                f"{d:02}/{m:02}/2024 {h:02}:15" for d, m, h in zip(day, month, rng.integers(0, 24, n), strict=True)
            ],
            "size": rng.normal(size=n).round(3),
            "floor": rng.integers(0, 5, n),
        }
    )
    table["y"] = (table["shop"] == "01") * 2.0 + (month == 3) + table["floor"] + rng.normal(size=n)
    file, model, compact = (str(tmp_path / name) for name in ("d.csv", "m.npz", "c.json"))
    table.to_csv(file, index=False)
    bins = ["--bin", "month=month:when", "--bin", "hour=hour:when", "--bin", "size=quantiles:4"]
    run = CliRunner().invoke
    fit = run(cli, ["fit", file, "--target", "y", *bins, "--cross", "shop,month", "--na", "NA", "--model", model])
    assert fit.exit_code == 0, fit.output
    out = [str(tmp_path / name) for name in ("p.csv", "s.csv", "w.csv")]
    for arguments in (
        ["export", model, "--out", compact],
        ["predict", model, file, "--out", out[0]],
        ["score", compact, file, "--out", out[1]],
        ["export", model, "--to", "csv", "--out", out[2]],
    ):
        assert run(cli, arguments).exit_code == 0, arguments
    predicted, scored, weights = map(pd.read_csv, out)
    assert np.allclose(predicted["prediction"], scored["prediction"], rtol=1e-13)
    assert weights["column"].tolist() == ["(intercept)", *(name for name, _ in load_compact(compact).weights())]
    assert run(cli, ["export", model]).output == Path(compact).read_text(encoding="utf-8")
    refused = run(cli, ["export", model, "--point", "1000"])
    assert refused.exit_code == 1
    assert "--point 1000" in refused.output


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("rooms", "room"), "no column 'rooms'"),
        (("lat", "zip"), "two columns of one name"),
        ("007,x,y\n", "values, and its header"),
        (b"\xff\xfe", "codec"),
    ],
)
def test_score_refuses(fitted, saved, capsys, change, words):
    file = saved.parent / "rows.csv"
    text = fitted[1].to_csv(index=False)
    if isinstance(change, tuple):
        file.write_text(text.replace(*change, 1), encoding="utf-8")
    else:
        file.write_bytes(text.encode() + (change if isinstance(change, bytes) else change.encode()))
    out = saved.parent / "out.csv"
    assert score([str(saved), str(file), "--out", str(out)]) == 1
    assert words in capsys.readouterr().err
    assert not out.exists()
    assert score([str(saved), str(saved.parent / "none.csv")]) == 1


def test_scorer_refuses_what_is_no_dict():
    for value in (None, [], "text", {"format": "sparsereg compact model", "format_version": 1}):
        with pytest.raises(ValueError, match="it "):
            Scorer(value)


def test_float32_estimators_and_quantiles():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=200), "b": rng.integers(0, 5, 200)})
    cross = FeatureCross(bins={"a": Quantiles(4)}, crosses=[("a", "b")], dtype=np.float32)
    X = cross.fit_transform(table)
    lasso = S.Lasso(0.01).fit(X, rng.normal(size=200).astype(np.float32))
    from sklearn.pipeline import Pipeline

    found = CompactModel.from_model(Pipeline([("cross", cross), ("lasso", lasso)])).predict(table)
    assert np.allclose(found, lasso.predict(X), atol=1e-6)


def test_a_file_of_the_other_kind_is_named(saved, fitted):
    with pytest.raises(ValueError, match=r"is read by load_compact and `sparsereg score`"):
        S.load_model(saved)
    S.save_model(saved.parent / "model.npz", fitted[0].cross, fitted[0].path, point=0)
    with pytest.raises(ValueError, match=r"`sparsereg export MODEL --out FILE` makes a compact model"):
        load_compact(saved.parent / "model.npz")
