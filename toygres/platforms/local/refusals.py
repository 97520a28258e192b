"""The refusals that a person can mend, each in its own words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toygres.errors import DATA_OUT_FIRST, Cause, CauseCode, Refused
from toygres.platforms.local.commands import CommandFailed

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def full_disk_refused(folder: Path) -> Iterator[None]:
    """Turn a want of space under `folder` into Refused (DiskFull)."""
    try:
        yield
    except OSError as failed:
        if failed.errno not in _NO_SPACE:
            raise
        raise Refused(disk_full(folder, (str(failed.strerror),))) from failed
    except CommandFailed as failed:
        if not failed.disk_full:
            raise
        raise Refused(disk_full(folder, failed.output)) from failed


def disk_full(folder: Path, evidence: tuple[str, ...] = ()) -> Cause:
    """There is no space left."""
    return Cause(
        code=CauseCode.DISK_FULL,
        message=f"The disk that holds {folder} is full.",
        remedy="Free some space there, then order it again.",
        evidence=evidence,
    )


def credentials_missing() -> Cause:
    """The passwords are gone, so the data can't be given any."""
    return Cause(
        code=CauseCode.CREDENTIALS_MISSING,
        message="The instance's credentials are gone from the home.",
        remedy=DATA_OUT_FIRST,
    )


def storage_missing(folder: Path) -> Cause:
    """The data directory is gone."""
    return Cause(
        code=CauseCode.STORAGE_MISSING,
        message=f"The instance's data is gone from {folder}.",
        remedy="Restore the folder and start the instance, or delete it.",
    )


def version_missing(version: str, offered: tuple[str, ...]) -> Cause:
    """The programs of that PostgreSQL version aren't there (any more)."""
    return Cause(
        code=CauseCode.VERSION_MISSING,
        message=f"PostgreSQL {version} isn't installed here; there is {', '.join(offered) or 'none'}.",
        remedy="Install it, or name its bin folder in TOYGRES_PG_BINDIRS, and start again.",
    )
