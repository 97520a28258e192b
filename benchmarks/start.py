"""How long `up` takes until its page answers, and how much memory the idle control plane has."""

from __future__ import annotations

import statistics
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence

import psutil

from benchmarks.frame.bare_stack import BareStack
from benchmarks.frame.memory import MIB, total_pss
from benchmarks.frame.report import Bound, Figure, Report, Table
from benchmarks.frame.samples import interleaved, say
from benchmarks.frame.throwaway import Up, throwaway_home

FIRST_SECONDS = 12.0
SECONDS = 5.0
MEMORY_MIB = 350.0


def add_options(parser: ArgumentParser) -> None:
    """How often, and how long it idles before its memory is looked at."""
    parser.add_argument("--starts", type=int, default=5, help="starts on an existing home, each with its floor")
    parser.add_argument("--idle-seconds", type=float, default=10.0, help="idle time before memory is measured")


def run(options: Namespace) -> Report:
    """A first start, then starts of the same home in turns with the floor; memory is measured at the end."""
    with throwaway_home() as home, throwaway_home() as bare_home:
        up, bare = Up(home), BareStack(bare_home)
        first = _start_and_stop(up)
        say(f"first start: {first:.2f} s")
        _start_and_stop(bare)
        later = interleaved(options.starts, lambda: _start_and_stop(bare), lambda: _start_and_stop(up), "start")
        floor, _ = _idle(bare, options.idle_seconds)
        total, table = _idle(up, options.idle_seconds)
    return Report(
        bounds=(
            Bound("a first start until the page answers", first, most=FIRST_SECONDS, unit="s"),
            Bound("a later start until the page answers", statistics.median(later.ours), most=SECONDS, unit="s"),
            Bound("memory of the idle control plane", total, most=MEMORY_MIB, unit="MiB"),
        ),
        figures=(
            Figure("the slowest later start", max(later.ours), "s"),
            Figure("a later start: the floor", statistics.median(later.floor), "s"),
            Figure("a later start: ratio", later.ratio),
            Figure("memory: the floor", floor, "MiB"),
            Figure("memory: ratio", total / floor),
        ),
        tables=(table,),
        notes=(
            "Later starts are medians. A first start is the first one of a home, with everything installed. Memory is "
            "the sum of the proportional set sizes (PSS) of all processes, in MiB of 2^20 bytes. The floor is the same "
            "programs (PostgreSQL, Valkey, gunicorn, a Celery worker, Flower), started at once on a home that they "
            "know, with nothing of Toygres' in them.",
        ),
    )


def _start_and_stop(stack: Up | BareStack) -> float:
    try:
        return stack.start()
    finally:
        stack.stop()


def _idle(stack: Up | BareStack, seconds: float) -> tuple[float, Table]:
    """What it takes when it has run for so long, in MiB, and each process's part of it."""
    try:
        stack.start()
        time.sleep(seconds)
        return _memory(stack.processes())
    finally:
        stack.stop()


def _memory(processes: Mapping[str, Sequence[psutil.Process]]) -> tuple[float, Table]:
    taken = {name: (len(found), total_pss(found) / MIB) for name, found in processes.items()}
    rows = tuple((name, count, mib) for name, (count, mib) in taken.items())
    return sum(mib for _, mib in taken.values()), Table("Memory by process", ("process", "processes", "MiB"), rows)
