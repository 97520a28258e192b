"""What workers tell of themselves, who leads, and what is counted."""

from __future__ import annotations

from pathlib import Path

from alembic import op

from toygres.errors import Bug

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add tables and columns; the reasons stand in the SQL beside this file."""
    driver = op.get_bind().connection.driver_connection
    if driver is None:
        raise Bug("a migration runs on a connection without a driver")
    # Without parameters, so that neither `%` nor `:` in it means anything.
    driver.execute(Path(__file__).with_suffix(".sql").read_text())


def downgrade() -> None:
    """Refused: a schema is never taken back, since operations in flight would be lost."""
    raise NotImplementedError("A schema is never taken back; restore the metadata DB from a backup instead.")
