"""Every malformed call once, and some hundred damaged files, on every push; `SPARSEREG_FUZZ=N` for others.

In processes of their own, which fork: nothing that goes wrong there ends the tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CASES = int(os.environ.get("SPARSEREG_FUZZ", "0"))
FILES = CASES // 4 or 150

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="wants fork")


def outcome(script: str, *arguments: str) -> list[tuple[str, str]]:
    """(case, trouble) of a run."""
    given = [sys.executable, str(HERE / script), *arguments]
    done = subprocess.run(given, capture_output=True, text=True, check=False)
    *lines, last = done.stdout.splitlines() or [""]
    assert re.fullmatch(r"\d+ (cases|files) from .*", last), done.stdout[-500:] + done.stderr[-2000:]
    return [tuple(line.split("\t", 1)) for line in lines if "\t" in line]  # type: ignore[misc]


def test_malformed_input_is_refused():
    assert not outcome("malformed.py", *(["--cases", str(CASES)] if CASES else []))


def test_damaged_files_are_refused():
    assert not outcome("damaged.py", "--cases", str(FILES))
