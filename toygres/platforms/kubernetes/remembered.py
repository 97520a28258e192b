"""What Kubernetes itself forgets, or tells before anybody can ask: objects' events, and how containers ended."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator

from toygres.platforms.kubernetes.causes.events import READ, count
from toygres.platforms.kubernetes.causes.seen import Exit, Object, is_ending, uid

_MOST_EVENTS = 30
_MOST_STRANGERS = 1000
_MOST_EXITS = 6
_MOST_ENDED = 1000
# An event that goes on and on says nothing new.
_HEARD = 3
_OOM = "OOMKilled"


class Events:
    """Events by the UID of the object that they are about, in the order in which they came.

    Bounded: 30 for an object, none that only tells that things go well, and 1,000 objects that aren't known, since an
    event may come before its object, and the namespace's other objects have events, too. Not safe for threads.
    """

    def __init__(self) -> None:
        self._by_object: dict[str, OrderedDict[str, Object]] = {}
        self._strangers: OrderedDict[str, None] = OrderedDict()
        self._known: set[str] = set()

    def add(self, event: Object) -> bool:
        """Keep an event, or its last change; whether it says anything new."""
        if event.get("type") == "Normal" and event.get("reason") not in READ:
            return False
        about = str(event["involvedObject"].get("uid", ""))
        if about not in self._known:
            self._welcome(about)
        events = self._by_object.setdefault(about, OrderedDict())
        before = events.pop(uid(event), None)
        events[uid(event)] = event
        if len(events) > _MOST_EVENTS:
            events.popitem(last=False)
        return before is None or _words(before) != _words(event) or count(before) < count(event) <= _HEARD

    def remove(self, event: Object) -> None:
        """Kubernetes deleted the event, as it does after an hour."""
        about = str(event["involvedObject"].get("uid", ""))
        events = self._by_object.get(about, OrderedDict())
        events.pop(uid(event), None)
        if not events:
            self._by_object.pop(about, None)

    def known(self, about: str) -> None:
        """That object is one of ours."""
        self._known.add(about)
        self._strangers.pop(about, None)

    def forget(self, about: str) -> None:
        """That object is gone; what is still said about it is as good as a stranger's."""
        self._known.discard(about)
        self._by_object.pop(about, None)
        self._strangers.pop(about, None)

    def of(self, objects: Iterable[str]) -> Iterator[Object]:
        """The events about these objects."""
        for about in objects:
            yield from self._by_object.get(about, {}).values()

    def all(self) -> list[Object]:
        """All events that are kept."""
        return [event for events in self._by_object.values() for event in events.values()]

    def _welcome(self, about: str) -> None:
        self._strangers[about] = None
        self._strangers.move_to_end(about)
        if len(self._strangers) > _MOST_STRANGERS:
            oldest, _ = self._strangers.popitem(last=False)
            self._by_object.pop(oldest, None)


class Exits:
    """How each pod's containers ended, the last six, by the pod's UID; of the last 1,000 pods of which any did.

    A container that ran out of memory is called OOMKilled for a moment only: whoever was told so once stays it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_pod: OrderedDict[str, tuple[Exit, ...]] = OrderedDict()

    def add(self, pod: Object) -> None:
        """Remember what a pod's status says; nothing of one that is being deleted, which ends anyhow."""
        if is_ending(pod):
            return
        with self._lock:
            for found in _exits(pod):
                self._by_pod[uid(pod)] = _with(self._by_pod.pop(uid(pod), ()), found)
            if len(self._by_pod) > _MOST_ENDED:
                self._by_pod.popitem(last=False)

    def forget(self, about: str) -> None:
        """That pod is gone."""
        with self._lock:
            self._by_pod.pop(about, None)

    def of(self, pods: Iterable[str]) -> dict[str, tuple[Exit, ...]]:
        """What is remembered of these pods."""
        with self._lock:
            return {about: self._by_pod[about] for about in pods if about in self._by_pod}


def _with(known: tuple[Exit, ...], found: Exit) -> tuple[Exit, ...]:
    """The exits with one more, oldest first; one that is known keeps its place, and OOMKilled stays its reason."""
    for number, each in enumerate(known):
        if each.container_id == found.container_id:
            kept = each if each.reason == _OOM else found
            return (*known[:number], kept, *known[number + 1 :])
    return (*known, found)[-_MOST_EXITS:]


def _exits(pod: Object) -> Iterator[Exit]:
    status = pod["status"]
    for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        for how in ("lastState", "state"):
            ended = container[how].get("terminated")
            if ended and ended.get("containerID"):
                yield Exit(
                    container=container["name"],
                    container_id=ended["containerID"],
                    code=int(ended.get("exitCode", 0)),
                    reason=str(ended.get("reason", "")),
                )


def _words(event: Object) -> tuple[object, object]:
    return event.get("reason"), event.get("message")
