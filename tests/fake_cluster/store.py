"""The objects of the cluster and the history of their changes, under one counter of resourceVersions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Place = tuple[str, str]


def copied(value: Any) -> Any:
    """A deep copy of JSON."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copied(item) for item in value]
    return value


@dataclass(frozen=True)
class Change:
    """One change: ADDED, MODIFIED or DELETED, with the object after it and before it."""

    version: int
    resource: str
    type: str
    object: Json
    before: Json | None


class Store:
    """All objects, by resource and (namespace, name).

    What is stored is never changed in place: whoever got an object may keep it. `lock` guards everything and is held by
    whoever reads and then writes.
    """

    def __init__(self, remembered: int = 20_000) -> None:
        self.lock = threading.RLock()
        self.version = 0
        self.forgotten = 0
        self.listeners: list[Callable[[Change], None]] = []
        self._objects: dict[str, dict[Place, Json]] = {}
        self._history: list[Change] = []
        self._remembered = remembered

    def get(self, resource: str, namespace: str, name: str) -> Json | None:
        """The object, or None."""
        return self._objects.get(resource, {}).get((namespace, name))

    def list(self, resource: str, namespace: str = "") -> list[Json]:
        """The objects of a namespace (empty: of all) by namespace and name."""
        found = self._objects.get(resource, {})
        return [found[place] for place in sorted(found) if not namespace or place[0] == namespace]

    def everything(self) -> Iterator[tuple[str, Json]]:
        """Every object with its resource."""
        for resource, objects in list(self._objects.items()):
            for value in list(objects.values()):
                yield resource, value

    def put(self, resource: str, value: Json) -> Json:
        """Store `value` in place of what has its name, under the next version."""
        place = _place(value)
        before = self._objects.setdefault(resource, {}).get(place)
        stored = self._stamped(value)
        self._objects[resource][place] = stored
        self._record(Change(self.version, resource, "MODIFIED" if before else "ADDED", stored, before))
        return stored

    def remove(self, resource: str, value: Json) -> Json | None:
        """Remove what has `value`'s name and UID; its last state, under a version of its own."""
        place = _place(value)
        before = self._objects.get(resource, {}).get(place)
        if before is None or before["metadata"]["uid"] != value["metadata"]["uid"]:
            return None
        del self._objects[resource][place]
        last = self._stamped(before)
        self._record(Change(self.version, resource, "DELETED", last, before))
        return last

    def edit(self, resource: str, namespace: str, name: str, change: Callable[[Json], None]) -> Json | None:
        """Let `change` alter a copy and store it when it differs; None when there is no such object."""
        with self.lock:
            before = self.get(resource, namespace, name)
            if before is None:
                return None
            after = copied(before)
            change(after)
            return before if after == before else self.put(resource, after)

    def since(self, version: int) -> list[Change]:
        """The changes after `version`, which must not be forgotten."""
        low, high = 0, len(self._history)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._history[middle].version <= version else (low, middle)
        return self._history[low:]

    def compact(self) -> None:
        """Forget all history: older versions can't be watched or listed any more."""
        with self.lock:
            self._history.clear()
            self.forgotten = self.version

    def _stamped(self, value: Json) -> Json:
        self.version += 1
        return value | {"metadata": value["metadata"] | {"resourceVersion": str(self.version)}}

    def _record(self, change: Change) -> None:
        self._history.append(change)
        if len(self._history) > self._remembered:
            surplus = self._remembered // 4
            self.forgotten = self._history[surplus - 1].version
            del self._history[:surplus]
        for listener in self.listeners:
            listener(change)


def _place(value: Json) -> Place:
    metadata = value["metadata"]
    return metadata.get("namespace", ""), metadata["name"]
