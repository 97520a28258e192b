"""Why the container ended: out of memory, PostgreSQL's own words, or killed by a probe (rows 22 to 24)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from toygres.errors import CauseCode
from toygres.platforms.kubernetes.causes import events, last_words
from toygres.platforms.kubernetes.causes.seen import Exit, Object, Seen, moment, name, seconds_since, server, uid
from toygres.platforms.kubernetes.causes.verdict import Kind, Verdict

OUT_OF_MEMORY = Kind(
    code=CauseCode.OUT_OF_MEMORY,
    sentence="The container {container} ran out of the memory that the instance has: {restarts}.",
    remedy="Order the instance with more memory, or with less shared_buffers and max_connections.",
    sign="container ended with reason `OOMKilled` and an exit code other than 0",
)
CRASH_LOOP = Kind(
    code=CauseCode.CRASH_LOOP,
    sentence="The container {container} ended with exit code {exit_code}; {restarts}.",
    remedy="Read the log lines; order the instance again once what they name is mended.",
    sign="container ended with an exit code other than 0, and nothing that is known above",
)
KILLED_BY_STARTUP_PROBE = Kind(
    code=CauseCode.KILLED_BY_STARTUP_PROBE,
    sentence="The server didn't accept clients in time, so Kubernetes ended the container {container}: {restarts}.",
    remedy="If it recovers from a crash, wait; else give the instance more cpu, or longer time in the settings.",
    sign="event `Killing` with `failed startup probe`",
    heals=True,
)
KILLED_BY_LIVENESS_PROBE = Kind(
    code=CauseCode.KILLED_BY_LIVENESS_PROBE,
    sentence="The server didn't answer for long, so Kubernetes ended the container {container}: {restarts}.",
    remedy="Wait: it is started again. If it happens again, give the instance more cpu.",
    sign="event `Killing` with `failed liveness probe`",
    heals=True,
)
SERVER_STOPPED = Kind(
    code=CauseCode.SERVER_STOPPED,
    sentence="The server in container {container} was shut down properly, but not by an operation: {restarts}.",
    remedy="Wait: Kubernetes starts it again, and no data are lost.",
    sign="container ended with exit code 0",
    heals=True,
)

KINDS = (OUT_OF_MEMORY, CRASH_LOOP, KILLED_BY_STARTUP_PROBE, KILLED_BY_LIVENESS_PROBE, SERVER_STOPPED)

_OOM = "OOMKilled"
_PROBES = (("failed startup probe", KILLED_BY_STARTUP_PROBE), ("failed liveness probe", KILLED_BY_LIVENESS_PROBE))
_FINAL_RESTARTS = 2
# Kubernetes itself forgets that a container ended when the next one ran for that long.
_SHORT_RUN_SECONDS = 600.0
# Whoever has run for so long by now didn't meet what ended the one before.
_SETTLED_SECONDS = 120.0
_SIGNALS = 128
_KILL, _TERMINATE = 137, 143


def ended(seen: Seen, pod: Object, container: Object, now: datetime) -> Verdict | None:
    """Why this container ended, now or the last time; final from the second time on, if that was the same."""
    if _settled(container, now):
        return None
    ends = [each for each in (_end(container, "state"), _end(container, "lastState")) if each]
    if not ends or (not ends[0].get("exitCode") and container is not server(pod)):
        return None
    found = _out_of_memory(seen, pod, container, ends) or _words(seen, pod, container, ends[0])
    return replace(found, heals=found.heals or not _again(seen, pod, container, ends[0]))


def _settled(container: Object, now: datetime) -> bool:
    running = container["state"].get("running") or {}
    return seconds_since(running.get("startedAt"), now) > _SETTLED_SECONDS


def _end(container: Object, how: str) -> Object | None:
    ended: Object | None = container[how].get("terminated")
    return ended


def _exits(seen: Seen, pod: Object, container: Object) -> list[Exit]:
    return [each for each in seen.exits.get(uid(pod), ()) if each.container == container.get("name")]


def _out_of_memory(seen: Seen, pod: Object, container: Object, ends: Sequence[Object]) -> Verdict | None:
    remembered = _killed_before(seen, pod, container)
    for end in ends:
        killed = end.get("reason") == _OOM and end.get("exitCode") != 0
        if killed or end.get("containerID") in remembered:
            return OUT_OF_MEMORY.found(
                _evidence(seen, pod, end), container=container["name"], restarts=_restarts(container)
            )
    return None


def _killed_before(seen: Seen, pod: Object, container: Object) -> set[str]:
    return {each.container_id for each in _exits(seen, pod, container) if each.reason == _OOM and each.code}


def _words(seen: Seen, pod: Object, container: Object, end: Object) -> Verdict:
    text, code = str(end.get("message", "")), int(end.get("exitCode", 0))
    words: dict[str, Any] = {"container": container["name"], "restarts": _restarts(container)}
    if code and (found := last_words.read(text, _evidence(seen, pod, end))):
        return found
    if kind := _by_probe(seen, pod, end):
        return kind.found(_evidence(seen, pod, end), **words)
    if not code:
        return SERVER_STOPPED.found(_evidence(seen, pod, end), **words)
    if _killed_before(seen, pod, container):
        # Where only a part of it is killed the server ends by itself the next time, without a word of why.
        return OUT_OF_MEMORY.found(_evidence(seen, pod, end), **words)
    said = last_words.last(text)
    lines = (*_evidence(seen, pod, end), *last_words.own_lines(text))
    exit_code = f"{code}{_how(code)}{f': {said}' if said else ''}"
    return CRASH_LOOP.found(lines, exit_code=exit_code, **words)


def _by_probe(seen: Seen, pod: Object, end: Object) -> Kind | None:
    began = moment(end.get("startedAt"))
    for words, kind in _PROBES:
        killing = events.last(seen, pod, ("Killing",), words)
        if killing and (began is None or events.time_of(killing) >= began):
            return kind
    return None


def _again(seen: Seen, pod: Object, container: Object, end: Object) -> bool:
    """Whether it ended so before: one failed end may be chance, and so may one after a long good run."""
    if int(container.get("restartCount", 0)) < _FINAL_RESTARTS or not _ran_shortly(end):
        return False
    recent = _exits(seen, pod, container)[-_FINAL_RESTARTS:]
    return len({_OOM if each.reason == _OOM else each.code for each in recent}) <= 1


def _ran_shortly(end: Object) -> bool:
    began, ended = moment(end.get("startedAt")), moment(end.get("finishedAt"))
    # Where a node lost sight of the container nobody knows, and it may have run for years.
    return began is not None and ended is not None and (ended - began).total_seconds() <= _SHORT_RUN_SECONDS


def _how(code: int) -> str:
    if code == _KILL:
        return " (it was killed)"
    if code == _TERMINATE:
        return " (it was told to end)"
    return f" (signal {code - _SIGNALS})" if _SIGNALS < code < _SIGNALS + 65 else ""


def _restarts(container: Object) -> str:
    restarts = int(container.get("restartCount", 0))
    times = "once" if restarts == 1 else f"{restarts} times"
    return f"it was started again {times}" if restarts else "it is started again"


def _evidence(seen: Seen, pod: Object, end: Object) -> tuple[str, ...]:
    return (_told(pod, end), *_warnings(seen, pod))


def _told(pod: Object, end: Object) -> str:
    reason, code = end.get("reason", "no reason"), end.get("exitCode")
    return f"Pod {name(pod)}: container ended at {end.get('finishedAt', '(unknown)')}: {reason}, exit code {code}"


def _warnings(seen: Seen, pod: Object) -> Iterator[str]:
    yield from events.lines(*events.of(seen, pod, ("Killing", "BackOff"))[-3:])
