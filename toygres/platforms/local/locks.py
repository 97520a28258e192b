"""A lock between processes: a flock'd file. It ends with its holder, however that one ends."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toygres.errors import Unavailable


@contextmanager
def locked(path: Path, seconds: float) -> Iterator[int]:
    """Hold the lock file `path` (made 0600 where missing); yields its descriptor, open for reading and writing.

    Raises Unavailable when another one holds it for longer than `seconds`.
    """
    descriptor = _take(path, seconds)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _take(path: Path, seconds: float) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _wait(descriptor, path, seconds)
        except BaseException:
            os.close(descriptor)
            raise
        if _is_still(path, descriptor):
            return descriptor
        os.close(descriptor)


def _wait(descriptor: int, path: Path, seconds: float) -> None:
    """Wait for the lock in a thread, since flock knows no time limit; who gives up leaves it to that thread."""
    settled = threading.Lock()
    outcome: list[str] = []

    def settle(how: str) -> bool:
        with settled:
            outcome.append(how)
            return outcome[0] == how

    def take() -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if not settle("taken"):
            os.close(descriptor)

    waiter = threading.Thread(target=take, name=f"lock {path.name}", daemon=True)
    waiter.start()
    waiter.join(seconds)
    if settle("late"):
        raise Unavailable(f"Another process holds {path} for more than {seconds:g} s.")


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether the locked file wasn't removed while we waited for it."""
    try:
        found = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    held = os.fstat(descriptor)
    return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)
