"""What the cache knows of one instance: slim objects of its StatefulSet, pods, volume claim and Service, and events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from toygres.platforms.kubernetes.slim import REVISION

Object = Mapping[str, Any]

# The container that PostgreSQL runs in; whatever else is in the pod was put there by somebody else.
CONTAINER = "postgres"


class Exit(NamedTuple):
    """One end of a container: OOMKilled stays its reason though Kubernetes later tells it as Error."""

    container: str
    container_id: str
    code: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Seen:
    """All that is known of an instance.

    `events` are in the order in which they came, the last change of each; `exits` are a pod's last ones by its UID,
    oldest first.
    """

    stateful_set: Object | None = None
    pods: Sequence[Object] = ()
    volume_claim: Object | None = None
    service: Object | None = None
    events: Sequence[Object] = ()
    exits: Mapping[str, Sequence[Exit]] = field(default_factory=dict)

    @property
    def pod(self) -> Object | None:
        """The pod that counts: the StatefulSet's own (by its UID, since names come again), and not being deleted."""
        if self.stateful_set is None:
            return None
        owner = uid(self.stateful_set)
        living = [pod for pod in self.pods if not is_ending(pod) and owner in owners(pod)]
        return max(living, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), default=None)

    @property
    def replicas(self) -> int:
        """How many pods the StatefulSet wants; 0 when it is stopped, or isn't there."""
        if self.stateful_set is None:
            return 0
        return int(self.stateful_set["spec"].get("replicas", 1))


def uid(found: Object) -> str:
    """An object's UID."""
    return str(found["metadata"].get("uid", ""))


def name(found: Object) -> str:
    """An object's name."""
    return str(found["metadata"].get("name", ""))


def owners(found: Object) -> set[str]:
    """The UIDs of those an object belongs to."""
    return {str(owner.get("uid", "")) for owner in found["metadata"].get("ownerReferences") or ()}


def is_ending(found: Object) -> bool:
    """Whether it is being deleted: what such an object shows looks like failures, and isn't any."""
    return bool(found["metadata"].get("deletionTimestamp"))


def condition(found: Object, kind: str) -> Object:
    """The condition of that type; empty when there is none."""
    conditions: Sequence[Object] = found["status"].get("conditions") or ()
    return next((each for each in conditions if each.get("type") == kind), {})


def is_ready(pod: Object) -> bool:
    """Whether Kubernetes calls the pod ready, as its readiness probe told last."""
    return condition(pod, "Ready").get("status") == "True"


def is_current(stateful_set: Object, pod: Object) -> bool:
    """Whether the pod is what the StatefulSet asks for today, not one that a change is about to replace."""
    made_from = pod["metadata"]["labels"].get(REVISION)
    if not is_heard(stateful_set):
        return False
    return made_from is None or made_from == stateful_set["status"].get("updateRevision", made_from)


def is_heard(stateful_set: Object | None) -> bool:
    """Whether its controller has seen the last change of it."""
    if stateful_set is None:
        return False
    seen = stateful_set["status"].get("observedGeneration")
    return seen is None or seen >= stateful_set["metadata"].get("generation", seen)


def containers(pod: Object) -> list[Object]:
    """The pod's containers: those that run before the others first, then PostgreSQL's, then whatever was added."""
    status = pod["status"]
    running: Sequence[Object] = status.get("containerStatuses") or ()
    ours = sorted(running, key=lambda container: container.get("name") != CONTAINER)
    return [*(status.get("initContainerStatuses") or ()), *ours]


def server(pod: Object) -> Object | None:
    """PostgreSQL's container, or the first one; None before there is any."""
    running: Sequence[Object] = pod["status"].get("containerStatuses") or ()
    return min(running, key=lambda container: container.get("name") != CONTAINER, default=None)


def moment(text: object) -> datetime | None:
    """A time as Kubernetes writes it; None where there is none."""
    if not isinstance(text, str):
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def seconds_since(text: object, now: datetime) -> float:
    """Seconds from a time of Kubernetes' until `now`; 0 where there is none, or where its clock is ahead of ours."""
    then = moment(text)
    return max(0.0, (now - then).total_seconds()) if then else 0.0
