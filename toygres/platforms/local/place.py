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
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypedDict

from toygres.errors import Misconfigured
from toygres.home import Home, write_private
from toygres.platforms.local.locks import locked

# A socket's whole path must fit into sockaddr_un, which is 104 bytes on macOS and 108 on Linux.
_MOST_SOCKETS_BYTES = 103 - len("/") - 24 - len("/.s.PGSQL.65535")
_LOCK_SECONDS = 30.0


class Tenant(StrEnum):
    """Whose place it is, which is also what its folder is called in a home that the tenant's user can enter.

    A superuser of an instance runs programs as the user of the instances' servers. As root the metadata DB has
    another user, so that those programs reach neither its files nor its processes.
    """

    INSTANCES = "servers"
    METADATA = "metadata"

    @property
    def user(self) -> str:
        """The system user of its servers when we are root: one that every passwd has."""
        return "nobody" if self is Tenant.INSTANCES else "daemon"

    def record(self, home: Home) -> Path:
        """Where the home keeps what was chosen."""
        return home.place if self is Tenant.INSTANCES else home.metadata_place


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


def find(home: Home, tenant: Tenant = Tenant.INSTANCES) -> Place:
    """The tenant's place; made at the first call, and the same for all tenants when we aren't root.

    Raises Misconfigured in a sentence when it can't be made (any more).
    """
    tenant = tenant if os.geteuid() == 0 else Tenant.INSTANCES
    home.make()
    user = _server_user(tenant)
    with _locked(home):
        record = _read(home, tenant)
        if not record.get("made"):
            record = _make(home, tenant, user, record)
    place = _place(home, tenant, user, record)
    _check_folder(place.root, place.owner, tenant.record(home))
    _make_folder(place.sockets, place)
    return place


def known(home: Home, tenant: Tenant) -> Place | None:
    """The tenant's place, if it was made for us who run this. Makes nothing. Raises Misconfigured."""
    tenant = tenant if os.geteuid() == 0 else Tenant.INSTANCES
    record = _read(home, tenant)
    return _place(home, tenant, _server_user(tenant), record) if record.get("made") else None


def forget(home: Home) -> None:
    """Delete the home's places with all data in them; absent is fine. Servers must have ended before."""
    if not home.path.is_dir():
        return
    with _locked(home):
        for tenant in Tenant:
            record = _read(home, tenant)
            if record:
                remove(_place(home, tenant, _server_user(tenant), record))
                tenant.record(home).unlink(missing_ok=True)


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


def _server_user(tenant: Tenant) -> ServerUser | None:
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(tenant.user)
    except KeyError:
        raise Misconfigured(
            f"PostgreSQL doesn't run as root, and this machine has no user '{tenant.user}' to run it as.",
            "Run Toygres as an ordinary user.",
        ) from None
    _check_user(tenant, entry.pw_uid)
    return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _check_user(tenant: Tenant, uid: int) -> None:
    """Refuse a uid that another tenant has too: two names for one user keep nobody apart."""
    taken = {0: "root"}
    for other in set(Tenant) - {tenant}:
        with suppress(KeyError):
            taken[pwd.getpwnam(other.user).pw_uid] = other.user
    if uid in taken:
        raise Misconfigured(
            f"The users '{tenant.user}' and '{taken[uid]}' of this machine are the same, with the uid {uid}.",
            "Give them uids of their own, or run Toygres as an ordinary user.",
        )


@contextmanager
def _locked(home: Home) -> Iterator[None]:
    with locked(home.path / "place.lock", _LOCK_SECONDS):
        yield


def _read(home: Home, tenant: Tenant) -> dict[str, Any]:
    path = tenant.record(home)
    try:
        record = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise Misconfigured(f"{path} can't be read as JSON.", "Restore it, or start with another TOYGRES_HOME.")
    return record


def _place(home: Home, tenant: Tenant, user: ServerUser | None, record: dict[str, Any]) -> Place:
    root = Path(record["root"]) if record.get("root") else home.path / tenant
    sockets = Path(record["sockets"]) if record.get("sockets") else root / "sockets"
    return Place(root=root, sockets=sockets, user=user, control=home.path)


def _make(home: Home, tenant: Tenant, user: ServerUser | None, record: dict[str, Any]) -> dict[str, Any]:
    """Choose, write down, make: in this order, so that a crash in between leaves nothing that nobody knows of."""
    path = tenant.record(home)
    for candidate in [record] if record else _candidates(home, tenant, user):
        write_private(path, json.dumps({**candidate, "made": False}))
        place = _place(home, tenant, user, candidate)
        try:
            _make_folder(place.root, place)
        except OSError:
            path.unlink()
            continue
        made = {**candidate, "made": True}
        write_private(path, json.dumps(made))
        return made
    raise Misconfigured(
        "There is no folder that PostgreSQL servers could live in.", "Make /var/lib or the temporary folder writable."
    )


def _candidates(home: Home, tenant: Tenant, user: ServerUser | None) -> Iterator[dict[str, Any]]:
    inside = home.path / tenant
    if user is None or all(_allows(user, folder, 1) for folder in inside.parents):
        yield {"root": None, "sockets": None if _fits(inside / "sockets") else str(Path("/tmp") / _fresh_name())}  # noqa: S108
        return
    for base in (Path("/var/lib"), Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108
        if all(_allows(user, folder, 1) for folder in (base / "x").parents):
            root = base / _fresh_name()
            yield {"root": str(root), "sockets": None if _fits(root / "sockets") else str(Path("/tmp") / _fresh_name())}  # noqa: S108


def _fits(folder: Path) -> bool:
    """Whether sockets can live below `folder`: short enough, and PostgreSQL and libpq split lists at commas."""
    name = os.fsencode(folder)
    return len(name) <= _MOST_SOCKETS_BYTES and not set(name) & set(b',"\\')


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


def _check_folder(folder: Path, owner: int, record: Path) -> None:
    try:
        found = folder.lstat()
    except FileNotFoundError:
        raise Misconfigured(
            f"The folder {folder}, which {record} names, is gone.",
            f"Restore it, or delete {record} to begin without its data.",
        ) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner:
        raise Misconfigured(f"{folder} isn't a folder that the servers' user owns.", "Give it back to that user.")
