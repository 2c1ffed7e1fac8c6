"""Atomic writes: a file appears under its name complete, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO

__all__ = ["check_place", "write_whole"]


@contextmanager
def write_whole(file: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for writing that appears under its name only once it is complete on disk.

    The bytes go to a temporary file in the same folder, which is renamed to `file` at the end. On any error or Ctrl-C
    the temporary file is removed, and an older file of that name stays as it was.

    Links are followed. Raises ValueError if the folder does not exist or `file` exists and is not a regular file, and
    OSError if it cannot be written.
    """
    target = check_place(file)
    handle, name = mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        os.chmod(name, _mode(target))
        os.replace(name, target)
    except BaseException:
        with suppress(FileNotFoundError):  # Ctrl-C just after the rename
            os.unlink(name)
        raise


def check_place(file: str | os.PathLike[str]) -> Path:
    """The path that a file would be written to, with links resolved; a ValueError if it cannot be written there."""
    target = Path(file).resolve()
    if target.exists() and not target.is_file():
        # A rename would replace a device.
        raise ValueError(f"{os.fspath(file)} is not a regular file; give the name of one.")
    if not target.parent.is_dir():
        raise ValueError(f"{os.fspath(file)} cannot be written: there is no folder {target.parent}; make it first.")
    return target


def _mode(target: Path) -> int:
    """Permissions of the file that is replaced, or of a new file. A temporary file is readable by its owner only."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
