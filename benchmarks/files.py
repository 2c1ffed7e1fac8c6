"""Files of figures: CSV read and written, every file there whole or not at all. Knows nothing of what they mean."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a file, as text; none where there is no file yet."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_csv(rows: Iterable[Mapping[str, object]], path: Path, fields: Sequence[str]) -> None:
    """Write the rows; fields that a row lacks are empty."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fields)
    writer.writeheader()
    writer.writerows({key: _short(value) for key, value in row.items()} for row in rows)
    write_text(text.getvalue(), path)


def write_text(text: str, path: Path) -> None:
    """Write a text as it stands, replacing the file at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(path.suffix + ".tmp")
    temporary.write_text(text, encoding="utf-8", newline="")
    os.replace(temporary, path)


def _short(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value
