"""The command line as it is met first: the demo, the help, and what README says to type."""

from __future__ import annotations

import shlex
import subprocess
import sys

import numpy as np
import polars as pl
from test_cli import README, run, succeed

from sparsereg import __version__, load_model
from sparsereg.cli.demo import globe_cross, make_places, make_target


def test_demo():
    result = succeed("demo --rows 20000 --seed 1")
    assert "233,280,000" in result.stdout
    assert "latitude x longitude" in result.stdout
    assert "All 100 points are certified" in result.stdout
    assert "columns that the target was made from" in result.stdout


def test_demo_places_are_on_the_globe():
    places = make_places(5000, np.random.default_rng(0))
    assert np.abs(places["latitude"]).max() <= 90
    assert places["longitude"].min() >= -180
    assert places["longitude"].max() < 180
    X = globe_cross().fit_transform(pl.DataFrame(places))
    y, chosen = make_target(X, np.random.default_rng(0))
    assert y.shape == (5000,)
    assert np.all(np.diff(chosen) > 0)
    assert chosen.max() < X.shape[1]
    assert [block.n_cells for block in globe_cross().fit(pl.DataFrame(places)).blocks_] == [10_800, 21_600, 233_280_000]


def test_help_teaches():
    for command in ("", "fit", "predict", "report", "demo"):
        text = succeed(command, "--help").stdout
        assert "Usage: sparsereg" in text
        if command != "demo":
            assert "\n    sparsereg " in text, "an example"
    assert run().stderr.startswith("Usage: sparsereg") or run().stdout.startswith("Usage: sparsereg")
    assert __version__ in succeed("--version").stdout


def test_without_the_extra_one_line_says_how_to_get_it():
    code = "import sys; sys.modules['polars'] = None; from sparsereg.cli import main; main()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == 'sparsereg needs polars here: pip install "sparsereg[cli]"\n'
    assert result.stdout == ""


def test_as_a_module():
    result = subprocess.run(
        [sys.executable, "-m", "sparsereg", "--version"], capture_output=True, text=True, check=True
    )
    assert result.stdout == f"sparsereg, version {__version__}\n"


def test_readme_opens_with_the_commands():
    block = README.read_text(encoding="utf-8").split("```")[1]
    commands = block.replace("\\\n", " ").splitlines()
    words = [shlex.split(line, comments=True) for line in commands if line.startswith(("pip", "sparsereg"))]
    assert words[0] == shlex.split('pip install ".[cli]" && sparsereg demo --rows 200000 --save places.csv')
    assert words[-1] == shlex.split('pip install -e ".[test]" && pytest')


def test_the_commands_of_the_readme_run_in_their_order(tmp_path, monkeypatch):
    """On fewer rows: what one writes the next reads, and crosses are active."""
    monkeypatch.chdir(tmp_path)
    block = README.read_text(encoding="utf-8").split("```")[1].replace("\\\n", " ")
    parts = [part for line in block.splitlines() for part in line.split("&&")]
    commands = [part.split("sparsereg ", 1)[1].split("#")[0] for part in parts if "sparsereg " in part]
    assert [command.split()[0] for command in commands] == ["demo", "fit", "predict", "export", "score"]
    succeed(commands[0].replace("200000", "20000"))
    assert pl.read_csv("places.csv").columns == ["latitude", "longitude", "value"]
    fitted = succeed(commands[1])
    assert "points are certified" in fitted.stdout
    assert load_model("model.npz").path.n_nonzero[-1] > 0
    succeed(commands[2])
    predictions = pl.read_csv("predictions.csv")
    assert predictions.height == 20_000
    for command in commands[3:]:
        succeed(command)
    assert pl.read_csv("scores.csv").height == 20_000
