"""The page on crosses says what happens: its examples are run."""

import doctest
from pathlib import Path


def test_examples_of_the_page():
    page = Path(__file__).parents[1] / "docs" / "crosses.md"
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, tried = doctest.testfile(str(page), module_relative=False, optionflags=flags)
    assert tried > 20
    assert failed == 0
