"""A server that runs and doesn't get ready: what its probe said last, once it has had its time (row 25)."""

from __future__ import annotations

from datetime import datetime

from toygres.errors import CauseCode
from toygres.platforms.kubernetes.causes import events
from toygres.platforms.kubernetes.causes.seen import Object, Seen, name, seconds_since, server
from toygres.platforms.kubernetes.causes.verdict import Kind, Verdict, sentence_end

NOT_READY_IN_TIME = Kind(
    code=CauseCode.NOT_READY_IN_TIME,
    sentence="The server in pod {pod} isn't ready, though it has run since {since}: {words}.",
    remedy="If it recovers from a crash, wait; else look at its log lines, and at whether it has enough cpu.",
    sign="container `running` for half a minute, pod not `Ready`; the last event `Unhealthy` tells more",
    heals=True,
)

KINDS = (NOT_READY_IN_TIME,)

_PATIENCE_SECONDS = 30.0
# A probe that met a container which had just ended tells nothing of the server.
_NOISE = "resulted in unknown state"


def not_ready(seen: Seen, pod: Object, now: datetime) -> Verdict | None:
    """Why a server that runs for long isn't ready; None in its first half minute, when that is the ordinary case."""
    container = server(pod)
    running = container["state"].get("running") if container else None
    since = (running or {}).get("startedAt")
    if running is None or seconds_since(since, now) < _PATIENCE_SECONDS:
        return None
    said = [event for event in events.of(seen, pod, ("Unhealthy",)) if _NOISE not in str(event.get("message"))]
    words = sentence_end(str(said[-1].get("message", ""))) if said else "its probe has said nothing"
    return NOT_READY_IN_TIME.found(events.lines(*said[-1:]), pod=name(pod), since=since, words=words)
