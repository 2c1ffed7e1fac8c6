"""Libraries that only some extras of the package bring."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["import_optional"]


def import_optional(module: str, use: str, extra: str) -> Any:
    """A module that is imported where it is used.

    Parameters
    ----------
    module : str
        Its full name.
    use : str
        What it is for, a clause that begins the message.
    extra : str
        The extra of the package that brings it.

    Raises
    ------
    ImportError
        Where it is not installed; the message says how to install it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        raise ImportError(f'{use} {library}, which is not installed: pip install "sparsereg[{extra}]"') from error
