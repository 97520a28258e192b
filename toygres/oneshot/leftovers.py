"""What an earlier one-shot command left under a name: whether this one may take it up, and what to say if not."""

from __future__ import annotations

import threading
from collections.abc import Callable

from toygres.domain import ids
from toygres.domain.instance import Instance, InstanceState
from toygres.domain.records import OperationRecord
from toygres.errors import Conflict, NotFound
from toygres.planning import DEFAULT_PROJECT
from toygres.platforms.protocol import Platform
from toygres.services import Services
from toygres.store import foreground, instances, operations

_ACTOR = "deploy:"
# By then every worker that died without a word has been forgotten.
_NOTICED_SECONDS = 9.0
_LOOK_SECONDS = 0.25
_GONE = frozenset({InstanceState.DELETED, InstanceState.FAILED})


def actor(worker_id: int) -> str:
    """Who orders in the foreground: the process, by its number among the workers."""
    return f"{_ACTOR}{worker_id}"


def find(services: Services, name: str) -> Instance | None:
    """The instance that has this name; None when none has, or only one of which nothing is left."""
    try:
        found = instances.get(services.store, DEFAULT_PROJECT, name)
    except NotFound:
        return None
    return None if is_gone(found) else found


def is_gone(found: Instance) -> bool:
    """Whether nothing of it is left, nor anything going on."""
    return found.state in _GONE and found.operation_id is None


def require_here(found: Instance, platform: Platform) -> None:
    """Return when the instance lives on this platform. Raises Conflict."""
    if found.platform != platform.name:
        raise Conflict(
            f"{found.name} lives on the platform {found.platform!r}, not on {platform.name!r}.",
            f"Say --platform {found.platform}, or take another name with --name.",
            instance_id=ids.shown(ids.INSTANCE, found.id),
        )


def require_abandoned(services: Services, found: Instance, interrupted: Callable[[], bool], removal: str) -> None:
    """Return when the instance is what a one-shot command left that was killed. Raises Conflict.

    `removal` is the command that removes it. Waits some seconds where that command may be alive: nobody knows at once
    that a process was killed.
    """
    if found.operation_id is None:
        raise Conflict(
            f"{found.name} exists already, and is {found.state.value}.",
            f"Take another name with --name, or remove it and its data: {removal}",
            instance_id=ids.shown(ids.INSTANCE, found.id),
        )
    going_on = operations.find(services.store, DEFAULT_PROJECT, found.operation_id)
    number = going_on.actor.removeprefix(_ACTOR)
    if not going_on.actor.startswith(_ACTOR) or not number.isdecimal():
        raise _busy(found, going_on, "was ordered from Toygres' control plane")
    looks = int(_NOTICED_SECONDS / _LOOK_SECONDS)
    for _ in range(looks):
        if not foreground.is_known(services.store, int(number)):
            return
        if interrupted():
            return
        threading.Event().wait(_LOOK_SECONDS)
    raise _busy(found, going_on, "belongs to another `toygres deploy`, which is at work")


def _busy(found: Instance, going_on: OperationRecord, whose: str) -> Conflict:
    shown = ids.shown(ids.OPERATION, going_on.id)
    return Conflict(
        f"{found.name} is {found.state.value}: its {going_on.kind} ({shown}) {whose}.",
        "Wait until it has ended, or take another name with --name.",
        operation_id=shown,
    )
