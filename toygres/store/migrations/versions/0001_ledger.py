"""The ledger: instances, operations, steps, events, and who may claim them."""

from __future__ import annotations

from toygres.store.migrations import beside

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table; the reasons stand in the SQL beside this file."""
    beside.run_sql_beside(__file__)


def downgrade() -> None:
    """Refused."""
    beside.refuse()
