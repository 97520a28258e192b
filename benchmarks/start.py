"""How long `up` takes until its page answers, and how much memory the idle control plane has."""

from __future__ import annotations

import statistics
import time
from argparse import ArgumentParser, Namespace

from benchmarks.frame.memory import MIB, pss, total_pss
from benchmarks.frame.report import Bound, Figure, Report, Table
from benchmarks.frame.samples import say
from benchmarks.frame.throwaway import Up, throwaway_home

FIRST_SECONDS = 12.0
SECONDS = 5.0
MEMORY_MIB = 350.0


def add_options(parser: ArgumentParser) -> None:
    """How often, and how long it idles before its memory is looked at."""
    parser.add_argument("--starts", type=int, default=5, help="starts on an existing home")
    parser.add_argument("--idle-seconds", type=float, default=10.0, help="idle time before memory is measured")


def run(options: Namespace) -> Report:
    """A first start, then starts of the same home; memory is measured after the last one."""
    with throwaway_home() as home:
        first, *later = _starts(Up(home), options.starts)
        up = Up(home)
        try:
            later.append(up.start())
            time.sleep(options.idle_seconds)
            table, total = _memory(up)
        finally:
            up.stop()
    return Report(
        bounds=(
            Bound("a first start until the page answers", first, most=FIRST_SECONDS, unit="s"),
            Bound("a later start until the page answers, median", statistics.median(later), most=SECONDS, unit="s"),
            Bound("memory of the idle control plane (sum of PSS)", total, most=MEMORY_MIB, unit="MiB"),
        ),
        figures=(Figure("the slowest later start", max(later), "s"),),
        tables=(table,),
        notes=("A first start is the first one of a home, with everything installed. 1 MiB is 2^20 bytes.",),
    )


def _starts(up: Up, later: int) -> list[float]:
    taken = []
    for number in range(later):
        taken.append(up.start())
        up.stop()
        say(f"start {number + 1} of {later + 1}: {taken[-1]:.2f} s")
    return taken


def _memory(up: Up) -> tuple[Table, float]:
    """What each process takes, and all of them together, in MiB."""
    rows = [
        (name, float(len(processes)), total_pss(processes) / MIB, max(pss(process) for process in processes) / MIB)
        for name, processes in up.processes().items()
    ]
    table = Table("Memory by process", ("process", "processes", "MiB", "largest MiB"), tuple(rows))
    return table, sum(row[2] for row in rows)
