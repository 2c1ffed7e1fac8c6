"""The entry point of the command line. Its dependencies are imported only after they are known to be installed, and
after Ctrl-C has a handler."""

from __future__ import annotations

import os
import sys
from time import perf_counter

__all__ = ["main"]

_REQUIRED = ("click", "rich", "polars")
_INTERRUPTED = 130  # what shells report of a command that Ctrl-C ended


def main() -> None:
    """Run the command line; without its dependencies, print how to install them."""
    begin = perf_counter()
    try:
        import signal

        stops = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # in the background it is ignored
        if stops:
            signal.signal(signal.SIGINT, _leave)
        run = _command(begin)
        if stops:  # from here on files may be open
            signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            status = run()
        finally:
            if stops:
                signal.signal(signal.SIGINT, _leave)
    except KeyboardInterrupt:
        _leave()
    sys.exit(status)


def _leave(*_: object) -> NoReturn:
    """End at once: a KeyboardInterrupt in an import may come out as any other error, or not at all."""
    os.write(2, b"Aborted!\n")
    os._exit(_INTERRUPTED)


def _command(begin: float) -> Callable[[], int | None]:
    """Everything imported that a command needs to begin."""
    if sys.argv[1:2] == ["score"]:  # needs no dependency, and starts within milliseconds without them
        from sparsereg.cli.score import main as score

        return lambda: score(sys.argv[2:])
    from importlib.util import find_spec

    missing = [name for name in _REQUIRED if find_spec(name) is None]
    if missing:
        print(f'sparsereg needs {", ".join(missing)} here: pip install "sparsereg[cli]"', file=sys.stderr)
        sys.exit(1)
    from sparsereg.cli.commands import cli

    return lambda: cli(prog_name="sparsereg", obj=begin)


TYPE_CHECKING = False  # as in sparsereg/__init__.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn
