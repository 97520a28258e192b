"""How soon the steps of a worker that was killed, and of one that was frozen, are claimed by another one."""

from __future__ import annotations

import os
import signal
import statistics
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from uuid import UUID

from benchmarks.frame.double import HANG, NAME, RELEASE
from benchmarks.frame.report import Bound, Figure, Report
from benchmarks.frame.samples import percentile, say
from benchmarks.frame.stack import Stack, await_that, running_stack
from benchmarks.frame.throwaway import throwaway_home
from toygres.services import Services
from toygres.store.workers import LOCKED_AGAIN_SECONDS

KILLED_SECONDS = 3.0
FROZEN_SECONDS = 8.0
_CLAIMS = 16
_PATIENCE_SECONDS = 60.0


def add_options(parser: ArgumentParser) -> None:
    """How often each is tried."""
    parser.add_argument("--runs", type=int, default=3, help="workers killed, and workers frozen")


def run(options: Namespace) -> Report:
    """A worker with 16 claims is killed or frozen while another one is idle, again and again."""
    killed = [taken for _ in range(options.runs) for taken in _lost("killed", signal.SIGKILL)]
    frozen = [taken for _ in range(options.runs) for taken in _lost("frozen", signal.SIGSTOP)]
    return Report(
        bounds=(
            Bound(
                "from a kill to the next claim of each step, p95", percentile(killed, 95), most=KILLED_SECONDS, unit="s"
            ),
            Bound(
                "from a freeze to the next claim of each step, p95",
                percentile(frozen, 95),
                most=FROZEN_SECONDS,
                unit="s",
            ),
        ),
        figures=(
            Figure("killed, median", statistics.median(killed), "s"),
            Figure("killed, slowest", max(killed), "s"),
            Figure("frozen, median", statistics.median(frozen), "s"),
            Figure("frozen, slowest", max(frozen), "s"),
            Figure("claims lost to each", float(len(killed))),
        ),
    )


def _lost(what: str, order: signal.Signals) -> list[float]:
    with throwaway_home() as home, running_stack(home, TOYGRES_PLATFORM=NAME) as stack:
        services = stack.services()
        try:
            taken = _taken_over(stack, services, order)
        finally:
            services.close()
    say(f"{what}: {min(taken):.2f} to {max(taken):.2f} s")
    return taken


def _taken_over(stack: Stack, services: Services, order: signal.Signals) -> list[float]:
    """The seconds from the signal until each of the victim's steps was claimed by the other worker."""
    from benchmarks.frame.orders import order as order_instances

    release = stack.home.path / "release"
    stack.worker("victim", **{HANG: "1", RELEASE: str(release)})
    operations = order_instances(services, [f"victim-{number}" for number in range(_CLAIMS)])
    await_that("16 claims of the victim", _all_held(services), _PATIENCE_SECONDS)
    stack.worker("heir")
    # Nobody judges deaths by locks soon after the metadata DB began, when those of the living may not be back yet.
    await_that("a metadata DB that didn't begin just now", _is_settled(services), _PATIENCE_SECONDS)
    victim = stack.process("victim")
    began = _now(services)
    os.kill(victim.pid, order)
    try:
        await_that("their takeover", _all_claimed_since(services, operations, began), _PATIENCE_SECONDS)
    finally:
        if order is signal.SIGSTOP:
            release.touch()
            os.kill(victim.pid, signal.SIGCONT)
    return [_first_claim(services, operation, began) - began for operation in operations]


def _is_settled(services: Services) -> Callable[[], bool]:
    settled = "SELECT toygres.database_began_at() < clock_timestamp() - make_interval(secs => %(s)s) AS settled"
    return lambda: (row := services.store.one(settled, s=LOCKED_AGAIN_SECONDS)) is not None and bool(row.settled)


def _all_held(services: Services) -> Callable[[], bool]:
    held = """SELECT count(*) AS n FROM toygres.operations o JOIN toygres.steps s
              ON s.operation_id = o.id AND s.position = o.cursor
              WHERE o.owner IS NOT NULL AND s.name = 'apply_storage' AND s.state = 'running'"""
    return lambda: (row := services.store.one(held)) is not None and row.n == _CLAIMS


def _all_claimed_since(services: Services, operations: list[UUID], began: float) -> Callable[[], bool]:
    claimed = """SELECT count(DISTINCT operation_id) AS n FROM toygres.events
                 WHERE kind = 'step_claimed' AND at > to_timestamp(%(began)s) AND operation_id = ANY(%(operations)s)"""
    values = {"began": began, "operations": operations}
    return lambda: (row := services.store.one(claimed, **values)) is not None and row.n == len(operations)


def _first_claim(services: Services, operation: UUID, began: float) -> float:
    row = services.store.one(
        """SELECT extract(epoch FROM min(at))::float AS at FROM toygres.events
           WHERE kind = 'step_claimed' AND at > to_timestamp(%(began)s) AND operation_id = %(operation)s""",
        began=began,
        operation=operation,
    )
    return float(row.at) if row else time.time()


def _now(services: Services) -> float:
    row = services.store.one("SELECT extract(epoch FROM clock_timestamp())::float AS now")
    return float(row.now) if row else time.time()
