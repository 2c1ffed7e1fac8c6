"""The examples run, where their data is, and end with every strength certified."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("*.py") if path.name != "common.py")


@pytest.mark.parametrize("script", SCRIPTS)
def test_example(script, real_data):
    code = EXAMPLES / script
    (data,) = re.findall(r'data_file\(\s*"([^"]+)"', code.read_text(encoding="utf-8"))
    if not (real_data / data).is_file():
        pytest.skip(f"no {data} here")
    out = subprocess.run([sys.executable, code, real_data], capture_output=True, text=True, check=True)
    assert out.stderr == ""
    columns, strengths, certified, r2, kept = re.search(
        r"([\d,]+) columns encoded in .* s, (\d+) strengths in .* s, (\d+) certified; best held-out R2 (\S+) "
        r"with ([\d,]+) columns\.$",
        out.stdout.strip(),
    ).groups()
    assert certified == strengths
    assert 0 < float(r2) < 1
    assert 0 < int(kept.replace(",", "")) < int(columns.replace(",", ""))


def test_without_the_data_an_example_says_what_it_wants(tmp_path):
    out = subprocess.run([sys.executable, EXAMPLES / SCRIPTS[0], tmp_path], capture_output=True, text=True, check=False)
    assert out.returncode == 1
    assert "set SPARSEREG_DATA" in out.stderr
