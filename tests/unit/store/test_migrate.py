"""The schema is brought up to date by one process at a time, and an older one is refused."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest
from alembic.script import ScriptDirectory

from toygres.errors import Misconfigured, Unavailable
from toygres.store import migrate, schema
from toygres.store.session import Store


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    assert migrate.upgrade(database_url) == migrate.upgrade(database_url)


def test_a_database_without_the_schema_is_refused_in_a_sentence(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA toygres CASCADE")
    store = Store(database_url)
    with pytest.raises(Misconfigured, match="toygres migrate"):
        schema.require_current(store)
    store.close()


def test_a_newer_schema_is_run_on(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE toygres.schema_version SET version_num = '9999'")
    assert migrate.upgrade(database_url) == "9999"
    store = Store(database_url)
    schema.require_current(store)
    store.close()


def test_a_database_that_does_not_answer_is_told_as_such() -> None:
    with pytest.raises(Unavailable):
        migrate.upgrade("postgresql://nobody@/none?host=/nowhere")


def test_the_versions_that_the_files_are_named_after_are_those_that_alembic_knows() -> None:
    revisions = ScriptDirectory.from_config(migrate.migrations()).walk_revisions()
    assert schema.known() == [revision.revision for revision in revisions]


@pytest.mark.parametrize("process", ["web.app", "worker.lifecycle", "toygres.processes.control_plane"])
def test_no_lasting_process_imports_what_only_migrating_needs(process: str) -> None:
    program = f"import sys, {process}; sys.exit(not sys.modules.keys().isdisjoint({{'alembic', 'sqlalchemy'}}))"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
