"""What an operator is told about the workers together: who lives, what they lost, whether they take what waits."""

from __future__ import annotations

from toygres.errors import Unavailable
from toygres.store import counters, workers
from toygres.store.session import Store
from worker.queue import NEGLECTED_SECONDS

# What was found by the sweep before that is history.
_LATELY_SECONDS = 600.0


def tell_workers(store: Store) -> str:
    """How many workers live, and what of them is lost. Raises Unavailable when none lives."""
    crew = workers.living(store)
    if not crew.workers:
        raise Unavailable("No worker takes steps; what is ordered waits until one does.")
    found = counters.read(store, counters.FOUND_PARKED)
    return " ".join(
        part
        for part in (
            f"{crew.workers} alive, {crew.free} of {crew.slots} slots free.",
            f"{crew.hung} slots are lost to steps that don't return: the worker leaves when it lost a quarter."
            if crew.hung
            else "",
            f"The sweep looked {found.value} times at waiting steps that no change had woken, the last time "
            f"{found.seconds_ago:.0f} s ago: look for `observer_interrupted` in the workers' logs if they were ready."
            if found.seconds_ago is not None and found.seconds_ago < _LATELY_SECONDS
            else "",
        )
        if part
    )


def tell_queue(store: Store, age: float | None) -> str:
    """For how long the oldest message has waited, which is `age` seconds; None when none waits.

    Raises Unavailable when workers live that could take it and don't.
    """
    if age is None:
        return "Nothing waits."
    waits = f"The oldest step has waited for {age:.0f} s"
    crew = workers.living(store)
    if age < NEGLECTED_SECONDS or crew.idle_seconds < NEGLECTED_SECONDS or not crew.workers:
        return f"{waits}."
    if not crew.free:
        return f"{waits}: every slot is busy. Start more workers, or raise TOYGRES_WORKER_SLOTS."
    raise Unavailable(
        f"{waits}, and no worker has taken one for {crew.idle_seconds:.0f} s although {crew.free} slots are free. "
        "Workers listen again by themselves and are started anew within half a minute; else restart them. "
        "`celery -A worker inspect active_queues` shows what they listen to."
    )
