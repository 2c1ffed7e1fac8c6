"""Files written whole or not at all."""

from __future__ import annotations

import os
import stat

import pytest

from sparsereg.data.atomic_write import write_whole


def test_ctrl_c_just_after_the_rename(tmp_path, monkeypatch):
    replace_file = os.replace

    def interrupted(*names):
        replace_file(*names)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt), write_whole(tmp_path / "m") as out:
        out.write(b"x")
    assert (tmp_path / "m").read_bytes() == b"x"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(os.name == "nt", reason="permissions are POSIX's")
def test_permissions_are_those_of_a_new_or_of_the_old_file(tmp_path):
    (tmp_path / "new").write_bytes(b"")
    for name in ("model", "model"):
        with write_whole(tmp_path / name) as out:
            out.write(b"x")
        modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("new", name)]
        assert modes[0] == modes[1]
    (tmp_path / "model").chmod(0o640)
    with write_whole(tmp_path / "model") as out:
        out.write(b"y")
    assert stat.S_IMODE((tmp_path / "model").stat().st_mode) == 0o640


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_link_is_followed(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with write_whole(tmp_path / "link") as out:
        out.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"
