"""Certified lasso, elastic net and ridge on wide sparse feature crosses.

Names are loaded when first used, so that `import sparsereg` stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparsereg.path import PathResult, regularization_path

__version__ = "0.1.0"

_ROOMS = {
    "PathResult": "path",
    "regularization_path": "path",
}

__all__ = ["PathResult", "regularization_path"]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'sparsereg' has no attribute {name!r}")
    return getattr(importlib.import_module(f"sparsereg.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_ROOMS])
