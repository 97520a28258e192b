"""What the home's disk refuses, as a sentence with its remedy: it is full, read-only, or not ours to write."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toygres.errors import Misconfigured, ToygresError, Unavailable
from toygres.home import Home
from toygres.platforms.local import removal

# Less than a server writes before it accepts its first client.
_LEAST_FREE_BYTES = 24 * 2**20
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_DENIED = frozenset({errno.EACCES, errno.EPERM})


def trouble(home: Home, error: OSError) -> Unavailable | Misconfigured | None:
    """The sentence for `error`; None when it is nothing that a disk says."""
    where = error.filename or home.path
    if error.errno in _FULL:
        return _full(where)
    if error.errno == errno.EROFS:
        return Misconfigured(
            f"{where} can't be written: its disk is read-only.", "Mount it writable, or name another TOYGRES_HOME."
        )
    if error.errno in _DENIED and Path(str(where)).is_relative_to(home.path):
        return Misconfigured(
            f"{where} can't be written: {error.strerror}.", "Run this as its owner, or name another TOYGRES_HOME."
        )
    return None


def require_room(home: Home) -> None:
    """Return when servers could begin to write. Raises Unavailable."""
    for folder in _folders(home):
        if shutil.disk_usage(folder).free < _LEAST_FREE_BYTES:
            raise _full(folder)


@contextmanager
def blamed(home: Home, *failures: type[ToygresError]) -> Iterator[None]:
    """When one of `failures` comes and the disk is full, raise that instead: it is what a person can mend."""
    try:
        yield
    except failures:
        require_room(home)
        raise


def _full(where: object) -> Unavailable:
    return Unavailable(
        f"The disk that holds {where} is full.", f"Free at least {_LEAST_FREE_BYTES // 2**20} MiB there, and try again."
    )


def _folders(home: Home) -> list[Path]:
    found = removal.find(home)
    return [folder for folder in (home.path, *found.inside, *found.outside) if folder.is_dir()]
