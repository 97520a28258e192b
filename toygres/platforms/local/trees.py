"""Deletes a folder with all that is in it: never through a link, and never what is mounted there."""

from __future__ import annotations

import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Each level holds a descriptor and two frames.
_DEEPEST = 50


def remove(path: Path) -> list[str]:
    """Delete what is at `path`, a link only as a link; tells what couldn't be deleted, and why. Absent is fine.

    Whatever other processes change below it meanwhile can't lead out of it.
    """
    try:
        parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    except OSError as failed:
        return [f"{path}: {failed.strerror}"]
    try:
        walk = _Walk(_device(parent, path.name))
        walk.delete(parent, path.name, path, 0)
        return walk.left
    finally:
        os.close(parent)


@dataclass
class _Walk:
    """One deletion, on one file system; `base` is the descriptor of the folder that goes last."""

    device: int
    base: int = -1
    left: list[str] = field(default_factory=list)

    def delete(self, parent: int, name: str, shown: Path, depth: int) -> None:
        """Delete `name` in the folder `parent`, or note why not."""
        before = len(self.left)
        try:
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if not stat.S_ISDIR(found.st_mode):
                os.unlink(name, dir_fd=parent)
            elif found.st_dev != self.device:
                self.left.append(f"{shown}: something is mounted there")
            elif depth > _DEEPEST:
                # A tenant may have nested them without end: its turn comes again near the top.
                os.rename(name, f".deep-{secrets.token_hex(8)}", src_dir_fd=parent, dst_dir_fd=self.base)
            else:
                self._empty(parent, name, shown, depth)
                if len(self.left) == before:
                    os.rmdir(name, dir_fd=parent)
        except FileNotFoundError:
            pass
        except OSError as failed:
            self.left.append(f"{shown}: {failed.strerror}")

    def _empty(self, parent: int, name: str, shown: Path, depth: int) -> None:
        folder = _open(parent, name)
        if depth == 0:
            self.base = folder
        try:
            tried: set[str] = set()
            while names := set(os.listdir(folder)) - tried:  # noqa: PTH208 (a Path can't be a descriptor)
                for entry in sorted(names):
                    self.delete(folder, entry, shown / entry, depth + 1)
                tried |= names
        finally:
            os.close(folder)


def _device(parent: int, name: str) -> int:
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False).st_dev
    except OSError:
        # Whoever deletes it meets the same, and tells it.
        return 0


def _open(parent: int, name: str) -> int:
    """The folder, opened, and ours to change: one of our own that was made read-only is made writable again."""
    found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    # Root needs no mode, and mustn't be led elsewhere by a tenant who is quick.
    if found.st_uid == os.geteuid() != 0 and found.st_mode & 0o700 != 0o700:
        os.chmod(name, 0o700, dir_fd=parent)
    return os.open(name, _FOLDER, dir_fd=parent)
