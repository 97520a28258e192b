"""Removes all that Toygres made on this machine for one home, and tells each thing; safe again after a crash."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from pydantic import SecretStr

from toygres import config
from toygres.errors import Conflict, Misconfigured
from toygres.home import Home
from toygres.platforms.local import removal as servers
from toygres.platforms.local import trees
from toygres.processes import contents, identity, leftovers, lock, outside, running
from toygres.processes.broker import Broker
from toygres.processes.control_plane import end_leftovers

_STOP_SECONDS = 15.0
_MOST_LINES = 3


def is_home(home: Home) -> bool:
    """Whether there is anything of Toygres' in the folder. Raises Misconfigured when it can't be looked into."""
    try:
        return any(contents.is_ours("", name) for name in os.listdir(home.path))  # noqa: PTH208 (names alone)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        raise Misconfigured(f"The home {home.path} can't be read.", "Run this as its owner, or as root.") from None


def count_instances(home: Home) -> int:
    """How many instances have data."""
    found = servers.find(home)
    return sum(servers.count_data(home, folder) for folder in _folders(home, found))


def stop_up(home: Home, say: Callable[[str], None]) -> None:
    """Stop the home's `up`, if one runs. Raises Conflict when it can't be stopped."""
    _Removal(home, say).stop_up()


def destroy(home: Home, say: Callable[[str], None]) -> bool:
    """Stop and remove everything, a line to `say` for each thing; whether all of it is gone.

    Raises Conflict while an `up` can't be stopped, and Unavailable when a server can't be ended.
    """
    removal = _Removal(home, say)
    removal.stop_up()
    with ExitStack() as stack:
        # On a read-only disk there is no lock to be had, and nothing can be removed either.
        with suppress(OSError):
            stack.enter_context(lock.only_up(home))
        removal.end_processes()
        removal.remove_outside()
        removal.remove_contents()
    removal.remove_home()
    removal.tell_external()
    return removal.complete


def _folders(home: Home, found: servers.Found) -> list[Path]:
    return [*found.inside, *(folder for folder in found.outside if servers.is_ours(folder, home))]


class _Removal:
    def __init__(self, home: Home, say: Callable[[str], None]) -> None:
        self._home = home
        self._say = say
        self._found = servers.find(home)
        self._notes = outside.read(home)
        self._kept: set[str] = set()
        self.complete = True

    def stop_up(self) -> None:
        found = running.find(self._home)
        if found is not None and found.lives:
            up = (found.pid, found.started)
        else:
            holder = lock.holder(self._home)
            up = (holder, identity.started(holder) or "") if holder else (0, "")
        if not up[0]:
            return
        leftovers.end([up], seconds=_STOP_SECONDS)
        if identity.lives(*up):
            raise Conflict(f"`toygres up` (process {up[0]}) can't be stopped.", "End it, and try again.")
        self._say(f"stopped  `toygres up`, process {up[0]}")

    def end_processes(self) -> None:
        with suppress(OSError):
            end_leftovers(self._home)
        if outside.BROKER in self._notes or self._home.broker.is_dir():
            with suppress(OSError):
                Broker(self._home).end_leftover()
        for folder in _folders(self._home, self._found):
            if ended := servers.end_servers(self._home, folder):
                self._say(f"stopped  {ended} server{'' if ended == 1 else 's'} of instances")

    def remove_outside(self) -> None:
        for folder in self._found.outside:
            self._remove_outside(folder, "servers' data, programs and sockets")
        if broker := self._notes.get(outside.BROKER):
            self._remove_outside(Path(broker), "the broker's socket")
        for record in self._found.unreadable:
            candidates = ", ".join(map(str, servers.candidates(self._home))) or "none that exists now"
            self._say(f"unclear  {record} can't be read; a folder that it may have named: {candidates}")

    def _remove_outside(self, folder: Path, what: str) -> None:
        if not os.path.lexists(folder):
            return
        if not servers.is_ours(folder, self._home):
            self._say(f"left     {folder}: it is named in a record, but isn't a folder that Toygres made")
        elif self._remove(folder, what):
            return
        else:
            # Who tries again must know where.
            self._kept |= set(contents.RECORDS)

    def remove_contents(self) -> None:
        self._make_writable()
        names = [name for name in self._names("") if name not in contents.RECORDS]
        for name in (*names, *contents.RECORDS):
            if name != self._home.lock.name and name not in self._kept:
                self._remove_entry("", name)

    def _remove_entry(self, folder: str, name: str) -> bool:
        """Remove one entry of the home or of a folder in it; whether it is gone."""
        path = self._home.path / folder / name
        if not os.path.lexists(path):
            return True
        if not contents.is_ours(folder, name):
            self._say(f"left     {path}: Toygres didn't make it")
            return False
        if folder:
            return self._remove(path, tell=False)
        if name in contents.OURS and stat.S_ISDIR(path.lstat().st_mode):
            # Every one of them, even when one is left.
            gone = [self._remove_entry(name, entry) for entry in self._names(name)]
            return all(gone) and self._remove(path)
        return self._remove(path)

    def _remove(self, path: Path, what: str = "", *, tell: bool = True) -> bool:
        left = trees.remove(path)
        for line in left[:_MOST_LINES]:
            self._say(f"left     {line}")
        if len(left) > _MOST_LINES:
            self._say(f"left     {path}: {len(left) - _MOST_LINES} more like these")
        if left:
            self.complete = False
        elif tell:
            self._say(f"removed  {path}{f' ({what})' if what else ''}")
        return not left

    def remove_home(self) -> None:
        path = self._home.path
        try:
            path.resolve().rmdir()
        except FileNotFoundError:
            return
        except OSError as failed:
            self._say(f"left     {path}: {_why_left(failed)}")
            return
        self._say(f"removed  {path}")
        if path.is_symlink():
            self._say(f"left     {path}: a link that Toygres didn't make")

    def tell_external(self) -> None:
        settings = _settings(self._home)
        database = self._notes.get(outside.DATABASE) or _told(settings.database_url if settings else None)
        redis = self._notes.get(outside.REDIS) or _told(settings.redis_url if settings else None)
        prefix = self._notes.get(outside.REDIS_PREFIX) or (settings.redis_prefix if settings else "toygres:")
        if database:
            self._say(f"left     the schema `toygres` in {database}; `DROP SCHEMA toygres CASCADE` there removes it")
        if redis:
            self._say(
                f"left     the keys that begin with `{prefix}` in {redis}; "
                f"`redis-cli --scan --pattern '{prefix}*' | xargs -r redis-cli unlink` there removes them"
            )

    def _names(self, folder: str) -> list[str]:
        try:
            return sorted(os.listdir(self._home.path / folder))  # noqa: PTH208 (names alone)
        except OSError:
            return []

    def _make_writable(self) -> None:
        """A home of our own that was made read-only is ours to remove all the same."""
        for name in ("", *contents.OURS):
            path = self._home.path / name
            with suppress(OSError):
                found = path.lstat()
                if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and found.st_mode & 0o700 != 0o700:
                    path.chmod(0o700)


def _settings(home: Home) -> config.Settings | None:
    try:
        return config.load(home=home.path)
    except Misconfigured:
        return None


def _why_left(failed: OSError) -> str:
    return "what is left lies in it" if failed.errno == errno.ENOTEMPTY else str(failed.strerror)


def _told(url: SecretStr | None) -> str:
    return outside.without_secrets(url.get_secret_value()) if url else ""
