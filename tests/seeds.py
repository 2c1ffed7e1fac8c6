"""How many random problems a test draws: so many on every push, `SPARSEREG_DIFFERENTIAL=N` for more."""

from __future__ import annotations

import os


def seeds(usual: int) -> range:
    """The seeds of a test that usually takes so many."""
    return range(int(os.environ.get("SPARSEREG_DIFFERENTIAL", usual)))
