"""Starting one process so that it can't outlive us, can't see our secrets, and writes into its own log."""

from __future__ import annotations

import ctypes
import functools
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None

# Settings reach the children in running.json, which is 0600; a variable could be read by more, and would win over it.
_OURS = ("TOYGRES_", "CELERY_", "FLOWER_", "GUNICORN_", "POSTGRES_")
_SECRET = frozenset({"DATABASE_URL", "DATABASE_URL_FILE", "REDIS_URL", "REDIS_URL_FILE", "PGPASSWORD"})
_LOG_BYTES = 20_000_000


@dataclass(frozen=True, kw_only=True)
class Command:
    """What to run, and how. `user` is (uid, gid), None for our own; `inherited` are descriptors to hand on."""

    name: str
    arguments: tuple[str, ...]
    folder: Path
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    user: tuple[int, int] | None = None
    inherited: tuple[int, ...] = ()
    stop_signal: Signals = signal.SIGTERM
    death_signal: Signals = signal.SIGTERM


def spawn(command: Command) -> subprocess.Popen[bytes]:
    """Start the command in a session of its own, away from the terminal's Ctrl-C. Raises OSError.

    The calling thread must live as long as the child: on Linux its end is what tells the child that we are gone.
    """
    uid, gid = command.user or (None, None)
    with os.fdopen(_open_log(command.log), "wb") as log:
        return subprocess.Popen(
            command.arguments,
            cwd=command.folder,
            env=command.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,
            user=uid,
            group=gid,
            extra_groups=None if uid is None else (),
            pass_fds=command.inherited,
            # It runs after the user has changed, which would forget the signal, and only makes some system calls.
            preexec_fn=functools.partial(_settle, os.getpid(), command.death_signal),  # noqa: PLW1509
        )


def environment(home: Path) -> dict[str, str]:
    """Our environment for the children: without any setting or secret but the home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS) and name not in _SECRET}
    return {**kept, "TOYGRES_HOME": str(home)}


def program(name: str) -> str:
    """The script `name` of the environment that we run in; `name` itself when there is none."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else name


def end_of(log: Path) -> int:
    """Where a log ends by now, in bytes: what is written from now on begins there."""
    try:
        return log.stat().st_size
    except OSError:
        return 0


def last_lines(log: Path, count: int = 12, *, since: int = 0) -> list[str]:
    """The end of a log, oldest line first; empty when there is none. `since`: only what came after that byte."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            # A log that is shorter than it was has been put aside, and all that is in the new one came after.
            begin = since if since <= size else 0
            file.seek(max(begin, size - 16_384))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except OSError:
        return []


def leave_no_core() -> None:
    """Have this process and its children leave no memory dump behind when they crash: it would hold passwords."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))


def _open_log(log: Path) -> int:
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _settle(parent: int, death_signal: Signals) -> None:
    leave_no_core()
    if _LIBC is None:
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
