"""What workers tell of themselves, who leads, and what is counted."""

from __future__ import annotations

from toygres.store.migrations import beside

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add tables and columns; the reasons stand in the SQL beside this file."""
    beside.run_sql_beside(__file__)


def downgrade() -> None:
    """Refused."""
    beside.refuse()
