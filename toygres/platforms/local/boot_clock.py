"""How much time has passed since something on this machine, whatever was done to its clock meanwhile."""

from __future__ import annotations

import math
import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# Goes on while the machine sleeps, where the system has it.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def stamp() -> str:
    """Now, to be kept and given to `age`: no spaces in it."""
    return f"{_boot()}:{time.clock_gettime(_CLOCK):.0f}"


def age(stamped: str) -> float:
    """Seconds since `stamped`; infinite when the machine was started anew since, as all its processes were."""
    boot, _, seconds = stamped.rpartition(":")
    if boot != _boot() or not seconds.isdecimal():
        return math.inf
    return time.clock_gettime(_CLOCK) - int(seconds)


def _boot() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
