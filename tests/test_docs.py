"""The pages of docs/ are right: their examples run, and what they link to and name exists."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from sparsereg.losses import LOSSES

ROOT = Path(__file__).parents[1]
PAGES = [
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "benchmarks/README.md",
]
WITH_EXAMPLES = [page for page in PAGES if ">>> " in page.read_text(encoding="utf-8")]


@pytest.fixture
def losses_restored():
    before = dict(LOSSES)
    yield
    LOSSES.clear()
    LOSSES.update(before)


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda page: page.name)
@pytest.mark.usefixtures("losses_restored")
def test_examples_run(page):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, tried = doctest.testfile(str(page), module_relative=False, optionflags=flags)
    assert tried >= 3
    assert failed == 0


def test_pages_with_examples():
    assert {"adding.md", "crosses.md", "serving.md", "start.md"} <= {page.name for page in WITH_EXAMPLES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]*)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_rows_of_tables_are_lines(page):
    """Text that ends a row of a table belongs to it."""
    text = re.sub(r"(?s)```.*?```", "", page.read_text(encoding="utf-8"))
    for line in map(str.strip, text.splitlines()):
        assert line.startswith("|") or not line.endswith(" |"), line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page):
    """Paths in backticks, from the root of the repository, the package, `src_c/` or the page's folder."""
    for name in re.findall(r"`([\w./]+\.(?:py|pyi|pyx|pxi|c|h))`", page.read_text(encoding="utf-8")):
        places = ROOT, ROOT / "sparsereg", ROOT / "src_c", page.parent
        assert any((place / name).exists() for place in places), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_are_in_the_files_where_they_are_said_to_be(page):
    """`name` in `path`."""
    text = " ".join(page.read_text(encoding="utf-8").split())
    for name, path in re.findall(r"`([\w.]+)` in `([\w./]+\.(?:py|h))`", text):
        (file,) = {place / path for place in (ROOT, ROOT / "sparsereg", ROOT / "src_c") if (place / path).exists()}
        assert re.search(rf"\b{name.split('.')[-1]}\b", file.read_text(encoding="utf-8")), f"{name} in {path}"
