"""The data directory: made beside its place, renamed into it when it is whole and on disk."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from toygres.domain.instance import Credentials, InstanceSpec
from toygres.errors import Refused
from toygres.platforms.local import cluster, processes
from toygres.platforms.local.commands import CommandFailed, run
from toygres.platforms.local.fence import passed
from toygres.platforms.local.folder import opened
from toygres.platforms.local.layout import DATA, INSTANCES, PARTIAL, Layout
from toygres.platforms.local.refusals import credentials_missing, full_disk_refused

_REMOVE_SECONDS = 50.0


def apply(
    layout: Layout, fence: int, spec: InstanceSpec, binaries: Callable[[], Path], credentials: Credentials | None
) -> None:
    """Make the data directory unless it is there. Raises Refused when the credentials or space are missing."""
    with passed(layout, fence):
        names = _names(layout)
        if DATA in names:
            return
        if credentials is None:
            raise Refused(credentials_missing())
    clear(layout)
    partial = layout.anchor / f"{PARTIAL}{fence}-{secrets.token_hex(4)}"
    try:
        with full_disk_refused(layout.place.root):
            roles = [cluster.superuser(credentials.user), cluster.monitor(credentials.monitor)]
            cluster.make(layout.place, binaries(), partial, roles, spec.database)
            _take(layout, fence, partial.name)
    except BaseException:
        with suppress(CommandFailed):
            _delete(layout, [partial.name])
        raise


def remove(layout: Layout, fence: int) -> None:
    """Delete the data; absent is fine."""
    with passed(layout, fence):
        pass
    clear(layout)
    with suppress(FileNotFoundError):
        _delete(layout, [name for name in _entries(layout) if name.startswith(DATA)])


def clear(layout: Layout) -> None:
    """End and remove what an attempt that died has begun."""
    processes.end_preparations(layout)
    with suppress(FileNotFoundError):
        _delete(layout, [name for name in _entries(layout) if name.startswith(PARTIAL)])


def _take(layout: Layout, fence: int, name: str) -> None:
    with passed(layout, fence), opened(layout.place, INSTANCES, layout.id.hex) as anchor:
        anchor.rename(name, DATA)
        anchor.sync()


def _names(layout: Layout) -> list[str]:
    try:
        return _entries(layout)
    except FileNotFoundError:
        raise Refused(credentials_missing()) from None


def _entries(layout: Layout) -> list[str]:
    with opened(layout.place, INSTANCES, layout.id.hex) as anchor:
        return anchor.names()


def _delete(layout: Layout, names: list[str]) -> None:
    if names:
        run(layout.place, ["rm", "-rf", "--", *(layout.anchor / name for name in names)], seconds=_REMOVE_SECONDS)
