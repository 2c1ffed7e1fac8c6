"""Writing a file whole or not at all. It may not know what is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO

__all__ = ["check_place", "write_whole"]


@contextmanager
def write_whole(file: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for writing that appears under its name only when all of it is on the disk.

    The bytes go to a temporary file in the same folder, which replaces `file` at the end. When anything goes wrong,
    Ctrl-C included, the temporary file is removed and what was under the name before is untouched.

    Parameters
    ----------
    file : str or path
        A link is followed. Its folder must exist.

    Yields
    ------
    binary file

    Raises
    ------
    ValueError
        If the folder does not exist, or `file` is something else than a regular file.
    OSError
        If it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with write_whole(Path(folder) / "greeting") as out:
    ...         _ = out.write(b"hello")
    ...     (Path(folder) / "greeting").read_bytes()
    b'hello'
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
        os.unlink(name)
        raise


def check_place(file: str | os.PathLike[str]) -> Path:
    """Where a file would be written, a link followed; an error in words if it cannot be there."""
    target = Path(file).resolve()
    if target.exists() and not target.is_file():
        # Replacing a device or a folder would be worse than refusing.
        raise ValueError(f"{os.fspath(file)} is not a regular file; give the name of one.")
    if not target.parent.is_dir():
        raise ValueError(f"{os.fspath(file)} cannot be written: there is no folder {target.parent}; make it first.")
    return target


def _mode(target: Path) -> int:
    """Who may read the file: as before, or as any new file, while a temporary one is for its owner only."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
