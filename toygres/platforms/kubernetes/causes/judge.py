"""What is to be seen of a server, and why it isn't up: all the evidence, read in one order; the first cause counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from toygres.errors import Cause, CauseCode
from toygres.platforms.kubernetes.causes import (
    container,
    exits,
    image,
    last_words,
    pod,
    readiness,
    scheduling,
    stateful_set,
    volume_claim,
)
from toygres.platforms.kubernetes.causes.progress import progress
from toygres.platforms.kubernetes.causes.seen import (
    Object,
    Seen,
    containers,
    is_current,
    is_ending,
    is_ready,
    name,
)
from toygres.platforms.kubernetes.causes.verdict import Verdict
from toygres.platforms.local.scrub import scrubbed
from toygres.platforms.protocol import ServerPhase, ServerStatus

Scrub = Callable[[Iterable[str]], tuple[str, ...]]

_TOLD_BY_LOGS = frozenset({CauseCode.NOT_READY_IN_TIME, CauseCode.CRASH_LOOP, CauseCode.KILLED_BY_STARTUP_PROBE})
# By as much of its end a sentence is known that was shortened.
_TAIL = 10


def judge(seen: Seen, now: datetime, scrub: Scrub = scrubbed) -> ServerStatus:
    """The server's phase by what the cache has `seen` of it. `now` is aware of its zone.

    BROKEN is what can't heal by waiting. While it is STARTING the cause is Starting in the ordinary course of things,
    and another one, shown all along, where something is wrong that may heal. `scrub` takes secrets out of lines:
    PostgreSQL's last words may hold some, so whoever knows the instance's passwords hands in one that knows them.
    """
    status = _status(seen, now)
    # How far it has come is told in words of ours alone.
    if status.cause is None or status.cause.code is CauseCode.STARTING:
        return status
    return replace(status, cause=clean(status.cause, scrub))


def refine(status: ServerStatus, log: Callable[[], str], scrub: Scrub = scrubbed) -> ServerStatus:
    """The status with the cause that the end of the server's `log` names, which is read where only it knows that.

    A running server that has no space left, say, just stops to be ready. The phase stays.
    """
    if status.cause is None or status.cause.code not in _TOLD_BY_LOGS:
        return status
    found = last_words.read(log(), status.cause.evidence)
    return replace(status, cause=clean(found.cause, scrub)) if found else status


def clean(cause: Cause, scrub: Scrub = scrubbed) -> Cause:
    """The cause with message and evidence scrubbed."""
    message = " ".join(scrub(cause.message.splitlines()))
    cut = "" if message.endswith(cause.message[-_TAIL:]) else "…"
    return replace(cause, message=message + cut, evidence=scrub(cause.evidence))


def _status(seen: Seen, now: datetime) -> ServerStatus:
    wanted = seen.stateful_set
    if wanted is None:
        return _leaving(seen, now) if seen.pods else ServerStatus(phase=ServerPhase.ABSENT)
    if is_ending(wanted):
        return _leaving(seen, now)
    if not seen.replicas:
        return _leaving(seen, now) if seen.pods else _stopped()
    living = seen.pod
    if living is not None and is_ready(living) and is_current(wanted, living):
        return ServerStatus(phase=ServerPhase.UP)
    found = next(filter(None, _causes(seen, living, now)), None)
    if found is None:
        return ServerStatus(phase=ServerPhase.STARTING, cause=progress(seen))
    return ServerStatus(phase=ServerPhase.STARTING if found.heals else ServerPhase.BROKEN, cause=found.cause)


def _causes(seen: Seen, living: Object | None, now: datetime) -> Iterator[Verdict | None]:
    if living is None:
        yield stateful_set.refused(seen, now)
    elif not is_ready(living):
        yield from _of_pod(seen, living, now)


def _of_pod(seen: Seen, living: Object, now: datetime) -> Iterator[Verdict | None]:
    yield pod.evicted(seen, living)
    yield pod.node_lost(seen, living)
    yield volume_claim.unbound(seen, living, now)
    yield scheduling.unschedulable(seen, living)
    for each in containers(living):
        yield image.not_there(seen, living, each)
        yield container.misconfigured(seen, living, each)
        yield container.cant_start(seen, living, each)
        yield container.not_mounted(seen, living, each, now)
    for each in containers(living):
        yield exits.ended(seen, living, each, now)
    yield readiness.not_ready(seen, living, now)


def _leaving(seen: Seen, now: datetime) -> ServerStatus:
    """It is being stopped or deleted; what still holds its objects is told."""
    if found := stateful_set.stuck(seen, now):
        return ServerStatus(phase=ServerPhase.STOPPING, cause=found.cause)
    objects = [("StatefulSet", seen.stateful_set), *(("Pod", each) for each in seen.pods)]
    held = tuple(
        f"{kind} {name(found)}: being deleted, finalizer {each}"
        for kind, found in objects
        if found is not None
        for each in found["metadata"].get("finalizers") or ()
    )
    cause = Cause(
        code=CauseCode.STOPPING,
        message="The server is stopping: it ends open sessions and writes what is left to the disk.",
        remedy="Wait: it is looked at again by itself.",
        evidence=held,
    )
    return ServerStatus(phase=ServerPhase.STOPPING, cause=cause)


def _stopped() -> ServerStatus:
    cause = Cause(
        code=CauseCode.SERVER_STOPPED,
        message="The server was stopped, as ordered.",
        remedy="Start the instance to use it again.",
    )
    return ServerStatus(phase=ServerPhase.STOPPED, cause=cause)
