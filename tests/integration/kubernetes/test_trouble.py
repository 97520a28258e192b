"""On a cluster whose API is in trouble: no operation fails for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from fake_cluster.answers import Refusal
from making_plane import Plane

from toygres.domain.operation import OperationState
from toygres.domain.records import OperationRecord
from toygres.errors import CauseCode
from toygres.platforms.kubernetes.observing import WATCHED
from toygres.provisioning import request_delete, request_restart, request_stop

KINDS = ("500", "503", "429", "reset", "lost")


@contextmanager
def share_of_calls_fails(plane: Plane) -> Iterator[None]:
    """A third of them, in each way in which an API server fails."""
    before = plane.cluster.faults.met.copy()
    plane.cluster.faults.retry_after = 0.2
    plane.cluster.faults.fail(*KINDS, share=0.3)
    try:
        yield
    finally:
        plane.cluster.faults.stop()
    assert set(plane.cluster.faults.met - before) == set(KINDS)


@contextmanager
def watches_break(plane: Plane) -> Iterator[None]:
    """All of them, whenever a pod changes."""
    many: list[int] = []

    def cut(change: Any) -> None:
        if change.resource == "pods":
            many.append(plane.cluster.cut_watches())

    plane.cluster.store.listeners.append(cut)
    try:
        yield
    finally:
        plane.cluster.store.listeners.remove(cut)
    # Of each kind that is watched at least once.
    assert sum(many) >= len(WATCHED), many


@contextmanager
def calls_are_refused(plane: Plane) -> Iterator[None]:
    """Nobody answers, and what was open is cut."""
    with plane.cluster.outage():
        yield


@contextmanager
def token_has_expired(plane: Plane) -> Iterator[None]:
    """Nobody has written a new one yet."""
    plane.cluster.rights.revoke(plane.token)
    try:
        yield
    finally:
        plane.renew_token()


@pytest.mark.parametrize("trouble", [share_of_calls_fails, watches_break], ids=lambda each: each.__name__)
def test_while_a_part_fails_all_operations_succeed(plane: Plane, trouble: Any) -> None:
    name = trouble.__name__.replace("_", "-")
    instances = [made.name for made in plane.all_ready(*(f"{name}-{number}" for number in range(3)))]
    with trouble(plane):
        succeeded(plane, ordered(plane, name, instances))
    cleared(plane, name, instances)


@pytest.mark.parametrize(
    ("trouble", "shown"),
    [
        (calls_are_refused, CauseCode.PLATFORM_UNREACHABLE),
        (token_has_expired, CauseCode.PLATFORM_LOGIN_REFUSED),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_while_all_fails_operations_wait_and_say_why(plane: Plane, trouble: Any, shown: CauseCode) -> None:
    name = trouble.__name__.replace("_", "-")
    instances = [made.name for made in plane.all_ready(*(f"{name}-{number}" for number in range(3)))]
    with trouble(plane):
        operations = ordered(plane, name, instances)
        for operation in operations:
            cause = plane.waits(operation, shown)
            assert cause.remedy
    succeeded(plane, operations)
    cleared(plane, name, instances)


def test_a_field_that_the_server_doesnt_know_is_final_though_it_answers_500(plane: Plane) -> None:
    told = "failed to create typed patch object (toygres/x; apps/v1): .spec.nonsense: field not declared in schema"

    def refuse(kind: str, value: dict[str, Any]) -> Refusal | None:
        return Refusal(500, "", told) if kind == "StatefulSet" else None

    plane.cluster.policies.append(refuse)
    try:
        plane.fails(plane.ask("unknown-field"), CauseCode.MANIFEST_REJECTED)
    finally:
        plane.cluster.policies.remove(refuse)


def ordered(plane: Plane, name: str, instances: Sequence[str]) -> list[OperationRecord]:
    """One of each kind."""
    stopped, restarted, deleted = instances
    return [
        plane.ask(f"{name}-new"),
        plane.requested(request_stop, stopped),
        plane.requested(request_restart, restarted),
        plane.requested(request_delete, deleted),
    ]


def succeeded(plane: Plane, operations: Sequence[OperationRecord]) -> None:
    """Return once all of them have."""
    for operation in operations:
        ended = plane.ended(operation.id)
        assert ended.state is OperationState.SUCCEEDED, ended


def cleared(plane: Plane, name: str, instances: Sequence[str]) -> None:
    """What is there is what was ordered, each made once; and nothing is left once all is deleted."""
    assert plane.made_twice() == []
    stopped, restarted, _ = instances
    for made in (f"{name}-new", restarted):
        plane.heard_available(plane.now_named(made), value=True)
    for operation in [plane.requested(request_delete, made) for made in (f"{name}-new", stopped, restarted)]:
        ended = plane.ended(operation.id)
        assert ended.state is OperationState.SUCCEEDED, ended
        assert plane.objects(ended.instance_id) == []
