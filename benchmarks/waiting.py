"""1,000 requests whose servers take 30 s each to become ready, behind one worker with 16 slots."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from benchmarks.frame.double import COUNTS, NAME, RELEASE, START
from benchmarks.frame.memory import MIB, pss
from benchmarks.frame.report import Bound, Figure, Report
from benchmarks.frame.samples import percentile, say
from benchmarks.frame.stack import Stack, await_that, running_stack
from benchmarks.frame.throwaway import throwaway_home
from toygres.services import Services

START_SECONDS = 30.0
HOPS_FACTOR = 1.5
MESSAGES_FACTOR = 1.05
IDLE_CORE_PERCENT = 5.0
SHORT_QUEUE_SECONDS = 1.0
# Six steps, one of which is looked at twice: before its server is ready, and when it is woken.
_MESSAGES = 7
_PATIENCE_SECONDS = 900.0
_SHORT_QUEUE = 20


def add_options(parser: ArgumentParser) -> None:
    """How many requests."""
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--idle-seconds", type=float, default=10.0, help="how long the CPU is watched while all wait")


def run(options: Namespace) -> Report:
    """All at once; then all held back together, to see what waiting costs; then few, to see how soon they go on."""
    count = options.requests
    with throwaway_home() as home, running_stack(home, TOYGRES_PLATFORM=NAME) as stack:
        hops = _bare_hops(stack, count)
    with throwaway_home() as home, running_stack(home, TOYGRES_PLATFORM=NAME) as stack:
        all_at_once = _all_at_once(stack, count, START_SECONDS)
    with throwaway_home() as home, running_stack(home, TOYGRES_PLATFORM=NAME) as stack:
        idle = _idle_core(stack, count, options.idle_seconds)
    with throwaway_home() as home, running_stack(home, TOYGRES_PLATFORM=NAME) as stack:
        few = _all_at_once(stack, _SHORT_QUEUE, 3.0)
    least = _MESSAGES * count
    return Report(
        bounds=(
            Bound(
                "until all are ready",
                all_at_once["seconds"],
                most=START_SECONDS + HOPS_FACTOR * hops,
                unit="s",
            ),
            Bound("messages to the least possible", all_at_once["messages"] / least, most=MESSAGES_FACTOR),
            Bound("of a core while all wait", idle, most=IDLE_CORE_PERCENT, unit="%"),
            Bound(
                "from ready to the next claim while the queue is short, p95",
                percentile(few["waits"], 95),
                most=SHORT_QUEUE_SECONDS,
                unit="s",
            ),
        ),
        figures=(
            Figure("requests", float(count)),
            Figure(f"bare no-op hops ({least:,})", hops, "s"),
            Figure("ordering them", all_at_once["submitted"], "s"),
            Figure("messages", all_at_once["messages"]),
            Figure("most slots busy at once", all_at_once["most_busy"]),
            Figure("transactions of the metadata DB for each instance", all_at_once["transactions"] / count),
            Figure("the worker's memory at the end (PSS)", all_at_once["memory"], "MiB"),
            Figure("from ready to the next claim, p50", percentile(all_at_once["waits"], 50), "s"),
            Figure("from ready to the next claim, p95", percentile(all_at_once["waits"], 95), "s"),
            Figure(f"the same with {_SHORT_QUEUE} requests, p50", percentile(few["waits"], 50), "s"),
        ),
        notes=(
            "The platform is a double: its servers become ready by the clock, and its watch tells so. Requests are "
            "made in the process that measures, without HTTP, on the same cores.",
        ),
    )


def _bare_hops(stack: Stack, count: int) -> float:
    """The seconds that as many messages take when nothing is done for them."""
    stack.worker("worker")
    services = stack.services()
    from benchmarks.frame.orders import await_drained, bare_chains

    try:
        began = time.perf_counter()
        bare_chains(count, _MESSAGES)
        await_drained(services)
        return time.perf_counter() - began
    finally:
        services.close()


def _all_at_once(stack: Stack, count: int, start_seconds: float) -> dict[str, Any]:
    """Order `count` instances whose servers start for so long, and wait until all are ready."""
    from benchmarks.frame.orders import await_ended, order

    counts = stack.home.path / "counts.json"
    stack.worker("worker", **{START: str(start_seconds), COUNTS: str(counts)})
    services = stack.services()
    try:
        before, began = _transactions(services), time.perf_counter()
        order(services, [f"waiting-{number}" for number in range(count)])
        submitted = time.perf_counter() - began
        say(f"{count} ordered in {submitted:.1f} s")
        await_ended(services, _PATIENCE_SECONDS)
        seconds = time.perf_counter() - began
        transactions = _transactions(services) - before
        told = _last_counts(counts)
        waits = _waits(services, told["ready"])
        say(f"all ended after {seconds:.1f} s, {told['messages']} messages")
    finally:
        services.close()
    return {
        "seconds": seconds,
        "submitted": submitted,
        "messages": float(told["messages"]),
        "most_busy": float(told["most_busy"]),
        "transactions": transactions,
        "memory": pss(stack.process("worker")) / MIB,
        "waits": waits,
    }


def _idle_core(stack: Stack, count: int, seconds: float) -> float:
    """Percent of a core that the worker takes while `count` instances wait and nothing else goes on."""
    from benchmarks.frame.orders import await_drained, await_ended, order

    release = stack.home.path / "release"
    stack.worker("worker", **{START: "held", RELEASE: str(release)})
    services = stack.services()
    try:
        order(services, [f"held-{number}" for number in range(count)])
        await_that("all to wait", lambda: _waiting(services) == count, _PATIENCE_SECONDS, 0.2)
        await_drained(services)
        worker = stack.process("worker")
        before = sum(worker.cpu_times()[:2])
        time.sleep(seconds)
        taken = sum(worker.cpu_times()[:2]) - before
        release.touch()
        await_ended(services, _PATIENCE_SECONDS)
    finally:
        services.close()
    say(f"{taken / seconds * 100:.1f} % of a core while {count} wait")
    return taken / seconds * 100


def _waiting(services: Services) -> int:
    row = services.store.one(
        """SELECT count(*) AS n FROM toygres.operations o JOIN toygres.steps s
           ON s.operation_id = o.id AND s.position = o.cursor
           WHERE o.ended_at IS NULL AND o.owner IS NULL AND s.name = 'await_server' AND s.looks > 0"""
    )
    return int(row.n) if row else 0


def _waits(services: Services, ready: dict[str, float]) -> list[float]:
    """From the moment that each server became ready until the step that waited for it was claimed."""
    rows = services.store.all(
        """SELECT instance_id::text AS instance, array_agg(extract(epoch FROM at)::float ORDER BY at) AS claims
           FROM toygres.events WHERE kind = 'step_claimed' AND step = 'await_server' GROUP BY instance_id"""
    )
    claims = {row.instance: row.claims for row in rows}
    return [next((at - came for at in claims[instance] if at >= came), 0.0) for instance, came in ready.items()]


def _transactions(services: Services) -> float:
    row = services.store.one("SELECT xact_commit AS n FROM pg_stat_database WHERE datname = current_database()")
    return float(row.n) if row else 0.0


def _last_counts(file: Path) -> dict[str, Any]:
    """What the worker has counted, once it has had the time to tell."""
    time.sleep(0.6)
    told: dict[str, Any] = json.loads(file.read_text())
    return told
