"""Where servers live on this machine, and as whom: found once for a home, then written down in it."""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from toygres.errors import Misconfigured
from toygres.home import Home, write_private
from toygres.platforms.local.locks import locked

# A socket's whole path must fit into sockaddr_un, which is 104 bytes on macOS and 108 on Linux.
_MOST_SOCKETS_BYTES = 103 - len("/") - 24 - len("/.s.PGSQL.65535")
_UNPRIVILEGED_USER = "nobody"
_LOCK_SECONDS = 30.0


@dataclass(frozen=True)
class ServerUser:
    """Whom servers run as when we are root, since PostgreSQL refuses to run as root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Place:
    """The folders of one home's servers.

    `root` holds binaries and data, `sockets` a folder for each server's Unix socket; both belong to `user`
    (None: to ourselves). `control` is the home: what servers must not touch is kept there.
    """

    root: Path
    sockets: Path
    user: ServerUser | None
    control: Path

    @property
    def owner(self) -> int:
        """The uid that servers and their files have."""
        return self.user.uid if self.user else os.geteuid()

    @property
    def group(self) -> int:
        """The gid that servers and their files have."""
        return self.user.gid if self.user else os.getegid()


class Identity(TypedDict, total=False):
    """What makes `subprocess.Popen` run a command as the servers' user."""

    user: int
    group: int
    extra_groups: list[int]


def identity_kwargs(place: Place) -> Identity:
    """Arguments for `subprocess.Popen`; none when we aren't root."""
    if place.user is None:
        return {}
    return {"user": place.user.uid, "group": place.user.gid, "extra_groups": []}


def find(home: Home) -> Place:
    """The home's place; made at the first call. Raises Misconfigured in a sentence when it can't be (any more)."""
    home.make()
    user = _server_user()
    with _locked(home):
        record = _read(home)
        if not record.get("made"):
            record = _make(home, user, record)
    place = _place(home, user, record)
    _check_folder(place.root, place.owner, home)
    _make_folder(place.sockets, place)
    return place


def forget(home: Home) -> None:
    """Delete the home's place with all data in it; absent is fine. Servers must have ended before."""
    if not home.path.is_dir():
        return
    with _locked(home):
        record = _read(home)
        if record:
            remove(_place(home, _server_user(), record))
            home.place.unlink(missing_ok=True)


def remove(place: Place) -> None:
    """Delete the place's folders with all data in them."""
    for folder in (place.sockets, place.root):
        if folder.is_symlink() or not folder.is_dir() or folder.stat().st_uid not in (place.owner, os.geteuid()):
            continue
        shutil.rmtree(folder)


def reaches(user: ServerUser | None, path: Path) -> bool:
    """Whether `user` may go through every folder down to `path` and read and execute or enter it."""
    if user is None:
        return os.access(path, os.R_OK | os.X_OK)
    return all(_allows(user, folder, 1) for folder in path.parents) and _allows(user, path, 5)


def _allows(user: ServerUser, path: Path, bits: int) -> bool:
    try:
        found = path.stat()
    except OSError:
        return False
    shift = 6 if found.st_uid == user.uid else 3 if found.st_gid == user.gid else 0
    return (found.st_mode >> shift) & bits == bits


def _server_user() -> ServerUser | None:
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(_UNPRIVILEGED_USER)
    except KeyError:
        raise Misconfigured(
            f"PostgreSQL doesn't run as root, and this machine has no user '{_UNPRIVILEGED_USER}' to run it as.",
            "Run Toygres as an ordinary user.",
        ) from None
    return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


@contextmanager
def _locked(home: Home) -> Iterator[None]:
    with locked(home.path / "place.lock", _LOCK_SECONDS):
        yield


def _read(home: Home) -> dict[str, Any]:
    try:
        record = json.loads(home.place.read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise Misconfigured(f"{home.place} can't be read as JSON.", "Restore it, or start with another TOYGRES_HOME.")
    return record


def _place(home: Home, user: ServerUser | None, record: dict[str, Any]) -> Place:
    root = Path(record["root"]) if record.get("root") else home.path / "servers"
    sockets = Path(record["sockets"]) if record.get("sockets") else root / "sockets"
    return Place(root=root, sockets=sockets, user=user, control=home.path)


def _make(home: Home, user: ServerUser | None, record: dict[str, Any]) -> dict[str, Any]:
    """Choose, write down, make: in this order, so that a crash in between leaves nothing that nobody knows of."""
    for candidate in [record] if record else _candidates(home, user):
        write_private(home.place, json.dumps({**candidate, "made": False}))
        place = _place(home, user, candidate)
        try:
            _make_folder(place.root, place)
        except OSError:
            home.place.unlink()
            continue
        made = {**candidate, "made": True}
        write_private(home.place, json.dumps(made))
        return made
    raise Misconfigured(
        "There is no folder that PostgreSQL servers could live in.", "Make /var/lib or the temporary folder writable."
    )


def _candidates(home: Home, user: ServerUser | None) -> Iterator[dict[str, Any]]:
    inside = home.path / "servers"
    if user is None or all(_allows(user, folder, 1) for folder in inside.parents):
        short = len(os.fsencode(inside / "sockets")) <= _MOST_SOCKETS_BYTES
        yield {"root": None, "sockets": None if short else str(Path("/tmp") / _fresh_name())}  # noqa: S108
        return
    for base in (Path("/var/lib"), Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108
        if all(_allows(user, folder, 1) for folder in (base / "x").parents):
            root = base / _fresh_name()
            short = len(os.fsencode(root / "sockets")) <= _MOST_SOCKETS_BYTES
            yield {"root": str(root), "sockets": None if short else str(Path("/tmp") / _fresh_name())}  # noqa: S108


def _fresh_name() -> str:
    return f"toygres-{secrets.token_hex(4)}"


def _make_folder(folder: Path, place: Place) -> None:
    """Make `folder`, 0700 and the servers'; one that is there already must be a folder of ours."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (place.owner, os.geteuid()):
            raise Misconfigured(f"{folder} isn't a folder of Toygres'.", "Move it away and start again.") from None
        if found.st_uid == place.owner:
            return
    if place.owner != os.geteuid():
        _give(folder, place)


def _give(folder: Path, place: Place) -> None:
    """Through a descriptor, since the servers' user could put something else at a path that it may write to."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchown(descriptor, place.owner, place.group)
    finally:
        os.close(descriptor)


def _check_folder(folder: Path, owner: int, home: Home) -> None:
    try:
        found = folder.lstat()
    except FileNotFoundError:
        raise Misconfigured(
            f"The folder {folder}, which {home.place} names for the servers of {home.path}, is gone.",
            f"Restore it, or delete {home.place} to begin without its data.",
        ) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner:
        raise Misconfigured(f"{folder} isn't a folder that the servers' user owns.", "Give it back to that user.")
