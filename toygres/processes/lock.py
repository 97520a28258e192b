"""One `up` for a home: a lock that ends with its holder, however that one ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from toygres.errors import Conflict
from toygres.home import Home
from toygres.processes import running


@contextmanager
def only_up(home: Home) -> Iterator[None]:
    """Be the home's one `up`. Raises Conflict, telling where it runs, when there is one."""
    descriptor = _take(home)
    try:
        yield
    finally:
        # Removed while it is held, so that nobody's lock can be on a file that is gone.
        home.lock.unlink(missing_ok=True)
        os.close(descriptor)


def holder(home: Home) -> int | None:
    """The process that holds the lock; None when none does, or where the system doesn't tell (macOS)."""
    try:
        held = home.lock.stat()
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    # 1: FLOCK  ADVISORY  WRITE 4711 08:01:131 0 EOF
    fields = [line.split() for line in lines if " FLOCK " in line and f":{held.st_ino} " in line]
    return next((int(field[4]) for field in fields if field[1] == "FLOCK" and _has_open(int(field[4]), held)), None)


def _has_open(pid: int, file: os.stat_result) -> bool:
    for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(OSError):
            if os.path.samestat(descriptor.stat(), file):
                return True
    return False


def _take(home: Home) -> int:
    while True:
        descriptor = os.open(home.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise Conflict(_where(home), "Use it, or end it with `toygres down`.") from None
        if _is_current(home, descriptor):
            return descriptor
        os.close(descriptor)


def _is_current(home: Home, descriptor: int) -> bool:
    try:
        return os.path.samestat(home.lock.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _where(home: Home) -> str:
    found = running.find(home)
    if found is None or not found.lives:
        return f"Another `toygres up` is starting or stopping on {home.path}."
    return f"`toygres up` runs on {home.path} already: process {found.pid}, {found.url}."
