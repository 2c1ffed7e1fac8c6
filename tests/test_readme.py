"""Every command and example of the README works as it is written, on fewer rows, and the page stays short."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from sparsereg.cli.commands import cli

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_commands_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = re.sub(r"#.*", "", block.replace("\\\n", " ")).replace("&&", "\n").splitlines()
    calls = [shlex.split(line)[1:] for line in lines if line.strip().startswith("sparsereg ")]
    assert [call[0] for call in calls] == ["demo", "fit", "predict", "export", "score"]
    for call in calls:
        few = ["3000" if word == "200000" else word for word in call]
        result = CliRunner().invoke(cli, few, prog_name="sparsereg")
        assert result.exit_code == 0, (call, result.stderr)
    assert Path("predictions.csv").read_text().count("\n") == Path("scores.csv").read_text().count("\n") == 3001


def test_examples_run(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 2
    (tmp_path / "readme.py").write_text("\n".join(blocks), encoding="utf-8")
    call = [sys.executable, "-W", "error", "readme.py"]
    found = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert "explain" in found.stdout


def test_it_stays_on_two_screens():
    assert len(README.splitlines()) <= 110
    assert README.count("<img ") == 2
