"""The processes of an instance: found by who they are, never by a number alone, and ended for certain."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

import psutil

from toygres.errors import Unavailable
from toygres.platforms.local.folder import opened
from toygres.platforms.local.layout import DATA, INSTANCES, PARTIAL, Layout
from toygres.platforms.local.place import Place
from toygres.platforms.local.process_ends import wait

# The name that the shell which becomes a server gives itself.
LAUNCHER = "toygres-server"

READY = "ready"
STOPPING = "stopping"

_FAST_SECONDS = 10.0
_IMMEDIATE_SECONDS = 3.0
_KILL_SECONDS = 5.0
_GONE = (psutil.NoSuchProcess, ProcessLookupError)


def pid_file(layout: Layout) -> list[str]:
    """The lines of `postmaster.pid`: pid, data, start, port, socket folder, address, memory key, status."""
    with suppress(FileNotFoundError, NotADirectoryError), opened(layout.place, INSTANCES, layout.id.hex, DATA) as data:
        return (data.read("postmaster.pid") or "").splitlines()
    return []


def status(layout: Layout) -> str:
    """What the server says of itself in `postmaster.pid`: starting, ready, stopping; empty when it doesn't yet."""
    lines = pid_file(layout)
    return lines[7].strip() if len(lines) > 7 else ""


def postmaster(layout: Layout) -> psutil.Process | None:
    """The server's first process, when the one that `postmaster.pid` names lives and is it."""
    lines = pid_file(layout)
    if not lines or not lines[0].strip().isdecimal():
        return None
    with suppress(psutil.Error):
        process = psutil.Process(int(lines[0]))
        if _lives(process, layout.place) and _is_postmaster(process, layout):
            return process
    return None


def leaders(layout: Layout) -> list[psutil.Process]:
    """Processes that are the server or about to be it, `postmaster.pid` or not."""
    return _all(layout.place, lambda process: _leads(process, layout))


def all_of(layout: Layout) -> list[psutil.Process]:
    """Every process of the instance: its server's, and commands that make or remove its data."""
    return _all(layout.place, lambda process: _is_any(process, layout))


def by_instance(layouts: Sequence[Layout]) -> dict[UUID, list[psutil.Process]]:
    """Every process of each of these instances that has any: one look at all that run, however many there are."""

    def whose(process: psutil.Process) -> Layout | None:
        return next((layout for layout in layouts if _is_any(process, layout)), None)

    found: dict[UUID, list[psutil.Process]] = {}
    for process in _all(layouts[0].place, lambda process: whose(process) is not None) if layouts else ():
        if layout := whose(process):
            found.setdefault(layout.id, []).append(process)
    return found


def leading(found: Iterable[psutil.Process], layout: Layout) -> list[psutil.Process]:
    """Those that are the server or about to be it."""
    return [process for process in found if _leads(process, layout)]


def send(process: psutil.Process, *signals: signal.Signals) -> None:
    """Signal this very process; one that has ended, or whose number is another's by now, is left alone."""
    with suppress(*_GONE), _held(process) as deliver:
        # While it is held its number can't change hands unseen.
        if process.is_running():
            for number in signals:
                deliver(number)


def stop_fast(processes: Iterable[psutil.Process]) -> None:
    """Tell servers to end open sessions and stop.

    A shell that hasn't become the server yet, and a server that hasn't set its handlers, ignore SIGINT but not SIGTERM.
    """
    for process in processes:
        send(process, signal.SIGTERM, signal.SIGINT)


def end(layout: Layout) -> None:
    """End all processes of the instance, the server's properly where it can be; returns once none is left.

    Raises Unavailable when some live on.
    """
    left = all_of(layout)
    leaders_left = leading(left, layout)
    stop_fast(leaders_left)
    wait_all(leaders_left, _FAST_SECONDS)
    for number, seconds in ((signal.SIGQUIT, _IMMEDIATE_SECONDS), (signal.SIGKILL, _KILL_SECONDS)):
        left = all_of(layout) if left else []
        for process in left:
            send(process, number)
        wait_all(left, seconds)
    if left := all_of(layout) if left else []:
        raise Unavailable(f"Process {left[0].pid} of the server can't be ended.", "It is tried again by itself.")


def end_preparations(layout: Layout) -> None:
    """End the commands that still make data of which nobody will know, since who began them died or lost its claim."""
    end_commands(layout.place, layout.anchor / PARTIAL)


def end_commands(place: Place, beginning: Path) -> None:
    """End the commands of the servers' user that were given a path which begins so."""
    left = _all(place, lambda process: _names(process, beginning))
    for process in left:
        send(process, signal.SIGKILL)
    wait_all(left, _KILL_SECONDS)


def wait_all(processes: Iterable[psutil.Process], seconds: float) -> None:
    """Until all have ended, or `seconds` are over."""
    until = time.monotonic() + seconds
    for process in processes:
        wait(process, max(0.0, until - time.monotonic()))


@contextmanager
def _held(process: psutil.Process) -> Iterator[Callable[[signal.Signals], None]]:
    """What signals `process`: through a pidfd where the system has them."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        raise
    except (AttributeError, OSError):
        yield process.send_signal
        return
    try:
        yield lambda number: signal.pidfd_send_signal(descriptor, number)
    finally:
        os.close(descriptor)


def _all(place: Place, chosen: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    """The living processes of the servers' user that are chosen."""
    return [
        process for process in psutil.process_iter() if _may_own(place, process.pid) and _fits(process, place, chosen)
    ]


def _fits(process: psutil.Process, place: Place, chosen: Callable[[psutil.Process], bool]) -> bool:
    # In this order: most are servers' own processes, which their titles rule out at once.
    with suppress(psutil.Error, OSError), process.oneshot():
        return chosen(process) and _lives(process, place)
    return False


def _may_own(place: Place, pid: int) -> bool:
    """Whether to look closer: reading what each process of the machine says of itself takes tens of milliseconds."""
    if sys.platform != "linux":
        return True
    try:
        return os.stat(f"/proc/{pid}").st_uid == place.owner  # noqa: PTH116 (a Path takes as long as the call)
    except OSError:
        return False


def _lives(process: psutil.Process, place: Place) -> bool:
    return process.uids().real == place.owner and process.status() != psutil.STATUS_ZOMBIE


def _is_any(process: psutil.Process, layout: Layout) -> bool:
    return _leads(process, layout) or _is_child(process, layout) or _makes_data(process, layout)


def _leads(process: psutil.Process, layout: Layout) -> bool:
    return _is_launcher(process, layout) or _is_postmaster(process, layout)


def _is_launcher(process: psutil.Process, layout: Layout) -> bool:
    command = _command(process)
    return command[3:5] == [LAUNCHER, str(layout.anchor)]


def _is_postmaster(process: psutil.Process, layout: Layout) -> bool:
    command = _command(process)
    return command[1:3] == ["-D", str(layout.data)] and command[0].endswith("/postgres")


def _is_child(process: psutil.Process, layout: Layout) -> bool:
    # A server's own processes show a title for a command; they stay in the data directory, even once it is gone.
    if not any(part.startswith("postgres:") for part in _command(process)[:1]):
        return False
    with suppress(psutil.Error, OSError):
        return process.cwd().removesuffix(" (deleted)") == str(layout.data)
    return False


def _makes_data(process: psutil.Process, layout: Layout) -> bool:
    return _names(process, layout.anchor / PARTIAL)


def _names(process: psutil.Process, beginning: Path) -> bool:
    return any(part.startswith(str(beginning)) for part in _command(process)[1:])


def _command(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error, OSError):
        return process.cmdline()
    return []
