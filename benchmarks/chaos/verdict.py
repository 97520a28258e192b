"""What is left when all is quiet: operations that didn't end, orphans, double effects, and how long takeovers took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass

from benchmarks.chaos.faults import Strike
from benchmarks.chaos.plan import Kind
from benchmarks.chaos.recorder import postmasters
from benchmarks.frame.stack import await_that
from toygres.domain.instance import Instance, InstanceState
from toygres.errors import Unavailable
from toygres.platforms.local import place
from toygres.platforms.local.layout import all_ids
from toygres.services import Services
from toygres.store import instances
from toygres.store.session import Store

_LOOK_SECONDS = 0.2
_GONE = (InstanceState.DELETED, InstanceState.FAILED)
_NEXT_CLAIM = """
SELECT extract(epoch FROM min(at))::float AS at FROM toygres.events
WHERE operation_id = %(operation)s AND kind = 'step_claimed' AND at > to_timestamp(%(after)s)
"""
_DONE_TWICE = """
SELECT operation_id::text AS operation, step, count(*) AS n FROM toygres.events
WHERE kind = 'step_done' GROUP BY operation_id, step HAVING count(*) > 1
"""
_INSTANCES = f"SELECT {instances.COLUMNS} FROM toygres.instances i"  # noqa: S608 (constants of ours)
_OPEN = "SELECT count(*) AS n FROM toygres.operations WHERE ended_at IS NULL AND kind <> 'cleanup'"


@dataclass(frozen=True, kw_only=True)
class Quiet:
    """How it ended: seconds until no operation was open, or None when some are still."""

    seconds: float | None
    open: int


def await_answer(database_url: str, most_seconds: float) -> float:
    """Return once the metadata DB answers; the seconds that it took."""

    def answers() -> bool:
        with suppress(Unavailable), closing(Store(database_url, connections=1)) as store:
            return store.one("SELECT 1") is not None
        return False

    return await_that("an answer of the metadata DB", answers, most_seconds, _LOOK_SECONDS)


def await_quiet(store: Store, most_seconds: float, *, already: float = 0.0) -> Quiet:
    """Wait until no operation is open, `already` seconds after the last fault."""
    began = time.monotonic() - already
    left = -1
    while (passed := time.monotonic() - began) < most_seconds:
        try:
            row = store.one(_OPEN)
            left = int(row.n) if row else -1
        except Unavailable:
            left = -1
        if left == 0:
            return Quiet(seconds=passed, open=0)
        time.sleep(_LOOK_SECONDS)
    return Quiet(seconds=None, open=left)


def orphans(services: Services) -> list[str]:
    """Everything that is there and shouldn't be, or isn't and should."""
    where = place.find(services.settings.home_folder)
    found = list(_instances(services.store))
    running = postmasters(where)
    told = [trouble for instance in found for trouble in _of_instance(services, instance, running)]
    known = {instance.id for instance in found if instance.state not in _GONE}
    told += [f"a folder of {unknown}, which isn't there" for unknown in all_ids(where) if unknown not in known]
    hexes = {instance.id.hex for instance in found if instance.state is InstanceState.READY}
    told += [f"a server of {unknown}: {pids}" for unknown, pids in running.items() if unknown not in hexes]
    return told


def _of_instance(services: Services, instance: Instance, running: dict[str, list[int]]) -> Iterator[str]:
    objects = services.platform(instance.platform).objects(instance.id)
    if instance.state in _GONE:
        if objects:
            yield f"{instance.name} is {instance.state}, and there is {', '.join(objects)}"
        return
    if not any("credentials" in found for found in objects):
        yield f"{instance.name} is {instance.state} without credentials"
    servers = len(running.get(instance.id.hex, []))
    if servers != (instance.state is InstanceState.READY):
        yield f"{instance.name} is {instance.state} with {servers} servers"


def done_twice(store: Store) -> list[str]:
    """Steps that were recorded as done more than once."""
    return [f"{row.step} of {row.operation} was done {row.n} times" for row in store.all(_DONE_TWICE)]


def takeovers(store: Store, strikes: list[Strike]) -> list[float]:
    """The seconds from each kill until the next claim of each step that the victim held and that was claimed again."""
    taken = []
    for strike in strikes:
        if strike.fault.kind is Kind.KILL_WORKER:
            for operation in strike.held:
                row = store.one(_NEXT_CLAIM, operation=operation, after=strike.at)
                if row is not None and row.at is not None:
                    taken.append(float(row.at) - strike.at)
    return taken


def count_operations(store: Store) -> dict[str, int]:
    """How many operations ended how."""
    rows = store.all("SELECT state, count(*) AS n FROM toygres.operations GROUP BY state ORDER BY state")
    return {row.state: int(row.n) for row in rows}


def _instances(store: Store) -> Iterator[Instance]:
    for row in store.all(_INSTANCES):
        yield instances.from_row(row)
