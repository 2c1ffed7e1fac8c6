"""The house keeps its shape: imports run one way, and the kernels keep to their rules."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# From the ground up: a file may import only from files before it.
ORDER = [
    "_core", "design", "loss", "penalty", "problem", "screening", "descent", "solve", "validation", "path",
]  # fmt: skip


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("sparsereg."):
            names.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "sparsereg":
            names |= {alias.name for alias in node.names}
    return names


@pytest.mark.parametrize("room", [name for name in ORDER if name != "_core"])
def test_imports_run_one_way(room):
    path = ROOT / "sparsereg" / f"{room}.py"
    later = imported(path) - set(ORDER[: ORDER.index(room)])
    assert not later, f"{room} must not import {sorted(later)}"


def test_every_room_has_a_place():
    rooms = {path.stem for path in (ROOT / "sparsereg").glob("*.py")} - {"__init__", "__main__"}
    assert rooms == set(ORDER) - {"_core"}


@pytest.mark.parametrize("path", sorted((ROOT / "src_c").iterdir()), ids=lambda path: path.name)
def test_kernels_own_nothing(path):
    """No allocation, output, randomness, state or Python in C."""
    code = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.search(r"\b(malloc|calloc|realloc|free|printf|puts|rand|Python\.h)\b", code)
    assert not re.search(r"^static (?!inline\b)(?!const\b)[^()]*[;=]", code, flags=re.MULTILINE), "state between calls"


def test_import_is_light():
    """`import sparsereg` loads neither pandas nor anything of the command line, nor scikit-learn before it is needed."""
    code = "import sys, sparsereg; print([m for m in ('pandas', 'polars', 'pyarrow', 'click', 'rich', 'sklearn') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
    code = "import sys; from sparsereg import regularization_path; print([m for m in ('pandas', 'polars', 'click') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_every_public_name_loads_and_is_documented():
    import sparsereg

    for name in sparsereg.__all__:
        assert getattr(sparsereg, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = sparsereg.nonsense
