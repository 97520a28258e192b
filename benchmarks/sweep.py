"""What a sweep with nothing due takes while 10, 1,000 and 100,000 operations are open, and as many ended."""

from __future__ import annotations

import statistics
import time
from argparse import ArgumentParser, Namespace

from benchmarks.frame.report import Bound, Figure, Report, Table
from benchmarks.frame.samples import say
from benchmarks.frame.stack import running_stack
from benchmarks.frame.throwaway import throwaway_home
from toygres.store import sweeps
from toygres.store.claims import GRACE_SECONDS
from toygres.store.session import Store

MOST_MS = 2.0
_OPEN = (10, 1_000, 100_000)

_FILL = """
WITH made AS (
    INSERT INTO toygres.instances (id, project, name, platform, spec)
    SELECT toygres.new_id(), 'default', 'i' || n, 'double', '{}'
    FROM generate_series(CAST(%(first)s AS int), %(last)s) n
    RETURNING id
)
INSERT INTO toygres.operations (id, project, instance_id, kind, gives, gives_failed, gives_cancelled, nsteps,
    max_attempts, fence, due_at, ended_at, state, actor, request_id)
SELECT toygres.new_id(), 'default', made.id, 'create', 'ready', 'failed', 'deleted', 6, 5, 1,
    CASE WHEN state.open THEN toygres.toygres_now() + interval '5 minutes' END,
    CASE WHEN NOT state.open THEN toygres.toygres_now() END,
    CASE WHEN state.open THEN 'waiting' ELSE 'succeeded' END, 'benchmark', 'benchmark'
FROM made CROSS JOIN (VALUES (true), (false)) state(open)
"""


def add_options(parser: ArgumentParser) -> None:
    """How often it is measured."""
    parser.add_argument("--looks", type=int, default=200, help="sweeps at each size")


def run(options: Namespace) -> Report:
    """One statement on a metadata DB of its own; the round trip that every statement takes is measured beside it."""
    with throwaway_home() as home, running_stack(home) as stack:
        store = Store(stack.metadata.url, statement_seconds=0)
        try:
            store.run("INSERT INTO toygres.platforms (name, kind, identity) VALUES ('double', 'double', 'double')")
            rows = [_measure(store, size, options.looks) for size in _OPEN]
            plan = _plan(store)
        finally:
            store.close()
    return Report(
        bounds=(
            *(
                Bound(f"a sweep, {size:,} operations open, median", took, most=MOST_MS, unit="ms")
                for size, took, _, _ in rows
            ),
            Bound("sequential scans in its plan", float(plan.count("Seq Scan on operations")), most=0.0),
            Bound("conditions on the index of what is due", float(plan.count("operations_due")), least=1.0),
        ),
        figures=(Figure("sweeps at each size", float(options.looks)),),
        tables=(
            Table(
                "In ms", ("open", "median", "p95", "bare round trip"), tuple((f"{row[0]:,}", *row[1:]) for row in rows)
            ),
        ),
    )


def _measure(store: Store, size: int, looks: int) -> tuple[int, float, float, float]:
    """Open as many operations as are missing to `size`, then the median and p95 of a sweep, and a bare round trip."""
    have = store.one("SELECT count(*) AS n FROM toygres.instances")
    assert have is not None  # noqa: S101
    store.run(_FILL, first=have.n + 1, last=size)
    store.run("ANALYZE toygres.operations")
    sweep, bare = [], []
    for _ in range(looks):
        sweep.append(_timed(lambda: sweeps.take_due(store, None)))
        bare.append(_timed(lambda: store.one("SELECT 1")))
    say(f"{size:,} open: {statistics.median(sweep):.2f} ms")
    return size, statistics.median(sweep), statistics.quantiles(sweep, n=20)[-1], statistics.median(bare)


def _timed(act: object) -> float:
    assert callable(act)  # noqa: S101
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def _plan(store: Store) -> str:
    values = {"oldest_age": None, "grace": GRACE_SECONDS, "margin": 1.0, "limit": sweeps.AT_ONCE}
    return "\n".join(row[0] for row in store.all("EXPLAIN " + sweeps._SWEEP, **values))
