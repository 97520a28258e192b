"""Numbers that only grow and change nothing: they tell an operator how often something happened."""

from __future__ import annotations

from dataclasses import dataclass

from toygres.store.session import Store

# How often the sweep found a parked step due that no change of the platform's had woken before.
FOUND_PARKED = "found_parked"

_ADD = """
INSERT INTO toygres.counters AS c (name, value) VALUES (%(name)s, %(many)s)
ON CONFLICT (name) DO UPDATE SET value = c.value + excluded.value, last_at = toygres.toygres_now()
"""


@dataclass(frozen=True, kw_only=True)
class Count:
    """How often, and how many seconds ago for the last time (None: never)."""

    value: int
    seconds_ago: float | None


def add(store: Store, name: str, many: int) -> None:
    """Count `many` more."""
    store.run(_ADD, name=name, many=many)


def read(store: Store, name: str) -> Count:
    """The count so far."""
    row = store.one(
        """SELECT value, extract(epoch FROM toygres.toygres_now() - last_at)::float AS ago
           FROM toygres.counters WHERE name = %(name)s""",
        name=name,
    )
    return Count(value=row.value, seconds_ago=row.ago) if row else Count(value=0, seconds_ago=None)
