"""Deleting a folder for good, and nothing else with it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from toygres.platforms.local import trees


def test_a_folder_goes_with_all_that_is_in_it(folder: Path) -> None:
    tree = folder / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "file").write_text("x")
    os.mkfifo(tree / "a" / "b" / "pipe")
    assert trees.remove(tree) == []
    assert not tree.exists()
    assert trees.remove(tree) == []
    assert trees.remove(folder / "never" / "was") == []


def test_a_link_goes_and_what_it_leads_to_stays(folder: Path) -> None:
    kept = folder / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    tree = folder / "tree"
    tree.mkdir()
    (tree / "link").symlink_to(kept)
    (folder / "link").symlink_to(kept)
    assert trees.remove(tree) == trees.remove(folder / "link") == []
    assert (kept / "file").read_text() == "x"
    assert not (folder / "link").is_symlink()


def test_folders_that_were_nested_without_end_go_too(folder: Path) -> None:
    here = os.open(folder, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("deeper", dir_fd=here)
        deeper = os.open("deeper", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    assert trees.remove(folder / "deeper") == []
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_what_is_mounted_in_it_stays_and_is_told(folder: Path) -> None:
    mount = folder / "tree" / "deep" / "mount"
    mount.mkdir(parents=True)
    (folder / "tree" / "file").touch()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(mount)], check=True)
    try:
        (mount / "kept").touch()
        assert trees.remove(folder / "tree") == [f"{mount}: something is mounted there"]
        assert (mount / "kept").exists()
        assert not (folder / "tree" / "file").exists()
    finally:
        subprocess.run(["umount", str(mount)], check=True)
