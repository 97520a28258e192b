"""What must be true after each rule, read from the ledger's rows and from what the platform's side wrote down."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from doubles import Effect
from faults.scene import ALL, OBJECTS
from worlds import World

from toygres.domain.instance import InstanceState

_OPERATIONS = """
SELECT o.*, toygres.toygres_now() AS now, (
    SELECT jsonb_agg(jsonb_build_object('position', s.position, 'name', s.name, 'state', s.state, 'undoes', s.undoes,
        'undo', s.undo, 'begun', s.first_claimed_at IS NOT NULL, 'attempts', s.attempts) ORDER BY s.position)
    FROM toygres.steps s WHERE s.operation_id = o.id) AS steps
FROM toygres.operations o ORDER BY o.id
"""
_EVENTS = """
SELECT count(*) AS n,
       md5(string_agg(md5(e::text), '' ORDER BY e.position) FILTER (WHERE e.position <= %(upto)s)) AS old,
       md5(string_agg(md5(e::text), '' ORDER BY e.position)) AS hash, max(e.position) AS last
FROM toygres.events e
"""
_ENDS = "SELECT operation_id, count(*) AS n FROM toygres.events WHERE kind = 'operation_ended' GROUP BY 1"
_OVER = {"done", "failed", "skipped", "undone"}


class Violated(AssertionError):
    """An invariant doesn't hold."""


def require(holds: object, sentence: str, *seen: object) -> None:
    """Raise Violated unless it holds."""
    if not holds:
        raise Violated(f"{sentence}: {seen}")


@dataclass
class Watch:
    """What was seen so far, and mustn't change."""

    world: World
    ended: dict[UUID, Any] = field(default_factory=dict)
    last_event: int = 0
    events_hash: str | None = None
    effects: list[Effect] = field(default_factory=list)

    def look(self) -> list[Any]:
        """Check everything; every operation as its row says."""
        rows = list(self.world.store.all(_OPERATIONS))
        _one_open(rows)
        cleaned_up = {row.retry_of for row in rows if row.kind == "cleanup"}
        for row in rows:
            _in_order(row)
            _truly_ended(row)
            if row.state in ("failed", "cancelled") and row.id not in cleaned_up:
                _wholly_undone(row)
            self._stays_ended(row)
        self._events_only_append()
        self._effects_in_order()
        return rows

    def _stays_ended(self, row: Any) -> None:
        if row.ended_at is None:
            require(row.id not in self.ended, "an operation that had ended is open", row)
            return
        seen = (row.state, row.ended_at, row.cause, row.revision, row.steps)
        require(self.ended.setdefault(row.id, seen) == seen, "an operation changed after its end", row)

    def _events_only_append(self) -> None:
        found = self.world.store.one(_EVENTS, upto=self.last_event)
        assert found is not None
        require(found.old == self.events_hash, "events that were there have changed", self.last_event)
        self.last_event, self.events_hash = found.last or 0, found.hash
        for row in self.world.store.all(_ENDS):
            require(row.n == 1, "an operation ended more than once", row)

    def _effects_in_order(self) -> None:
        """Of one object, no claim undoes or repeats what a later claim has done."""
        for effect in self.world.platform.effects[len(self.effects) :]:
            before = [e for e in self.effects if (e.instance, e.kind) == (effect.instance, effect.kind)]
            if before:
                require(before[-1].verb != effect.verb, "an effect happened twice", before[-1], effect)
                require(before[-1].fence <= effect.fence, "an older claim acted after a newer one", before[-1], effect)
            self.effects.append(effect)

    def quiet(self) -> None:
        """Everything has ended, and every instance is what its row says."""
        for row in self.look():
            require(row.ended_at is not None, "an operation never ends", row)
        for row in self.world.store.all("SELECT id, state, endpoint, available FROM toygres.instances"):
            kept = sorted(self.world.platform.kept.get(row.id, {}))
            expected = OBJECTS.get(InstanceState(row.state))
            require(kept == expected, f"an instance that is {row.state} has other objects", kept)
            require((row.endpoint is not None) == (expected != []), f"the endpoint of a {row.state} one", row)
            require(not row.available or kept == ALL, "what isn't there is called available", row, kept)


def _one_open(rows: list[Any]) -> None:
    open_ones = Counter(row.instance_id for row in rows if row.ended_at is None)
    require(max(open_ones.values(), default=0) <= 1, "two operations of an instance are open", open_ones)


def _in_order(row: Any) -> None:
    """No step was begun before its predecessors were done, no undo before what it follows, no step after an undo."""
    steps = [step for step in row.steps if step["undoes"] is None]
    undos = [step for step in row.steps if step["undoes"] is not None]
    for part in (steps, undos):
        for before, step in itertools.pairwise(part):
            done = before["state"] in ("done", "undone")
            require(done or not step["begun"], "a step began before its predecessor was done", before, step)
    running = [step["position"] for step in row.steps if step["state"] == "running"]
    require(running == ([row.cursor] if row.owner is not None else []), "what runs isn't what is claimed", row)
    if undos:
        require(all(step["state"] in _OVER for step in steps), "a step is open that is being undone", row)
        require(row.outcome != "succeeded", "undos of an operation that goes on", row)
        undone = [step["undoes"] for step in undos]
        require(undone == sorted(undone, reverse=True), "steps aren't undone newest first", undone)


def _truly_ended(row: Any) -> None:
    states = {step["state"] for step in row.steps}
    if row.state == "succeeded":
        require(states <= {"done"}, "an operation succeeded without all its steps", row)
        require(row.cancel_requested_at is None, "an operation succeeded that was told to cancel", row)
    elif row.ended_at is not None:
        require(states <= _OVER, "an operation ended and its steps didn't", row)


def _wholly_undone(row: Any) -> None:
    undone = {step["undoes"] for step in row.steps if step["state"] == "done"} - {None}
    begun = {step["position"] for step in row.steps if step["begun"] and step["undo"]}
    require(begun == undone, "a step that was begun wasn't undone, or one that wasn't was", row)
