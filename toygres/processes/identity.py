"""Knowing a process again: a pid alone may be another process's by now, a pid with its start never is."""

from __future__ import annotations

from pathlib import Path

import psutil


def started(pid: int) -> str | None:
    """What tells the process `pid` from every other that ever had the pid; None when there is none.

    On Linux the boot's ID and the ticks since boot (proc_pid_stat(5)), which no change of the clock moves.
    """
    try:
        if Path("/proc/sys/kernel/random/boot_id").exists():
            return _linux(pid)
        return str(psutil.Process(pid).create_time())
    except (OSError, psutil.Error):
        return None


def lives(pid: int, since: str) -> bool:
    """Whether the process that had `pid` and began at `since` still runs; a zombie doesn't."""
    if started(pid) != since:
        return False
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def wait_gone(pid: int, since: str, seconds: float) -> bool:
    """Wait at most `seconds` until that process has ended; whether it has. Wakes when it ends."""
    try:
        process = psutil.Process(pid)
        if not lives(pid, since):
            return True
        process.wait(seconds)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return not lives(pid, since)
    return True


def _linux(pid: int) -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    # The name before it may hold spaces and brackets, so count from its end.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return f"{boot}:{fields[19]}"
