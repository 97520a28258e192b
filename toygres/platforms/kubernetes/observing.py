"""What is to be seen of instances: by a look at the API, and for whoever observes by watches that tell of changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from toygres.platforms.kubernetes import calls, resources
from toygres.platforms.kubernetes.cache import Cache
from toygres.platforms.kubernetes.causes import service
from toygres.platforms.kubernetes.causes.judge import judge
from toygres.platforms.kubernetes.causes.seen import Seen
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.labels import INSTALLATION, selector
from toygres.platforms.kubernetes.remembered import Exits
from toygres.platforms.kubernetes.resources import Resource
from toygres.platforms.kubernetes.slim import slim
from toygres.platforms.kubernetes.watching import Told, Wanted, Watch, watch_all
from toygres.platforms.protocol import EVERYTHING, ServerPhase, ServerStatus

WATCHED = (
    resources.STATEFUL_SETS,
    resources.PODS,
    resources.VOLUME_CLAIMS,
    resources.SERVICES,
)

_JUDGE_AGAIN_SECONDS = 10.0
_MOVING = frozenset({ServerPhase.STARTING, ServerPhase.STOPPING})


def look(cluster: Cluster, namespace: str, instance_id: UUID, exits: Exits | None = None) -> Seen:
    """An instance's objects and their events, asked for now. Raises Refused, Unavailable.

    What `exits` remembers counts, too: Kubernetes tells some ends for a moment only.
    """
    cache = Cache(exits)
    _list(cluster, namespace, instance_id, cache, WATCHED)
    cache.replace("Event", _events(cluster, namespace, cache.seen(instance_id)))
    return cache.seen(instance_id)


def look_at_server(cluster: Cluster, namespace: str, instance_id: UUID, exits: Exits | None = None) -> Seen:
    """As `look`, but of a server that is up no more than tells so: whoever waits for it goes on sooner."""
    cache = Cache(exits)
    _list(cluster, namespace, instance_id, cache, (resources.STATEFUL_SETS, resources.PODS))
    seen = cache.seen(instance_id)
    up = judge(seen, datetime.now(UTC)).phase is ServerPhase.UP
    return seen if up else look(cluster, namespace, instance_id, exits)


def _list(cluster: Cluster, namespace: str, instance_id: UUID, cache: Cache, wanted: Iterable[Resource]) -> None:
    for resource in wanted:
        cache.replace(resource.kind, calls.list_labelled(cluster, resource, namespace, selector(instance_id)))


def _events(cluster: Cluster, namespace: str, seen: Seen) -> list[dict[str, Any]]:
    """The events of what was seen: each is asked for by the UID of its object, as events bear no labels."""
    found: list[dict[str, Any]] = []
    objects = (seen.stateful_set, seen.volume_claim, seen.service, *seen.pods)
    for each in objects:
        if each is not None:
            fields = f"involvedObject.uid={each['metadata']['uid']}"
            found += calls.list_labelled(cluster, resources.EVENTS, namespace, fields=fields)
    return found


class Observation:
    """The watches of one namespace; tells whose objects look different to whoever waits for them."""

    def __init__(
        self, cluster: Cluster, namespace: str, changed: Callable[[UUID], None], exits: Exits | None = None
    ) -> None:
        self._cache = Cache(exits)
        self._changed = changed
        self._lock = threading.Lock()
        self._told: dict[UUID, ServerStatus] = {}
        self._shown: dict[UUID, object] = {}
        self._unlisted = {resource.kind for resource in (*WATCHED, resources.EVENTS)}
        self.watches = [Watch(cluster, _wanted(resource, namespace), self._telling(resource)) for resource in WATCHED]
        events = Wanted(resource=resources.EVENTS, namespace=namespace, keep=lambda found: slim("Event", found))
        self.watches.append(Watch(cluster, events, self._telling(resources.EVENTS)))

    def run(self, stop: threading.Event) -> None:
        """Tell of changes until `stop` is set. Raises Misconfigured."""
        ended = threading.Event()
        judging = threading.Thread(target=self._judge_again, args=(ended,), name="watch-judging", daemon=True)
        judging.start()
        try:
            watch_all(self.watches, stop)
        finally:
            ended.set()
            judging.join()

    @property
    def is_current(self) -> bool:
        """Whether every watch has told what there is, and still hears the API server."""
        *objects, events = self.watches
        # Of events API servers tell no bookmarks, so that watch may well end without a word.
        return events.current and all(watch.bears_out for watch in objects)

    def seen(self, instance_id: UUID) -> Seen:
        """What the watches told of an instance."""
        return self._cache.seen(instance_id)

    def _telling(self, resource: Resource) -> Told:
        return Told(
            on_list=lambda found: self._listed(resource.kind, found),
            on_event=lambda kind, found: self._tell(self._cache.apply(resource.kind, {"type": kind, "object": found})),
        )

    def _listed(self, kind: str, found: list[dict[str, Any]]) -> None:
        self._tell(self._cache.replace(kind, found))
        with self._lock:
            first = bool(self._unlisted) and not (self._unlisted - {kind})
            self._unlisted.discard(kind)
        if first:
            # What went while nobody watched is in no list, and somebody may wait for its end.
            self._changed(EVERYTHING)

    def _tell(self, instances: Iterable[UUID]) -> None:
        for instance_id in instances:
            seen = self._cache.seen(instance_id)
            status = judge(seen, datetime.now(UTC))
            shown = _shown(seen, status)
            with self._lock:
                same = self._shown.get(instance_id) == shown
                self._shown[instance_id], self._told[instance_id] = shown, status
                if seen == Seen():
                    del self._shown[instance_id], self._told[instance_id]
            if not same:
                self._changed(instance_id)

    def _judge_again(self, ended: threading.Event) -> None:
        """Some causes are told by how long nothing happens, which no watch tells of; nobody is asked for them."""
        while not ended.wait(_JUDGE_AGAIN_SECONDS):
            with self._lock:
                moving = [each for each, status in self._told.items() if status.phase in _MOVING]
            self._tell(moving)


def _wanted(resource: Resource, namespace: str) -> Wanted:
    return Wanted(
        resource=resource,
        namespace=namespace,
        selector=INSTALLATION,
        keep=lambda found: slim(resource.kind, found),
    )


def _shown(seen: Seen, status: ServerStatus) -> object:
    """What steps wait for: the phase and its cause, where the pod is, and which objects there are."""
    address = seen.pod["status"].get("podIP") if seen.pod else None
    there = tuple(bool(each) for each in (seen.stateful_set, seen.volume_claim, seen.service))
    balanced = service.address(seen.service) if seen.service else None
    cause = (status.cause.code, status.cause.message) if status.cause else None
    return status.phase, cause, address, there, len(seen.pods), balanced
