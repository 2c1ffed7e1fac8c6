"""Atomic writes, from `data/atomic_write.py`."""

from __future__ import annotations

from sparsereg.data.atomic_write import check_place, write_whole

__all__ = ["check_place", "write_whole"]
