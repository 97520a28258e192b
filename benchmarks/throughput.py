"""Six-step operations per second through the whole path, against bare Celery chains of six tasks that do nothing."""

from __future__ import annotations

import statistics
import time
from argparse import ArgumentParser, Namespace
from functools import partial

from benchmarks.frame.double import NAME
from benchmarks.frame.report import Bound, Figure, Report
from benchmarks.frame.samples import interleaved
from benchmarks.frame.stack import running_stack
from benchmarks.frame.throwaway import throwaway_home
from toygres.services import Services

LEAST_RATIO = 0.6
HOPS = 6


def add_options(parser: ArgumentParser) -> None:
    """How many pairs, and how many operations in each."""
    parser.add_argument("--pairs", type=int, default=5, help="interleaved pairs")
    parser.add_argument("--operations", type=int, default=200, help="operations, and chains, in each run")


def run(options: Namespace) -> Report:
    """Both over one broker and one worker of 16 threads, events on, in turns."""
    with throwaway_home() as home, running_stack(home, TOYGRES_PLATFORM=NAME) as stack:
        stack.worker("worker")
        # What it imports asks for the settings, which the stack has made.
        services = stack.services()
        try:
            pairs = interleaved(
                options.pairs,
                partial(_floor, services, options.operations),
                _Ours(services, options.operations),
                "throughput",
            )
        finally:
            services.close()
    rates = [options.operations / statistics.median(seconds) for seconds in (pairs.ours, pairs.floor)]
    return Report(
        bounds=(
            Bound(
                "rate of operations to rate of bare chains, median of pairs",
                1 / pairs.median_of_ratios,
                least=LEAST_RATIO,
            ),
        ),
        figures=(
            Figure("operations", rates[0], "per second"),
            Figure("bare chains of six", rates[1], "per second"),
            Figure("pairs", float(options.pairs)),
            Figure("operations in each run", float(options.operations)),
        ),
        notes=(
            "An operation here is an order (one transaction, one publish), six steps of one hop each on a platform "
            "that answers at once, and the record of each step. Orders are made in the process that "
            "measures, without HTTP.",
        ),
    )


def _floor(services: Services, count: int) -> float:
    from benchmarks.frame.orders import await_drained, bare_chains

    began = time.perf_counter()
    bare_chains(count, HOPS)
    await_drained(services)
    return time.perf_counter() - began


class _Ours:
    """Each run orders instances of new names."""

    def __init__(self, services: Services, count: int) -> None:
        self._services = services
        self._count = count
        self._runs = 0

    def __call__(self) -> float:
        """The seconds until all of them have ended."""
        from benchmarks.frame.orders import await_ended, order

        self._runs += 1
        names = [f"run{self._runs}-{number}" for number in range(self._count)]
        began = time.perf_counter()
        order(self._services, names)
        await_ended(self._services)
        return time.perf_counter() - began
