"""Events only grow, and a reader that resumes misses none."""

from __future__ import annotations

import pytest
from psycopg import Error

from toygres.domain import ids
from toygres.store import events
from toygres.store.session import Store

_TELL = "INSERT INTO toygres.events (project, actor, kind) VALUES ('default', 'tester', %(kind)s)"


@pytest.mark.parametrize(
    "change", ["UPDATE toygres.events SET kind = 'x'", "DELETE FROM toygres.events", "TRUNCATE toygres.events"]
)
def test_an_event_can_not_be_changed(store: Store, change: str) -> None:
    store.run(_TELL, kind="first")
    with pytest.raises(Error, match="only grows"):
        store.run(change)
    assert [event.kind for event in events.after(store, "default")] == ["first"]


def test_a_reader_stops_at_the_oldest_running_transaction_and_misses_nothing(store: Store) -> None:
    with store.transaction() as slow:
        slow.execute(_TELL, {"kind": "slow"})
        store.run(_TELL, kind="quick")
        assert events.after(store, "default") == ()
    told = events.after(store, "default")
    assert [event.kind for event in told] == ["slow", "quick"]
    assert events.after(store, "default", told[-1].place) == ()


def test_a_transaction_that_began_first_and_tells_last_is_not_missed(store: Store) -> None:
    with store.transaction() as late:
        with store.transaction() as early:
            early.execute("SELECT pg_current_xact_id()")
            late.execute("SELECT pg_current_xact_id()")
            late.execute(_TELL, {"kind": "late transaction, first number"})
            early.execute(_TELL, {"kind": "early transaction, second number"})
        first = events.after(store, "default")
    rest = events.after(store, "default", first[-1].place)
    assert [event.kind for event in (*first, *rest)] == [
        "early transaction, second number",
        "late transaction, first number",
    ]


def test_a_resuming_reader_of_one_instance_sees_only_its_events(store: Store) -> None:
    store.run(_TELL, kind="of no instance")
    assert events.after(store, "default", instance=ids.new()) == ()
