"""How long logins took."""

from __future__ import annotations

from toygres.store.migrations import beside

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two columns; the reasons stand in the SQL beside this file."""
    beside.run_sql_beside(__file__)


def downgrade() -> None:
    """Refused."""
    beside.refuse()
