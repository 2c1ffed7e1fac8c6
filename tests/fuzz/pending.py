"""Malformed input that is not refused yet, by its known fault: patterns of `entry/argument/what is wrong`.

Each is held to account: once no case of it fails any more, `test_malformed.py` asks for it to be taken out.
"""

from __future__ import annotations

import re

PENDING = {
    r"^(SparsityReport.from_path|save_model)/(path|cross|scores)/": "C7",
}
DAMAGED = {
    r"^large": "D13",
}


def known(case: str, table: dict[str, str] = PENDING) -> str | None:
    """The pending fault that a case belongs to, by its pattern."""
    return next((pattern for pattern in table if re.search(pattern, case)), None)
