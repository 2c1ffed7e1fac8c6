"""Reports as JSON and data frames, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from sparsereg.data.validation import check_choice
from sparsereg.report.tables import plain

__all__ = ["FORMAT", "VERSION", "as_frame", "as_json", "content_from_json"]

FORMAT = "sparsereg report"
VERSION = 2
TABLES = ("path", "blocks", "columns", "checks")


def as_frame(tables: Mapping[str, Any], table: str) -> Any:
    """One of the tables as a pandas data frame."""
    check_choice("table", table, TABLES)
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            f"to_frame needs pandas: pip install pandas; or use report.{table}, a list of dicts."
        ) from error
    return pd.DataFrame(tables[table])


def as_json(content: Mapping[str, Any], indent: int | None) -> str:
    """JSON without NaN and infinities."""
    return json.dumps(finite(content), indent=indent, allow_nan=False)


def content_from_json(text: str, names: set[str]) -> dict[str, Any]:
    """The fields in what `as_json` wrote.

    Raises
    ------
    ValueError
        If the text is not a report, of another version, or lacks one of the `names`.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"text is not JSON: {error}.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError("text is not a sparsereg report; pass what to_json wrote.")
    if content.get("format_version") != VERSION:
        raise ValueError(
            f"text is a report of format version {content.get('format_version')!r}; this sparsereg reads version "
            f"{VERSION}. Make the report again."
        )
    if missing := sorted(names - content.keys()):
        raise ValueError(f"text lacks {missing[0]!r}, which a report has.")
    return {name: content[name] for name in names}


def finite(value: Any) -> Any:
    """A copy in which NaN and infinities are None."""
    if isinstance(value, dict):
        return {str(key): finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(part) for part in value]
    value = plain(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
