"""Keeps late steps out: a locked file for each instance that holds the highest fence seen, and outlives it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

from toygres.errors import Cause, CauseCode, Refused, Unavailable
from toygres.platforms.local.boot_clock import age, stamp
from toygres.platforms.local.layout import Layout
from toygres.platforms.local.locks import locked
from toygres.platforms.local.place import Place

_LOCK_SECONDS = 10.0
_TOMBSTONE_SECONDS = 24 * 3600.0
_DIGITS = 20
_LENGTH = 100


@contextmanager
def passed(layout: Layout, fence: int) -> Iterator[None]:
    """Hold the instance's lock, having seen that `fence` is the highest; what is done inside must be quick.

    Whoever is frozen inside keeps all others out, so nothing is waited for or copied here. Raises Refused
    (FencedOff) when a higher fence was seen, Unavailable when another process holds the lock for 10 s.
    """
    layout.fence.parent.mkdir(mode=0o700, exist_ok=True)
    with locked(layout.fence, _LOCK_SECONDS) as descriptor:
        seen = _read(descriptor)
        if fence < seen:
            raise Refused(_fenced_off(fence, seen))
        # The stamp tells when the instance was last acted on, however the clock was set since.
        os.pwrite(descriptor, f"{fence:020d} {stamp()}\n".encode().ljust(_LENGTH), 0)
        yield


def prune(place: Place) -> None:
    """Remove the files of instances that were removed more than a day ago, or before the machine was started.

    What could still come late by then would have to be a process that was frozen for as long.
    """
    with suppress(FileNotFoundError):
        for file in (place.control / "fences").iterdir():
            with suppress(Unavailable, FileNotFoundError, ValueError):
                _prune(place, file)


def _prune(place: Place, file: Path) -> None:
    layout = Layout(place, UUID(file.name))
    if not _is_old(file) or layout.anchor.exists() or layout.credentials.exists():
        return
    with locked(file, 0):
        if _is_old(file):
            file.unlink()


def _is_old(file: Path) -> bool:
    _, _, stamped = file.read_text().partition(" ")
    return age(stamped.strip()) > _TOMBSTONE_SECONDS


def _read(descriptor: int) -> int:
    return int(os.pread(descriptor, _DIGITS, 0) or b"-1")


def _fenced_off(fence: int, seen: int) -> Cause:
    return Cause(
        code=CauseCode.FENCED_OFF,
        message=f"This step came too late: its fence is {fence}, and {seen} has been here.",
        remedy="Nothing is to be done: what came after it holds.",
    )
