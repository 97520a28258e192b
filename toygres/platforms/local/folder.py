"""Small files among the servers' files, reached by descriptors only.

A server's superuser can run programs as the servers' user, so every path below the place is one that a tenant may
have replaced by a link. Nothing here follows a link, and nothing that the servers' user doesn't own is read.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import PurePath

from toygres.platforms.local.place import Place

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK a pipe in a file's stead would hang whoever opens it.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


@dataclass(frozen=True)
class Folder:
    """An open folder of the servers' user; every name given to it is a single one, without `/`."""

    descriptor: int
    place: Place

    def read(self, name: str, last_bytes: int = 65536) -> str | None:
        """The end of a file, or None where there is none that the servers' user owns."""
        try:
            descriptor = os.open(name, _FILE, dir_fd=self.descriptor)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != self.place.owner:
                return None
            file.seek(max(0, found.st_size - last_bytes))
            return file.read(last_bytes).decode(errors="replace")

    def write(self, name: str, text: str) -> None:
        """Put `text` into a file, 0600 and the servers', whole or not at all."""
        scratch = f".{name}.{secrets.token_hex(4)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(scratch, flags, 0o600, dir_fd=self.descriptor)
        try:
            with os.fdopen(descriptor, "w") as file:
                self._give(descriptor)
                file.write(text)
            os.rename(scratch, name, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
        except BaseException:
            with suppress(OSError):
                os.unlink(scratch, dir_fd=self.descriptor)
            raise

    def make(self, name: str) -> None:
        """Make the folder `name`, 0700 and the servers'; one that is there is fine."""
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=self.descriptor)
        descriptor = os.open(name, _FOLDER, dir_fd=self.descriptor)
        try:
            if os.fstat(descriptor).st_uid != self.place.owner:
                self._give(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, name: str, new_name: str) -> None:
        """Give what is called `name` another name."""
        os.rename(name, new_name, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def move(self, name: str, folder: Folder, new_name: str) -> None:
        """Put what is called `name` into another folder. Raises FileNotFoundError where it is missing."""
        os.rename(name, new_name, src_dir_fd=self.descriptor, dst_dir_fd=folder.descriptor)

    def unlink(self, name: str) -> None:
        """Remove a file; absent is fine."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.descriptor)

    def names(self) -> list[str]:
        """What is in the folder, sorted."""
        return sorted(os.listdir(self.descriptor))  # noqa: PTH208 (a Path can't be a descriptor)

    def size(self, name: str) -> int:
        """The bytes of a file; 0 where it is missing."""
        with suppress(FileNotFoundError):
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False).st_size
        return 0

    def sync(self) -> None:
        """Bring the folder's own entries to the disk."""
        os.fsync(self.descriptor)

    @contextmanager
    def inside(self, name: str) -> Iterator[Folder]:
        """The folder `name`, opened. Raises FileNotFoundError where it is missing."""
        descriptor = os.open(name, _FOLDER, dir_fd=self.descriptor)
        try:
            yield Folder(descriptor, self.place)
        finally:
            os.close(descriptor)

    def _give(self, descriptor: int) -> None:
        if self.place.user is not None:
            os.fchown(descriptor, self.place.owner, self.place.group)


@contextmanager
def opened(place: Place, *names: str) -> Iterator[Folder]:
    """The folder `names` below the place's root, opened. Raises FileNotFoundError where it is missing."""
    with _opened(place, place.root, PurePath(*names).parts) as folder:
        yield folder


@contextmanager
def opened_sockets(place: Place) -> Iterator[Folder]:
    """The folder of the servers' socket folders, opened."""
    with _opened(place, place.sockets, ()) as folder:
        yield folder


@contextmanager
def _opened(place: Place, start: os.PathLike[str], names: tuple[str, ...]) -> Iterator[Folder]:
    folder = Folder(os.open(start, _FOLDER), place)
    try:
        for name in names:
            deeper = Folder(os.open(name, _FOLDER, dir_fd=folder.descriptor), place)
            os.close(folder.descriptor)
            folder = deeper
        yield folder
    finally:
        os.close(folder.descriptor)
