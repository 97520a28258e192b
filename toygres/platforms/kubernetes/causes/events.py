"""Events: what Kubernetes' parts say of an object, read in the order in which it happened."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime

from toygres.platforms.kubernetes.causes.seen import Object, Seen, moment, uid

# Of the events that tell that things go well only these are read.
READ = frozenset(
    {
        *("SuccessfulCreate", "Pulling", "Pulled", "Killing", "TriggeredScaleUp", "NotTriggerScaleUp"),
        *("WaitForFirstConsumer", "WaitForPodScheduled", "ExternalProvisioning", "Provisioning"),
        *("ProvisioningSucceeded", "FailedBinding", "EnsuredLoadBalancer"),
    }
)
_MOST_LINES = 10
_EPOCH = datetime.min.replace(tzinfo=UTC)


def time_of(event: Object) -> datetime:
    """When it last happened. The scheduler's events have only an `eventTime`, repeated ones a `series`."""
    series = event.get("series") or {}
    metadata = event["metadata"]
    times = (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        metadata.get("creationTimestamp"),
    )
    return next((found for found in map(moment, times) if found), _EPOCH)


def count(event: Object) -> int:
    """How often it happened."""
    return int((event.get("series") or {}).get("count") or event.get("count") or 1)


def of(seen: Seen, found: Object | None, reasons: Collection[str] = ()) -> list[Object]:
    """An object's events, oldest first, by its UID: the next pod of a StatefulSet has the same name."""
    if found is None:
        return []
    wanted = uid(found)
    own = [event for event in seen.events if event["involvedObject"].get("uid") == wanted]
    return sorted((event for event in own if not reasons or event.get("reason") in reasons), key=time_of)


def last(seen: Seen, found: Object | None, reasons: Collection[str], words: str = "") -> Object | None:
    """The object's last event of these reasons that holds `words`."""
    matching = [event for event in of(seen, found, reasons) if words in str(event.get("message", ""))]
    return matching[-1] if matching else None


def lines(*events: Object | None) -> tuple[str, ...]:
    """Events as evidence: one line each."""
    return tuple(_line(event) for event in events if event is not None)


def told(seen: Seen, *objects: Object | None) -> tuple[str, ...]:
    """The last ten warnings about these objects, oldest first, as evidence."""
    found = sorted(_warnings(seen, objects), key=time_of)
    return lines(*found[-_MOST_LINES:])


def _warnings(seen: Seen, objects: Collection[Object | None]) -> Iterator[Object]:
    for found in objects:
        yield from (event for event in of(seen, found) if event.get("type") == "Warning")


def _line(event: Object) -> str:
    about = event["involvedObject"]
    times = f" ({count(event)} times)" if count(event) > 1 else ""
    words = " ".join(str(event.get("message", "")).splitlines()).strip()
    return f"{about.get('kind')} {about.get('name')}: {event.get('reason')}{times}: {words}"
