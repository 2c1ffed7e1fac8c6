"""The entry point of the command line. Its dependencies are imported only after they are known to be installed."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from time import perf_counter

__all__ = ["main"]

_REQUIRED = ("click", "rich", "polars")


def main() -> None:
    """Run the command line; without its dependencies, print how to install them."""
    begin = perf_counter()
    if sys.argv[1:2] == ["score"]:  # needs no dependency, and starts within milliseconds without them
        from sparsereg.cli.score import main as score

        sys.exit(score(sys.argv[2:]))
    missing = [name for name in _REQUIRED if find_spec(name) is None]
    if missing:
        print(f'sparsereg needs {", ".join(missing)} here: pip install "sparsereg[cli]"', file=sys.stderr)
        sys.exit(1)
    try:
        from sparsereg.cli.commands import cli

        cli(prog_name="sparsereg", obj=begin)
    except KeyboardInterrupt:  # before click is there to catch it
        print("Aborted!", file=sys.stderr)
        sys.exit(1)
