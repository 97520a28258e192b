"""What each version of the schema does: run the SQL that stands beside its file, and never be taken back."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from alembic import op

from toygres.errors import Bug


def run_sql_beside(version: str) -> None:
    """Run the `.sql` file of the same name as the file `version`."""
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise Bug("a migration runs on a connection without a driver")
    # Without parameters, so that neither `%` nor `:` in it means anything.
    driver.execute(Path(version).with_suffix(".sql").read_text())


def refuse() -> NoReturn:
    """A schema is never taken back, since operations in flight would be lost."""
    raise NotImplementedError("A schema is never taken back; restore the metadata DB from a backup instead.")
