"""Whether session locks and LISTEN can be counted on, tried on the metadata DB itself and behind a pooler's like."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from toygres.errors import Unavailable
from toygres.store import directness
from toygres.store.directness import Directness
from toygres.store.session import Store


class Shared:
    """What each client of a pooler that pools transactions has: a session of its own by name, of all by deed."""

    def __init__(self, server: psycopg.Connection) -> None:
        self._server = server
        # The pooler's own number for its client.
        self.info = SimpleNamespace(backend_pid=-1)

    def execute(self, *given: Any) -> Any:
        return self._server.execute(*given)

    def notifies(self, **_: Any) -> list[Any]:
        """A pooler doesn't hand on what nobody asked for."""
        return []

    def close(self) -> None:
        """The server's session goes on."""


def test_a_direct_connection_keeps_locks_and_hears(store: Store) -> None:
    assert directness.try_out(store) == Directness(pooled=False, locks=True, listens=True)


def test_nothing_is_left_of_the_try(store: Store) -> None:
    directness.try_out(store)
    assert store.all("SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 7400002") == []


def test_behind_a_pooler_locks_keep_nobody_out_and_nothing_is_heard(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.direct() as server:
        monkeypatch.setattr(store, "direct", lambda _name: Shared(server))
        assert directness.try_out(store) == Directness(pooled=True, locks=False, listens=False)


def test_a_pooler_that_keeps_sessions_apart_takes_nothing_away(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directness, "_is_pooled", lambda _connection: True)
    assert directness.try_out(store) == Directness(pooled=True, locks=True, listens=True)


def test_a_db_that_goes_away_meanwhile_is_unavailable(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(connection: psycopg.Connection) -> bool:
        store.run("SELECT pg_terminate_backend(%(pid)s)", pid=connection.info.backend_pid)
        connection.execute("SELECT 1")
        raise AssertionError("it lives")

    monkeypatch.setattr(directness, "_is_pooled", cut)
    with pytest.raises(Unavailable, match="broke off"):
        directness.try_out(store)
