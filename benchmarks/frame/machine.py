"""What a run was made on: figures without their machine say nothing."""

from __future__ import annotations

import os
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One machine as it was before a run. `load_before` is the load average of the last minute."""

    cores: int
    cpu: str
    memory_mib: int
    kernel: str
    file_system: str
    python: str
    load_before: float

    def __str__(self) -> str:
        return (
            f"{self.cores} cores ({self.cpu}), {self.memory_mib} MiB memory, {self.kernel}, {self.file_system}, "
            f"Python {self.python}, load {self.load_before:.2f} before"
        )


def this_machine() -> Machine:
    """The machine that we run on, now."""
    return Machine(
        cores=_cores(),
        cpu=_cpu(),
        memory_mib=psutil.virtual_memory().total // 2**20,
        kernel=f"{platform.system()} {platform.release()}",
        file_system=_file_system(Path(tempfile.gettempdir())),
        python=platform.python_version(),
        load_before=os.getloadavg()[0],
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _file_system(folder: Path) -> str:
    """What kind of file system `folder` is on, where throw-away homes are made."""
    mounts = {partition.mountpoint: partition.fstype for partition in psutil.disk_partitions(all=True)}
    inside = folder.resolve()
    return next((mounts[str(path)] for path in (inside, *inside.parents) if str(path) in mounts), "unknown")
