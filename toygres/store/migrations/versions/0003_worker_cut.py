"""When a worker last found its session lost."""

from __future__ import annotations

from toygres.store.migrations import beside

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column; the reasons stand in the SQL beside this file."""
    beside.run_sql_beside(__file__)


def downgrade() -> None:
    """Refused."""
    beside.refuse()
