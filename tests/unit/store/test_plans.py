"""What the sweep costs doesn't grow with what is open or ended: each of its conditions uses the index."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import text

from toygres.store.session import Store
from toygres.store.sweeps import _SWEEP

_FILL = """
WITH instance AS (
    INSERT INTO toygres.instances (id, project, name, platform, spec)
    SELECT toygres.new_id(), 'default', 'i' || n, 'p', '{}' FROM generate_series(1, 30000) n RETURNING id
)
INSERT INTO toygres.operations (id, project, instance_id, kind, gives, gives_failed, gives_cancelled, nsteps,
    max_attempts, fence, due_at, actor, request_id, state, ended_at)
SELECT toygres.new_id(), 'default', id, 'create', 'ready', 'failed', 'deleted', 1, 5, 1,
    CASE WHEN even THEN now() + interval '5 minutes' ELSE NULL END, 'a', 'r',
    CASE WHEN even THEN 'waiting' ELSE 'succeeded' END, CASE WHEN even THEN NULL ELSE now() END
FROM (SELECT id, row_number() OVER () % 10 = 0 AS even FROM instance) AS made
"""


def _scans(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(found for child in node.get("Plans", ()) for found in _scans(child))]


def test_with_nothing_due_the_sweep_reads_nothing_but_the_index_of_what_is_due(store: Store) -> None:
    with store.transaction() as connection:
        connection.execute(text("INSERT INTO toygres.platforms (name, kind, identity) VALUES ('p', 'p', 'p')"))
        connection.execute(text(_FILL))
    with store.transaction() as connection:
        connection.execute(text("ANALYZE toygres.operations"))
    with store.transaction() as connection:
        values = {"oldest": None, "grace": 3.0, "limit": 500}
        plan = connection.execute(text("EXPLAIN (ANALYZE, FORMAT JSON) " + _SWEEP), values).scalar_one()
    scans = [node for node in _scans(plan[0]["Plan"]) if node.get("Relation Name") == "operations"]
    due = [node for node in scans if node.get("Index Name") == "operations_due"]
    assert len(due) == 2, json.dumps(plan, indent=1)
    assert all("due_at" in node["Index Cond"] for node in due)
    assert all("Scan" not in node["Node Type"] or "Seq" not in node["Node Type"] for node in scans)
    assert sum(node.get("Rows Removed by Filter", 0) for node in scans) == 0
