"""Ctrl-C on the command line: one line and status 130 from the first moment on."""

from __future__ import annotations

import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

STARTING = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, *_):
        if name == {module!r}:
            try:
                os.kill(os.getpid(), signal.SIGINT)
                for _ in range(10**6):
                    pass
            except KeyboardInterrupt:  # as C extensions do while they are loaded
                raise ImportError("cannot be loaded") from None
sys.meta_path.insert(0, Interrupting())
from sparsereg.cli import main
main()
"""


@pytest.mark.parametrize("module", ["click", "polars", "numpy", "sparsereg.cli.commands", "sparsereg.cli.score"])
def test_ctrl_c_while_starting(module):
    arguments = ["score", "m.json", "-"] if module.endswith("score") else ["--help"]
    code = [sys.executable, "-c", STARTING.format(module=module), *arguments]
    result = subprocess.run(code, capture_output=True, text=True, check=False)
    assert (result.stderr, result.returncode) == ("Aborted!\n", 130)


def test_ctrl_c_before_the_command_line_is_loaded():
    """Nothing that takes milliseconds is imported before the signal has its handler."""
    code = "import sys; import sparsereg.cli; print(*sys.modules)"
    root = Path(__file__).parents[1]
    loaded = subprocess.run([sys.executable, "-SEc", code], capture_output=True, text=True, check=True, cwd=root).stdout
    assert not {"typing", "collections", "enum", "re", "signal", "importlib.util"} & set(loaded.split())


def test_ctrl_c_while_scoring():
    code = """
import sparsereg.cli.score, sys
def interrupt(_):
    raise KeyboardInterrupt
sparsereg.cli.score._load = interrupt
sys.argv = ["sparsereg", "score", "m.json", "-"]
from sparsereg.cli import main
main()
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.stderr, result.returncode) == ("Aborted!\n", 130)


def test_ctrl_c_that_is_ignored_stays_so():
    """As in the background of a shell, or under nohup."""
    code = [sys.executable, "-c", STARTING.format(module="click"), "--help"]
    ignored = partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
    result = subprocess.run(code, capture_output=True, text=True, check=False, preexec_fn=ignored)
    assert result.returncode == 0
    assert "Usage" in result.stdout
