"""Files that are no models."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from sparsereg import load_model


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\x93NUMPY\x01\x00", b"PK\x03\x04" + bytes(50)])
def test_foreign_files(tmp_path, content):
    file = tmp_path / "foreign"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"foreign is not a sparsereg model"):
        load_model(file)


def test_foreign_archives(tmp_path):
    np.savez(tmp_path / "other.npz", x=np.arange(3))
    with pytest.raises(ValueError, match=r"other.npz is not a sparsereg model: it has no header"):
        load_model(tmp_path / "other.npz")
    np.savez(tmp_path / "text.npz", header=np.array("{not json"))
    with pytest.raises(ValueError, match=r"text.npz is not a sparsereg model: it has no header"):
        load_model(tmp_path / "text.npz")
    with zipfile.ZipFile(tmp_path / "documents.zip", "w") as archive:
        archive.writestr("letter.txt", "dear")
    with pytest.raises(ValueError, match="is not a sparsereg model"):
        load_model(tmp_path / "documents.zip")


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "none.npz")
