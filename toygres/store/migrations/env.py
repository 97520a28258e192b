"""Alembic's entry: runs the versions in one transaction, on the connection that it is handed."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
connection.execute(text("CREATE SCHEMA IF NOT EXISTS toygres"))
context.configure(connection=connection, version_table_schema="toygres", version_table="schema_version")
with context.begin_transaction():
    context.run_migrations()
