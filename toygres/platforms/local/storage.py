"""The data directory: made beside its place, renamed into it when it is whole and on disk."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from toygres.domain.instance import Credentials, InstanceSpec
from toygres.errors import Refused
from toygres.platforms.local import cluster, processes, spares
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
    partial = f"{PARTIAL}{fence}-{secrets.token_hex(4)}"
    try:
        with full_disk_refused(layout.place.root):
            _make(layout, fence, partial, binaries(), spec.database, credentials)
            _keep(layout, fence, partial)
    except BaseException:
        with suppress(CommandFailed):
            _delete(layout, [partial])
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
    with suppress(FileNotFoundError):
        if partials := [name for name in _entries(layout) if name.startswith(PARTIAL)]:
            processes.end_preparations(layout)
            _delete(layout, partials)


def _make(layout: Layout, fence: int, partial: str, binaries: Path, database: str, credentials: Credentials) -> None:
    """Make the folder `partial` a data directory that is whole and on disk, out of a spare where there is one."""
    roles = [cluster.superuser(credentials.user), cluster.monitor(credentials.monitor)]
    folder, spare = layout.anchor / partial, _begin(layout, fence, partial, binaries)
    if not spare:
        cluster.copy(layout.place, binaries, folder)
    cluster.set_up(layout.place, binaries, folder, roles, database, durably=spare)
    if not spare:
        cluster.sync(layout.place, binaries, folder)


def _begin(layout: Layout, fence: int, partial: str, binaries: Path) -> bool:
    """Take a spare, else make an empty folder; whether it was a spare."""
    with opened(layout.place, INSTANCES, layout.id.hex) as anchor:
        with passed(layout, fence):
            if spares.take(layout.place, binaries, anchor, partial):
                return True
        # Made before any command knows of it: without a partial folder nobody has to be looked for.
        anchor.make(partial)
        return False


def _keep(layout: Layout, fence: int, name: str) -> None:
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
