"""The house keeps its shape: imports run one way, and the kernels keep to their rules."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# From the ground up: a room may import only from rooms before it. Packages are listed room by room.
ORDER = [
    "_core",
    "_strings",
    "threads",
    "compressed",
    "design",
    "centring",
    "sweep",
    "loss",
    "penalty",
    "problem",
    "light",
    "screening",
    "descent",
    "gram_descent",
    "solve",
    "cold",
    "validation",
    "path",
    "crosses.keys",
    "crosses.ragged",
    "crosses.lists",
    "crosses.column",
    "crosses.reading",
    "crosses.table",
    "crosses.binning",
    "crosses.dates",
    "crosses.split",
    "crosses.parts",
    "crosses.rules",
    "crosses.vocabulary",
    "crosses.block",
    "crosses.layout",
    "crosses.hashing",
    "crosses.onehot",
    "crosses.recipe",
    "crosses.fitting",
    "crosses.plan",
    "crosses.fitted",
    "crosses.portable",
    "crosses.feature_cross",
    "ridge.system",
    "ridge.dropout",
    "ridge.cg",
    "ridge.precondition",
    "ridge.fields",
    "ridge.copies",
    "ridge.border",
    "ridge.nested",
    "ridge.blocks",
    "ridge.facing",
    "ridge.grouped",
    "ridge.preconditioning",
    "ridge.exact",
    "ridge.solve",
    "ridge.probes",
    "ridge.early",
    "ridge.spectrum",
    "ridge.basis",
    "ridge.grouped_basis",
    "ridge.path",
    "ridge.trace",
    "ridge.cross_validation",
    "linear_model.gram_check",
    "linear_model.coefficients",
    "linear_model.paths",
    "linear_model.lasso",
    "linear_model.held",
    "linear_model.ridge",
    "linear_model.degrees",
    "linear_model.ridge_path",
    "linear_model.cross_validated",
    "linear_model.ridge_cv",
    "linear_model.ridge_classifier",
    "linear_model",
    "plot",
    "files",
    "report_rows",
    "report_text",
    "report",
    "model_file",
    "cli.console",
    "cli.options",
    "cli.fit_file",
    "cli.demo",
    "cli.commands",
    "cli",
]
PACKAGE = ROOT / "sparsereg"


def rooms() -> list[str]:
    """Every file of the package, as a dotted name inside it; a package's front door goes by the package's name."""
    paths = [path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py")]
    names = {".".join(path.parts).removesuffix(".__init__") for path in paths}
    return sorted(names - {"__init__", "__main__", "crosses", "ridge"})


def imported(room: str) -> set[str]:
    path = PACKAGE / room.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    skipped = {id(inner) for node in for_types for inner in ast.walk(node)}
    names = set()
    for node in ast.walk(tree):
        if (
            id(node) not in skipped
            and isinstance(node, ast.ImportFrom)
            and (node.module or "").startswith("sparsereg.")
        ):
            names.add(node.module.removeprefix("sparsereg."))
    return names


@pytest.mark.parametrize("room", rooms())
def test_imports_run_one_way(room):
    assert room in ORDER, f"{room} has no place in the order of the house"
    later = imported(room) - set(ORDER[: ORDER.index(room)])
    assert not later, f"{room} must not import {sorted(later)}"


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
