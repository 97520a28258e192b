"""Tells a selector when a process ends: by its pidfd where the system has them, else by a thread that waits."""

from __future__ import annotations

import os
import select
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class End:
    """A descriptor that can be read once the process has ended."""

    pid: int
    descriptor: int

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.descriptor)


def wait(process: psutil.Process, seconds: float) -> bool:
    """Whether the process ended within `seconds`: it has when it is a zombie, however late its parent looks at it."""
    end = end_of(process)
    if end is None:
        return True
    try:
        return readable(end, seconds)
    finally:
        end.close()


def readable(end: End, seconds: float) -> bool:
    """Whether the end came within `seconds`."""
    poller = select.poll()
    poller.register(end.descriptor, select.POLLIN)
    return bool(poller.poll(seconds * 1000))


def end_of(process: psutil.Process) -> End | None:
    """The end of `process`, to be put into a selector; None when it has ended already."""
    try:
        end = End(process.pid, os.pidfd_open(process.pid))
    except ProcessLookupError:
        return None
    except (AttributeError, OSError):
        return by_thread(process)
    # A number that was given to another process between the look and now is no end of ours.
    if process.is_running():
        return end
    end.close()
    return None


def by_thread(process: psutil.Process) -> End:
    """The end of `process` for systems without pidfds, such as macOS; the thread stays until it ends."""
    receiver, sender = socket.socketpair()

    def wait() -> None:
        with sender, suppress(psutil.Error):
            process.wait()

    threading.Thread(target=wait, name=f"end-of-{process.pid}", daemon=True).start()
    return End(process.pid, receiver.detach())
