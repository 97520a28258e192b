"""Small files that a tenant may have tampered with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from toygres.platforms.local.folder import Folder, opened
from toygres.platforms.local.place import Place


@pytest.fixture
def inside(new_place: Place) -> Path:
    with opened(new_place) as root:
        root.make("inside")
    return new_place.root / "inside"


def test_what_is_written_is_whole_private_and_the_servers(new_place: Place, inside: Path) -> None:
    with opened(new_place, "inside") as folder:
        folder.write("file", "one")
        folder.write("file", "two")
        assert folder.read("file") == "two"
        assert folder.names() == ["file"]
    found = (inside / "file").stat()
    assert (found.st_mode & 0o777, found.st_uid) == (0o600, new_place.owner)


def test_of_a_long_file_the_end_is_read(new_place: Place, inside: Path) -> None:
    with opened(new_place, "inside") as folder:
        folder.write("file", "a" * 100 + "end")
        assert folder.read("file", 3) == "end"
        assert folder.size("file") == 103


def test_what_is_missing_is_none(new_place: Place, inside: Path) -> None:
    with opened(new_place, "inside") as folder:
        assert folder.read("missing") is None
        assert folder.size("missing") == 0
        folder.unlink("missing")
    with pytest.raises(FileNotFoundError), opened(new_place, "missing"):
        pass


def test_no_link_is_followed_neither_to_read_nor_to_write(new_place: Place, inside: Path, folder: Path) -> None:
    secret = folder / "secret"
    secret.write_text("kept")
    (inside / "link").symlink_to(secret)
    with opened(new_place, "inside") as opened_folder:
        assert opened_folder.read("link") is None
        opened_folder.write("link", "overwritten")
    assert secret.read_text() == "kept"


def test_no_folder_is_entered_through_a_link(new_place: Place, inside: Path, folder: Path) -> None:
    (inside / "link").symlink_to(folder)
    with opened(new_place, "inside") as opened_folder:
        _cannot_enter(opened_folder, "link")
        with pytest.raises(OSError, match="link"):
            opened_folder.make("link")
    with pytest.raises(OSError, match="link"), opened(new_place, "inside", "link"):
        pass
    assert folder.stat().st_uid == os.geteuid()


def test_a_pipe_in_a_files_stead_hangs_nobody(new_place: Place, inside: Path) -> None:
    os.mkfifo(inside / "pipe")
    os.chown(inside / "pipe", new_place.owner, new_place.group)
    with opened(new_place, "inside") as folder:
        assert folder.read("pipe") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read what isn't the servers' user's")
def test_what_another_owns_is_not_read(new_place: Place, inside: Path) -> None:
    (inside / "ours").write_text("of root's")
    with opened(new_place, "inside") as folder:
        assert folder.read("ours") is None


def _cannot_enter(folder: Folder, name: str) -> None:
    with pytest.raises(OSError, match=name), folder.inside(name):
        pass
