"""What the sweep costs doesn't grow with what is open: its condition uses the index."""

from __future__ import annotations

from sqlalchemy import text

from toygres.store.session import Store
from toygres.store.sweeps import _SWEEP


def test_the_sweep_reads_an_index_and_not_the_table(store: Store) -> None:
    with store.transaction() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = connection.execute(text("EXPLAIN " + _SWEEP), {"oldest": None, "grace": 3.0, "limit": 500}).scalars()
        told = "\n".join(plan)
    assert "Index Cond" in told, told
    assert "operations_due" in told, told
