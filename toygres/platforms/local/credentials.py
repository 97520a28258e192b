"""The instance's logins: a file in the home that only its owner can read, out of the servers' reach."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from toygres.domain.instance import Credentials, Login
from toygres.errors import Bug
from toygres.home import write_private
from toygres.platforms.local.commands import run
from toygres.platforms.local.fence import passed
from toygres.platforms.local.folder import opened
from toygres.platforms.local.layout import DATA, INSTANCES, Layout
from toygres.platforms.local.processes import end_preparations

_REMOVE_SECONDS = 30.0


def apply(layout: Layout, fence: int, chosen: Callable[[], Credentials]) -> None:
    """Keep what `chosen` gives unless credentials are kept already, and make the instance's folder."""
    with passed(layout, fence):
        if layout.credentials.exists():
            _make_anchor(layout)
            return
    # Outside the lock, since it may have to ask the metadata DB.
    credentials = chosen()
    with passed(layout, fence):
        _make_anchor(layout)
        if not layout.credentials.exists():
            _write(layout.credentials, credentials)


def read(layout: Layout) -> Credentials | None:
    """What is kept, or None."""
    try:
        stored = json.loads(layout.credentials.read_text())
    except FileNotFoundError:
        return None
    return Credentials(user=Login(**stored["user"]), monitor=Login(**stored["monitor"]))


def remove(layout: Layout, fence: int) -> None:
    """Forget the credentials and remove the instance's folder, in which nothing of worth may be left.

    Raises Bug when there are data in it.
    """
    with passed(layout, fence):
        _rename_anchor(layout)
        for file in files(layout):
            file.unlink()
    end_preparations(layout)
    run(layout.place, ["rm", "-rf", "--", layout.removed_anchor], seconds=_REMOVE_SECONDS)


def files(layout: Layout) -> list[Path]:
    """Every file that holds the instance's passwords."""
    kept = layout.credentials
    return [*kept.parent.glob(kept.name), *kept.parent.glob(f".{kept.name}.*")]


def _rename_anchor(layout: Layout) -> None:
    """By its new name nothing that comes late finds it."""
    with suppress(FileNotFoundError), opened(layout.place, INSTANCES) as instances:
        with instances.inside(layout.id.hex) as anchor:
            if DATA in anchor.names():
                raise Bug(f"the data of instance {layout.id} are still there")
        instances.rename(layout.id.hex, layout.removed_anchor.name)


def _make_anchor(layout: Layout) -> None:
    with opened(layout.place) as root:
        root.make(INSTANCES)
        with root.inside(INSTANCES) as instances:
            instances.make(layout.id.hex)
            instances.sync()


def _write(path: Path, credentials: Credentials) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    logins = {"user": credentials.user, "monitor": credentials.monitor}
    write_private(path, json.dumps({whose: _login(login) for whose, login in logins.items()}))
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _login(login: Login) -> dict[str, str]:
    return {"user": login.user, "password": login.password}
