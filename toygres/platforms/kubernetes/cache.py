"""What is known of all instances' objects, as the watches tell it: written by their threads, read by any."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from toygres.platforms.kubernetes.causes.seen import Object, Seen, is_ending, uid
from toygres.platforms.kubernetes.labels import instance_id_of
from toygres.platforms.kubernetes.remembered import Events, Exits
from toygres.platforms.kubernetes.slim import slim

_EVENT, _POD = "Event", "Pod"
_CHANGES = frozenset({"ADDED", "MODIFIED", "DELETED"})
_FIELDS = {"StatefulSet": "stateful_set", "PersistentVolumeClaim": "volume_claim", "Service": "service"}


class Cache:
    """Slim objects by kind and UID, and whose they are. Objects in it are never changed, only replaced by others.

    Several may share their memory of `exits`.
    """

    def __init__(self, exits: Exits | None = None) -> None:
        self._lock = threading.Lock()
        self._objects: dict[str, dict[str, Object]] = defaultdict(dict)
        self._of_instance: dict[UUID, dict[str, set[str]]] = {}
        self._events = Events()
        self._exits = exits or Exits()

    def apply(self, kind: str, event: Mapping[str, Any]) -> set[UUID]:
        """Take in what a watch of that kind of object (`Pod`, `Event`, …) told: the instances that it changed.

        `event` has `type` and `object`; whatever is neither ADDED, MODIFIED nor DELETED changes nothing. The answer to
        an apply may be taken in just so (MODIFIED): what the watch says later of an older generation doesn't count.
        """
        change = event["type"]
        if change not in _CHANGES:
            return set()
        kept = slim(kind, event["object"])
        with self._lock:
            if change == "DELETED":
                return self._gone(kind, kept)
            return set() if self._is_late(kind, kept) else self._there(kind, kept)

    def replace(self, kind: str, objects: Iterable[Mapping[str, Any]]) -> set[UUID]:
        """Take in a whole list of that kind: the instances of which something differs from what was known.

        What isn't in the list is gone.
        """
        listed = [slim(kind, found) for found in objects]
        still = {uid(found) for found in listed}
        with self._lock:
            changed: set[UUID] = set()
            for known in self._known(kind):
                if uid(known) not in still:
                    changed |= self._gone(kind, known)
            for found in listed:
                changed |= self._there(kind, found)
            return changed

    def seen(self, instance_id: UUID) -> Seen:
        """All that is known of an instance."""
        with self._lock:
            found = {kind: self._found(instance_id, kind) for kind in (_POD, *_FIELDS)}
            uids = [uid(each) for objects in found.values() for each in objects]
            return Seen(
                pods=tuple(found[_POD]),
                events=tuple(self._events.of(uids)),
                exits=self._exits.of(uids),
                **{field: _best(found[kind]) for kind, field in _FIELDS.items()},
            )

    def _known(self, kind: str) -> list[Object]:
        return self._events.all() if kind == _EVENT else list(self._objects[kind].values())

    def _found(self, instance_id: UUID, kind: str) -> list[Object]:
        objects = self._objects[kind]
        return [objects[each] for each in self._of_instance.get(instance_id, {}).get(kind, ())]

    def _is_late(self, kind: str, found: Object) -> bool:
        known = self._objects[kind].get(uid(found))
        return known is not None and _generation(known) > _generation(found)

    def _there(self, kind: str, found: Object) -> set[UUID]:
        if kind == _EVENT:
            about = str(found["involvedObject"].get("uid", ""))
            return self._instances_of(about) if self._events.add(found) else set()
        before = self._objects[kind].get(uid(found))
        if before is not None and _alike(before, found):
            self._objects[kind][uid(found)] = found
            return set()
        left = self._forget(kind, before) if before is not None else set()
        return left | self._keep(kind, found)

    def _keep(self, kind: str, found: Object) -> set[UUID]:
        instance_id = instance_id_of(found["metadata"])
        if instance_id is None:
            return set()
        self._objects[kind][uid(found)] = found
        self._of_instance.setdefault(instance_id, {}).setdefault(kind, set()).add(uid(found))
        self._events.known(uid(found))
        if kind == _POD:
            self._exits.add(found)
        return {instance_id}

    def _gone(self, kind: str, found: Object) -> set[UUID]:
        if kind == _EVENT:
            self._events.remove(found)
            return set()
        changed = self._forget(kind, found)
        self._events.forget(uid(found))
        self._exits.forget(uid(found))
        return changed

    def _forget(self, kind: str, found: Object) -> set[UUID]:
        known = self._objects[kind].pop(uid(found), None)
        instance_id = instance_id_of(known["metadata"]) if known is not None else None
        if instance_id is None:
            return set()
        kinds = self._of_instance[instance_id]
        kinds[kind].discard(uid(found))
        if not kinds[kind]:
            del kinds[kind]
        if not kinds:
            del self._of_instance[instance_id]
        return {instance_id}

    def _instances_of(self, about: str) -> set[UUID]:
        kinds: Iterator[dict[str, Object]] = iter(self._objects.values())
        found = next((objects[about] for objects in kinds if about in objects), None)
        instance_id = instance_id_of(found["metadata"]) if found is not None else None
        return {instance_id} if instance_id is not None else set()


def _best(objects: list[Object]) -> Object | None:
    """Of several of a kind the one that isn't being deleted, or the newest."""
    return max(
        objects,
        key=lambda each: (not is_ending(each), str(each["metadata"].get("creationTimestamp", ""))),
        default=None,
    )


def _generation(found: Object) -> int:
    return int(found["metadata"].get("generation", 0))


def _alike(one: Object, other: Object) -> bool:
    return _without_version(one) == _without_version(other)


def _without_version(found: Object) -> dict[str, Any]:
    metadata = {key: value for key, value in found["metadata"].items() if key != "resourceVersion"}
    return {**found, "metadata": metadata}
