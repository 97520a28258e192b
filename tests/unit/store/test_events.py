"""Events only grow, and a reader that resumes misses none."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from toygres.store import events
from toygres.store.session import Store

_TELL = "INSERT INTO toygres.events (project, actor, kind) VALUES ('default', 'tester', :kind)"


@pytest.mark.parametrize(
    "change", ["UPDATE toygres.events SET kind = 'x'", "DELETE FROM toygres.events", "TRUNCATE toygres.events"]
)
def test_an_event_can_not_be_changed(store: Store, change: str) -> None:
    store.run(_TELL, kind="first")
    with pytest.raises(DBAPIError, match="only grows"):
        store.run(change)
    assert [event.kind for event in events.after(store, "default", 0)] == ["first"]


def test_a_reader_stops_at_the_oldest_running_transaction_and_misses_nothing(store: Store) -> None:
    with store.transaction() as slow:
        slow.execute(text(_TELL), {"kind": "slow"})
        store.run(_TELL, kind="quick")
        assert events.after(store, "default", 0) == ()
    told = events.after(store, "default", 0)
    assert [event.kind for event in told] == ["slow", "quick"]
    assert events.after(store, "default", told[-1].position) == ()
