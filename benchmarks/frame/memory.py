"""What processes take of the memory: the sum of their proportional set sizes (PSS), so that nothing counts twice."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import psutil

MIB = 2**20


def pss(process: psutil.Process) -> int:
    """The bytes that a process takes, each shared page divided by those who share it; 0 once it has ended.

    macOS doesn't know it: there it is what the process has for itself alone.
    """
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        found = process.memory_full_info()
        return int(getattr(found, "pss", found.uss))
    return 0


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and all that descend from it."""
    return [process, *process.children(recursive=True)]


def total_pss(processes: Iterable[psutil.Process]) -> int:
    """The bytes that all of these take together."""
    return sum(pss(process) for process in processes)
