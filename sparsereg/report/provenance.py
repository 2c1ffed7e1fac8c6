"""Where a report comes from: sizes, times, versions, and a hash of the shape and the names of the data."""

from __future__ import annotations

import hashlib
import platform
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

if TYPE_CHECKING:
    from sparsereg.crosses.feature_cross import FeatureCross
    from sparsereg.report.evidence import Evidence

__all__ = ["provenance_of"]

# Longest description of a cross.
_MAX_CROSS = 2000


def provenance_of(
    cross: FeatureCross | None, evidence: Evidence, n_columns: int, seconds: Any, further: dict[str, Any]
) -> dict[str, Any]:
    """Plain values; `further` is what the caller adds, such as the seed of the rows held out."""
    from sparsereg import __version__

    n_rows = evidence.n_rows if cross is None else cross.n_rows_
    names = [] if cross is None else [*map(str, getattr(cross, "feature_names_in_", ())), *cross.levels_]
    identity = f"{n_rows} {n_columns} {names}"
    times = [float(part) for part in seconds if part is not None] if seconds is not None else []
    return {
        "rows": n_rows,
        "entries": evidence.n_entries,
        "held_rows": evidence.n_held,
        "columns": n_columns,
        "seconds": sum(times) if times else None,
        "versions": {
            "sparsereg": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
        "cross": None if cross is None else str(repr(cross))[:_MAX_CROSS],
        "data_hash": hashlib.sha256(identity.encode()).hexdigest()[:16],
        **further,
    }
