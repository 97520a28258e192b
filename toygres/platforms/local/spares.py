"""Data directories that are copied ahead: a create takes one by renaming it, and another is made in the background.

A spare is a copy of the template, whole and on disk, in which no role has a password. Its new name is the claim to
it, so none is taken twice; what isn't whole has another kind of name, and whoever makes spares next removes it.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import structlog

from toygres.platforms.local import cluster, template
from toygres.platforms.local.commands import CommandFailed, Interrupt, run
from toygres.platforms.local.folder import Folder, opened
from toygres.platforms.local.layout import SPARES
from toygres.platforms.local.locks import locked
from toygres.platforms.local.place import Place
from toygres.platforms.local.processes import end_commands

# While it is made, and again while it is removed.
_PARTIAL = "partial-"
_LOCK_SECONDS = 60.0
_REMOVE_SECONDS = 50.0

log = structlog.get_logger(__name__)


def ready(place: Place) -> list[str]:
    """The names of the spares that can be taken."""
    with suppress(FileNotFoundError), opened(place, SPARES) as spares:
        return [name for name in spares.names() if not name.startswith(_PARTIAL)]
    return []


def take(place: Place, binaries: Path, folder: Folder, name: str) -> bool:
    """Put a spare for this PostgreSQL into `folder`, under `name`; False when there is none."""
    kind = template.name_of(place, binaries)
    with suppress(FileNotFoundError), opened(place, SPARES) as spares:
        for spare in spares.names():
            # Another create may have been quicker.
            with suppress(FileNotFoundError, NotADirectoryError):
                if _kind(spare) == kind and _move(spares, spare, folder, name):
                    return True
    return False


def refill(place: Place, binaries: Path, count: int, kinds: Collection[str], interrupt: Interrupt) -> None:
    """Make spares for this PostgreSQL until there are `count`; one process at a time does it.

    Spares beyond it, and those that are of none of `kinds` (the templates' names), are removed. Raises
    CommandFailed and Unavailable.
    """
    kind = template.name_of(place, binaries)
    with locked(place.control / "spares.lock", _LOCK_SECONDS), opened(place) as root:
        root.make(SPARES)
        with root.inside(SPARES) as spares:
            mine = [name for name in spares.names() if _kind(name) == kind]
            unknown = [name for name in spares.names() if _kind(name) not in kinds]
            _remove(place, spares, [*mine[count:], *unknown])
            for _ in range(count - len(mine)):
                _make(place, binaries, spares, kind, interrupt)


def end_making(place: Place) -> None:
    """End the copies that a process which was killed has left running."""
    end_commands(place, place.root / SPARES / _PARTIAL)


def _make(place: Place, binaries: Path, spares: Folder, kind: str, interrupt: Interrupt) -> None:
    spare = f"{kind}.{secrets.token_hex(4)}"
    partial = f"{_PARTIAL}{spare}"
    folder = place.root / SPARES / partial
    # Made before any command knows of it: without a partial folder nobody has to be looked for.
    spares.make(partial)
    try:
        cluster.copy(place, binaries, folder, lowly=True, interrupt=interrupt)
        cluster.sync(place, binaries, folder, interrupt=interrupt)
        spares.rename(partial, spare)
        spares.sync()
    except BaseException:
        with suppress(CommandFailed):
            _remove(place, spares, [partial])
        raise
    log.info("spare_made", name=spare)


def _remove(place: Place, spares: Folder, names: Collection[str]) -> None:
    """Remove these; a name that says so comes first, lest somebody takes half of one."""
    for name in names:
        if not name.startswith(_PARTIAL):
            with suppress(FileNotFoundError):
                spares.rename(name, f"{_PARTIAL}{name}")
    partials = [place.root / SPARES / name for name in spares.names() if name.startswith(_PARTIAL)]
    if partials:
        end_making(place)
        run(place, ["rm", "-rf", "--", *partials], seconds=_REMOVE_SECONDS)


def _move(spares: Folder, spare: str, folder: Folder, name: str) -> bool:
    with spares.inside(spare):
        spares.move(spare, folder, name)
    return True


def _kind(spare: str) -> str:
    """The name of the template that a spare was copied from; a partial one is of no kind."""
    return spare.rpartition(".")[0]
