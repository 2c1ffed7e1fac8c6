"""The HTML report on the command line: beside a fit, from a saved model, and as the same page."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("click")
from click.testing import CliRunner

from sparsereg.cli.commands import cli


def run(words, code=0):
    result = CliRunner().invoke(cli, words.split())
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def folder(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"shop": rng.choice(list("abc"), 400), "item": rng.integers(0, 30, 400)})
    table["sales"] = (table["shop"] == "a") * 2.0 + (table["item"] == 3) * 3.0 + rng.normal(size=400)
    monkeypatch.chdir(tmp_path)
    table.to_csv("t.csv", index=False)
    return tmp_path


FIT = "fit t.csv --target sales --cross shop,item --alphas 20 --model m.npz"


def test_fit_and_report_write_the_same_page(folder):
    shown = run(f"{FIT} --html fit.html --report r.json").stdout
    assert "fit.html: " in shown
    assert run("report m.npz --html again.html").stdout.startswith("again.html: ")
    page = (folder / "fit.html").read_text(encoding="utf-8")
    assert page == (folder / "again.html").read_text(encoding="utf-8")
    for words in ("Could a dropped column belong?", "Too strong, chosen", "A model of sales", "What can be quoted?"):
        assert words in page
    assert json.loads((folder / "r.json").read_text())["tol"] == 1e-7
    run("report m.npz --html titled.html --title Sales")
    assert "<h1><bdi>Sales</bdi></h1>" in (folder / "titled.html").read_text(encoding="utf-8")


def test_other_tolerances_and_wrong_places(folder):
    run(f"{FIT} --report r.json")
    assert json.loads((folder / "r.json").read_text())["tol"] == 1e-4
    run(f"{FIT} --html fit.html --tol 1e-3 --report r.json")
    assert json.loads((folder / "r.json").read_text())["tol"] == 1e-3
    assert "nowhere" in run(f"{FIT} --html nowhere/fit.html", code=1).output
    assert "add --html FILE" in run("report m.npz --title Sales", code=1).output
