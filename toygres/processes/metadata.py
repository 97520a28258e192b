"""The metadata DB that `up` brings itself: a PostgreSQL that is reached by its Unix socket only, without a password.

Its one role is called like the user that we run as, and `peer` lets that user in and nobody else.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import secrets
import signal
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil

from toygres.errors import Misconfigured
from toygres.home import Home
from toygres.platforms.local import binaries, commands, removal
from toygres.platforms.local.place import Place
from toygres.processes import identity, leftovers, outside
from toygres.processes.child import Command
from toygres.processes.table import row

_INITDB_SECONDS = 120.0
_REMOVE_SECONDS = 60.0
# Runs as the servers' user; $1 is the folder to make, the rest initdb's words.
_INITIALISE = 'data="$1" && shift && "$@" -D "$data" --no-sync && "$1" -D "$data" --sync-only'
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "io_method": "sync",
    "max_logical_replication_workers": "0",
    "max_wal_size": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}


@dataclass(frozen=True)
class Metadata:
    """The embedded metadata DB of one home."""

    home: Home
    place: Place

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self.place.root / "metadata"

    @property
    def sockets(self) -> Path:
        """The folder of its socket."""
        return self.place.sockets / "metadata"

    @property
    def url(self) -> str:
        """Where our processes find it; holds no secret."""
        return f"postgresql://{quote(_our_name(), safe='')}@/postgres?host={quote(str(self.sockets), safe='')}"

    def prepare(self) -> Command:
        """Make what is missing, end what an earlier `up` left running, and tell how to run it.

        Raises Misconfigured when it can't be made.
        """
        programs = binaries.bundled(self.place)
        try:
            self._remove_partials()
            if not self._initialised():
                self._initialise(programs)
            self.end_leftover()
            commands.run(self.place, ["mkdir", "-p", "-m", "0700", self.sockets], seconds=10)
        except (commands.CommandFailed, OSError) as failed:
            lines = "".join(f"\n    {line}" for line in getattr(failed, "output", ()))
            raise Misconfigured(f"The metadata DB in {self.data} can't be made: {failed}{lines}") from failed
        return self._command(programs)

    def ready(self) -> bool:
        """Whether it accepts clients, as it says itself in the eighth line of its postmaster.pid."""
        lines = self._pid_lines()
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def schema(self) -> str:
        """The version that this DB was last migrated to, as `note_schema` wrote it; empty when it never was."""
        try:
            return self._schema_note.read_text().strip()
        except OSError:
            return ""

    def note_schema(self, version: str) -> None:
        """Write the version down beside the data, so that it goes wherever a copy of the data goes."""
        commands.run(self.place, ["sh", "-c", 'cat >"$1"', "sh", self._schema_note], stdin=version, seconds=10)

    def end_leftover(self) -> None:
        """End the server that an `up` left here when it was killed; a pid file without a server is removed."""
        lines = self._pid_lines()
        pid = int(lines[0]) if lines and lines[0].strip().isdecimal() else 0
        since = identity.started(pid) if pid else None
        if since is not None and self._is_ours(pid):
            leftovers.end([(pid, since)], signal.SIGINT)
        # PostgreSQL refuses to start while any process at all has the pid in it.
        with contextlib.suppress(FileNotFoundError):
            (self.data / "postmaster.pid").unlink()

    def clear(self) -> None:
        """Remove the socket's folder, once the server has ended."""
        commands.run(self.place, ["rm", "-rf", self.sockets], seconds=10)

    @property
    def _schema_note(self) -> Path:
        return self.data / "toygres-schema"

    def _initialised(self) -> bool:
        try:
            found = self.data.lstat()
        except FileNotFoundError:
            return False
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != self.place.owner:
            raise Misconfigured(f"{self.data} isn't a folder of the metadata DB's.", "Move it away and start again.")
        return (self.data / "PG_VERSION").exists()

    def _remove_partials(self) -> None:
        """Remove what an `up` that was killed had begun; what its initdb still writes there goes at the next start."""
        if partials := list(self.place.root.glob(f"{self.data.name}.partial*")):
            with contextlib.suppress(commands.CommandFailed):
                commands.run(self.place, ["rm", "-rf", *partials], seconds=_REMOVE_SECONDS)

    def _initialise(self, programs: Path) -> None:
        """Make the data folder whole and durable, or not at all.

        Only we give it its name, once initdb has ended: an initdb that outlived its `up` can never get that far.
        """
        options = (
            f"--username={_our_name()} --encoding=UTF8 --locale=C --locale-provider=builtin "
            "--builtin-locale=C.UTF-8 --wal-segsize=4 --data-checksums --auth-local=peer --auth-host=reject "
            "--no-instructions"
        ).split()
        initdb = str(programs / "initdb")
        partial = self.data.with_name(f"{self.data.name}.partial-{secrets.token_hex(8)}")
        commands.run(self.place, ["sh", "-c", _INITIALISE, "sh", partial, initdb, *options], seconds=_INITDB_SECONDS)
        partial.rename(self.data)
        _sync(self.place.root)

    def _command(self, programs: Path) -> Command:
        settings = {**_SETTINGS, "unix_socket_directories": str(self.sockets)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        process = row("metadata")
        return Command(
            name=process.name,
            arguments=(str(programs / "postgres"), "-D", str(self.data), *options),
            folder=Path("/"),
            log=self.home.logs / f"{process.name}.log",
            environment=commands.environment(),
            user=(self.place.user.uid, self.place.user.gid) if self.place.user else None,
            stop_signal=process.stop_signal,
            death_signal=process.death_signal,
        )

    def _pid_lines(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except (OSError, ValueError):
            return []

    def _is_ours(self, pid: int) -> bool:
        """Whether the process is this DB's postmaster: by its user, its words and its folder, not by a file's word."""
        try:
            process = psutil.Process(pid)
            # The home may have been named by another path then.
            data = self.data.resolve()
            named = [Path(word).resolve() for flag, word in itertools.pairwise(process.cmdline()) if flag == "-D"]
            return set(process.uids()) == {self.place.owner} and named == [data] and process.cwd() == str(data)
        except (psutil.Error, OSError):
            return False


def find_data(home: Home) -> Path | None:
    """The data folder of the home's own metadata DB, whosever it is; None when none was made. Makes nothing."""
    found = removal.find(home)
    folders = [*found.inside, *(folder for folder in found.outside if removal.is_ours(folder, home))]
    return next((data for folder in folders if ((data := folder / "metadata") / "PG_VERSION").exists()), None)


def may_know_elsewhere(home: Home) -> bool:
    """Whether the home's own metadata DB may know instances on other platforms; asks nobody, and makes nothing."""
    return outside.platforms(home) != frozenset() and find_data(home) is not None


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _our_name() -> str:
    """What `peer` calls us: by the uid, whatever the environment says. Raises Misconfigured without a passwd entry."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise Misconfigured(f"The user with the uid {os.geteuid()} has no name.", "Give it a passwd entry.") from None
