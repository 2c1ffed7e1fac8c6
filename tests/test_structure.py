"""The structure of the package: imports run one way, and the kernels keep to their rules."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# From the bottom up: a module may import only from layers below its own, and from its own without a cycle.
LAYERS = [
    {"scorer"},
    {"_core"},
    {"data"},
    {"losses", "penalties"},
    {"rows"},
    {"objective"},
    {"results"},
    {"solvers"},
    {"crosses", "ridge"},
    {"selection"},
    {"linear_model"},
    {"report"},
    {"plot"},
    {"serving"},
    {"dask"},
    {"cli"},
]
PACKAGE = ROOT / "sparsereg"


MODULES = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in sorted(PACKAGE.rglob("*.py"))}


def layer(module: str) -> int:
    name = module.split(".")[0]
    return next(i for i, names in enumerate(LAYERS) if name in names)


def imported(path: Path) -> set[str]:
    """Modules of the package that a file imports, those for type checkers left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    skipped = {id(inner) for node in for_types for inner in ast.walk(node)}
    names = set()
    for node in ast.walk(tree):
        if id(node) in skipped or not isinstance(node, ast.ImportFrom):
            continue
        if (node.module or "").startswith("sparsereg."):
            module = node.module.removeprefix("sparsereg.")
            inner = {f"{module}.{alias.name}" for alias in node.names} & MODULES.keys()
            names |= inner or {module if module in MODULES else f"{module}.__init__"}
    return names & (MODULES.keys() | {f"_core.{name}" for name in ("kernels", "strings")})


@pytest.mark.parametrize("module", sorted(MODULES.keys() - {"__init__", "__main__"}))
def test_imports_point_downwards(module):
    above = {name for name in imported(MODULES[module]) if layer(name) > layer(module)}
    assert not above, f"{module} must not import {sorted(above)}"


def test_imports_have_no_cycle():
    TopologicalSorter({module: imported(path) - {module} for module, path in MODULES.items()}).prepare()


@pytest.mark.parametrize("path", sorted((ROOT / "src_c").iterdir()), ids=lambda path: path.name)
def test_kernels_own_nothing(path):
    """No allocation, output, randomness, state or Python in C."""
    code = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.search(r"\b(malloc|calloc|realloc|free|printf|puts|rand|Python\.h)\b", code)
    assert not re.search(r"^static (?!inline\b)(?!const\b)[^()]*[;=]", code, flags=re.MULTILINE), "state between calls"


def test_import_is_light():
    """`import sparsereg` loads neither pandas nor anything of the command line, nor scikit-learn before it is
    needed."""
    heavy = {"pandas", "polars", "pyarrow", "click", "rich", "dask", "distributed"}
    for statement, absent in (
        ("import sparsereg", heavy | {"sklearn"}),
        ("from sparsereg import regularization_path", heavy),
    ):
        code = f"import sys; {statement}; print(sorted({absent} & set(sys.modules)))"
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert out.stdout.strip() == "[]", statement


SOURCES = sorted(
    path
    for folder, kinds in {"sparsereg": "py pyx pxi pyi", "src_c": "c h", "tests": "py c h", "benchmarks": "py"}.items()
    for kind in kinds.split()
    for path in (ROOT / folder).rglob(f"*.{kind}")
)


def test_lines_and_files_are_short():
    """At most 120 columns, at most 400 lines; ruff knows Python only."""
    texts = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").splitlines() for path in SOURCES}
    assert len(texts) > 200
    assert not [f"{name}:{i}" for name, lines in texts.items() for i, line in enumerate(lines, 1) if len(line) > 120]
    assert not {name: len(lines) for name, lines in texts.items() if len(lines) > 400}


def test_design_names_what_exists_and_every_kernel_file():
    """Files in docs/design.md and docs/performance.md exist; design.md has a word for each file of src_c."""
    folders = [ROOT, PACKAGE, *(ROOT / name for name in ("src_c", "docs", "benchmarks", "tests"))]
    for page in ("design.md", "performance.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        named = re.findall(r"[`(]([\w./-]+\.(?:py|c|h|md|svg|pyi))[`)]", text)
        assert len(named) > 5
        missing = [name for name in named if not any((folder / name).exists() for folder in folders)]
        assert not missing, f"{page} names {missing}"
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    assert not [path.name for path in (ROOT / "src_c").iterdir() if path.name not in design]


def test_every_public_name_loads_and_is_documented():
    import sparsereg

    for name in sparsereg.__all__:
        assert getattr(sparsereg, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = sparsereg.nonsense


def _length(function: ast.FunctionDef) -> int:
    """Lines, without the docstring."""
    first = function.body[0]
    has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return function.end_lineno - function.lineno + 1 - (first.end_lineno - first.lineno + 1) * has_docstring


def test_functions_are_short():
    """Python functions have at most 50 lines without docstrings; C functions, macros among them, 60."""
    long = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and _length(node) > 50
    ]
    for path in sorted((ROOT / "src_c").glob("*.[ch]")):
        begin = 0
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line[:1] not in ("", " ", "}", "#", "/", "*") and "(" in line:
                begin = number
            if line.startswith("}") and number - begin >= 60:
                long.append(f"{path.name}:{begin}")
    assert not long
