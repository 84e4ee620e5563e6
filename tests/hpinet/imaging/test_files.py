"""Writing whole files, and asking beforehand whether they can be written."""

from __future__ import annotations

import os
import stat

import pytest

from hpinet import UserError
from hpinet.imaging.files import check_output, write_bytes

posix = pytest.mark.skipif(os.name != "posix", reason="mode bits and links of POSIX")


@posix
def test_a_replaced_file_keeps_its_mode_and_a_new_one_gets_the_usual(tmp_path):
    path = tmp_path / "a"
    with (tmp_path / "usual").open("w"):
        pass
    write_bytes(path, b"1")
    assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode
    path.chmod(0o640)
    write_bytes(path, b"2")
    assert (stat.S_IMODE(path.stat().st_mode), path.read_bytes()) == (0o640, b"2")


@posix
def test_a_link_keeps_pointing_to_what_is_written(tmp_path):
    (tmp_path / "real").mkdir()
    write_bytes(tmp_path / "real" / "a", b"1")
    (tmp_path / "link").symlink_to(tmp_path / "real" / "a")
    write_bytes(tmp_path / "link", b"2")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "a").read_bytes() == b"2"


def test_a_name_of_the_full_length_can_be_written(tmp_path):
    path = tmp_path / ("a" * 251 + ".png")
    assert check_output(path) == path
    write_bytes(path, b"1")
    assert path.read_bytes() == b"1"


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "x.png", tmp_path / "file" / "y" / "x.png"):
        with pytest.raises(UserError, match="is a file, not a folder"):
            check_output(place)
    with pytest.raises(UserError, match="too long"):
        check_output(tmp_path / ("a" * 300 + ".png"))
    with pytest.raises(UserError, match="cannot be written"):
        check_output("/proc/nothing/x.png" if os.path.isdir("/proc") else tmp_path / "\0")  # noqa: PTH112
    assert check_output(tmp_path / "new" / "x.png").name == "x.png"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_folder_that_may_not_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="permission denied"):
        check_output(tmp_path / "x.png")
    tmp_path.chmod(0o700)


def test_inputs_and_links_are_written_over_only_when_told(tmp_path):
    path, link = tmp_path / "a.png", tmp_path / "b.png"
    path.write_bytes(b"1")
    link.symlink_to(path)
    for place in (path, link, tmp_path / "." / "a.png"):
        with pytest.raises(UserError, match="--overwrite"):
            check_output(place, [path])
        assert check_output(place, [path], overwrite=True) == place
    assert check_output(path) == path  # no input: an earlier result, replaced as ever
