"""Who signs servers' certificates, and what steps tell."""

from __future__ import annotations

from toygres.store.migrations import beside

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table and a column; the reasons stand in the SQL beside this file."""
    beside.run_sql_beside(__file__)


def downgrade() -> None:
    """Refused."""
    beside.refuse()
