"""Reading the arrays of a model file that may be damaged or malicious: known names only, of the declared size."""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections import Counter
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

__all__ = ["read_arrays"]

_NAMES = re.compile(
    r"(header|path/(alphas|intercepts|dual_gaps|n_iters|seconds|deviance_explained|gradient_norms|classes"
    r"|data|indices|indptr)"
    r"|cross/(cross|layout|levels_\d+_(text|offsets|numbers)|counts_\d+|keys_\d+_\d+))\.npy"
)

# Bytes unpacked at a time.
CHUNK = 2**20


def read_arrays(content: bytes) -> dict[str, NDArray[Any]]:
    """All arrays of an archive, with their checksums verified.

    Memory is bounded by the sizes in the zip directory: a member that is unknown, or whose own header declares another
    size, is refused before its data are read, and so are coefficients of another number than their places.
    """
    if not content:
        raise ValueError("it is not a zip archive.")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if "header.npy" not in archive.namelist():
            return {}
        for name, count in Counter(info.filename for info in members).items():
            if count > 1 or not _NAMES.fullmatch(name):
                raise ValueError(f"it holds {name!r} {'twice' if count > 1 else 'which no model has'}.")
        headers = {info.filename: _read_header(archive, info)[0] for info in members}
        if headers.get("path/data.npy") != headers.get("path/indices.npy"):
            raise ValueError("it does not hold as many coefficients as places of them.")
        return {info.filename.removesuffix(".npy"): _read_array(archive, info) for info in members}


def _read_header(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, order and type that a member declares, and where its data begin; they must be what it holds."""
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{info.filename} is compressed in another way than models are.")
    with archive.open(info) as member:
        version = npy.read_magic(member)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran_order, dtype = read_header(member)
        begin = member.tell()
    if dtype.hasobject or begin + math.prod(shape) * dtype.itemsize != info.file_size:
        raise ValueError(f"{info.filename} declares shape {shape} and type {dtype}, which it does not hold.")
    return shape, fortran_order, dtype, begin


def _read_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    shape, fortran_order, dtype, begin = _read_header(archive, info)
    data = bytearray(info.file_size - begin)
    with archive.open(info) as member:
        member.read(begin)
        at = 0
        while part := member.read(CHUNK):  # to the end, where the checksum is compared
            data[at : at + len(part)] = part
            at += len(part)
    return np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if fortran_order else "C")
