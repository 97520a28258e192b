"""The foreground carries an operation out, whoever else takes steps of it, and stops where it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from driving import CALLER

from toygres.domain import ids
from toygres.domain.instance import InstanceState
from toygres.domain.operation import OperationState, StepState
from toygres.domain.records import OperationRecord
from toygres.errors import Bug, Cause, CauseCode
from toygres.oneshot.foreground import Interrupted
from toygres.provisioning import request_delete
from toygres.store import claims, foreground, operations


def when(state: StepState, step: str, act: Callable[[], object]) -> Callable[[OperationRecord], None]:
    """Acts once, when that step is first seen in that state."""
    done: list[object] = []

    def seen(found: OperationRecord) -> None:
        if not done and any(each.name == step and each.state is state for each in found.steps):
            done.append(act())

    return seen


def come_up(scene: Any) -> None:
    scene.platform.status = None
    scene.platform.tell()


def test_a_create_is_carried_out_and_each_change_shown(scene: Any) -> None:
    accepted = scene.other.order()
    shown: list[OperationRecord] = []
    up = when(StepState.WAITING, "await_server", lambda: come_up(scene))

    def show(found: OperationRecord) -> None:
        shown.append(found)
        up(found)

    ended = scene.foreground.carry_out(accepted.operation, show)
    assert ended.state is OperationState.SUCCEEDED
    assert [found.revision for found in shown] == sorted({found.revision for found in shown})
    assert scene.other.instance(accepted.instance.id).state is InstanceState.READY
    waited = next(step for step in ended.steps if step.name == "await_server")
    # Woken, not looked at by the clock.
    assert waited.looks <= 3


def test_a_change_of_another_instance_wakes_nobody(scene: Any) -> None:
    accepted = scene.other.order()
    looks: list[int] = []

    def tell() -> None:
        scene.platform.tell(ids.new())
        looks.append(next(step.looks for step in _now(scene, accepted).steps if step.name == "await_server"))
        come_up(scene)

    scene.foreground.carry_out(accepted.operation, when(StepState.WAITING, "await_server", tell))
    assert looks == [1]


def _now(scene: Any, accepted: Any) -> OperationRecord:
    return operations.find(scene.services.store, "default", accepted.operation.id)


def test_a_step_that_another_worker_runs_is_waited_for(scene: Any) -> None:
    accepted = scene.other.order()
    held = claims.claim(scene.services.store, scene.other.engine.worker_id, accepted.operation.id, "apply_credentials")
    assert held is not None
    seen: list[StepState] = []

    def let_go() -> None:
        seen.append(_now(scene, accepted).steps[0].state)
        claims.hand_back(scene.services.store, held, _cause(), 0.0)

    up = when(StepState.WAITING, "await_server", lambda: come_up(scene))
    threading.Timer(0.3, let_go).start()
    ended = scene.foreground.carry_out(accepted.operation, up)
    assert seen == [StepState.RUNNING]
    assert ended.state is OperationState.SUCCEEDED


def _cause() -> Cause:
    return Cause(code=CauseCode.STARTING, message="Later.", remedy="Wait.")


def test_what_another_worker_has_carried_out_is_told_as_it_ended(scene: Any) -> None:
    accepted = scene.other.order()
    scene.platform.status = None
    scene.other.drain(accepted.operation.id)
    assert scene.foreground.carry_out(accepted.operation, lambda found: None).state is OperationState.SUCCEEDED


def test_interrupted_it_stops_and_a_delete_takes_its_place(scene: Any) -> None:
    accepted = scene.other.order()
    with pytest.raises(Interrupted):
        scene.foreground.carry_out(
            accepted.operation, when(StepState.WAITING, "await_server", lambda: scene.inbox.put(Interrupted()))
        )
    assert _now(scene, accepted).ended_at is None
    assert foreground.turn(scene.services.store, accepted.operation.id) is not None
    shown = ids.shown(ids.INSTANCE, accepted.instance.id)
    deleting = request_delete(scene.services, CALLER, shown)
    ended = scene.foreground.carry_out(deleting.operation, lambda found: None)
    assert ended.state is OperationState.SUCCEEDED
    assert not scene.platform.objects(accepted.instance.id)
    assert _now(scene, accepted).state is OperationState.SUPERSEDED


def test_it_lives_beside_the_workers_and_takes_no_messages_from_them(scene: Any) -> None:
    assert foreground.is_known(scene.services.store, scene.foreground.worker_id)
    row = scene.services.store.one(
        "SELECT slots, toygres.toygres_now() - took_at > interval '1 hour' AS idle FROM toygres.workers"
        " WHERE id = %(id)s",
        id=scene.foreground.worker_id,
    )
    assert row is not None
    assert foreground.is_known(scene.services.store, scene.other.engine.worker_id)
    assert row.slots == 0


def test_what_breaks_in_the_engine_ends_the_wait(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: object) -> None:
        raise Bug("broken for a test")

    monkeypatch.setattr(scene.foreground._pulse.engine, "run_step", break_down)
    with pytest.raises(Bug, match="broken for a test"):
        scene.foreground.carry_out(scene.other.order().operation, lambda found: None)


def test_it_departs_with_what_it_held_given_back(scene: Any) -> None:
    number = scene.foreground.worker_id
    accepted = scene.other.order()
    assert claims.claim(scene.services.store, number, accepted.operation.id, "apply_credentials") is not None
    scene.foreground.__exit__(None, None, None)
    assert not foreground.is_known(scene.services.store, number)
    turn = foreground.turn(scene.services.store, accepted.operation.id)
    assert turn is not None
    assert not turn.held
