"""The schema is brought up to date by one process at a time, and an older one is refused."""

from __future__ import annotations

import psycopg
import pytest

from toygres.errors import Misconfigured, Unavailable
from toygres.store import migrate
from toygres.store.session import Store


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    assert migrate.upgrade(database_url) == migrate.upgrade(database_url)


def test_a_database_without_the_schema_is_refused_in_a_sentence(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA toygres CASCADE")
    store = Store(database_url)
    with pytest.raises(Misconfigured, match="toygres migrate"):
        migrate.require_current(store)
    store.close()


def test_a_newer_schema_is_run_on(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE toygres.schema_version SET version_num = '9999'")
    assert migrate.upgrade(database_url) == "9999"
    store = Store(database_url)
    migrate.require_current(store)
    store.close()


def test_a_database_that_does_not_answer_is_told_as_such() -> None:
    with pytest.raises(Unavailable):
        migrate.upgrade("postgresql://nobody@/none?host=/nowhere")
