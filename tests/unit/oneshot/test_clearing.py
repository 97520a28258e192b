"""All instances of a platform are deleted, one after the other; what one delete comes to doesn't keep the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from toygres.domain.instance import Instance, InstanceState
from toygres.domain.operation import NotYet
from toygres.domain.records import OperationRecord
from toygres.errors import Cause, CauseCode, Unavailable
from toygres.oneshot import clearing
from toygres.oneshot.clearing import Clearing, Left
from toygres.oneshot.database import Database
from toygres.oneshot.foreground import Interrupted
from toygres.store import instances
from toygres.store.session import Store

STUCK = Cause(code=CauseCode.STOPPING, message="A finalizer keeps it.", remedy="Take it away.")


class Run:
    """Clears what two instances are left of; `before` is called with the number of each delete that begins."""

    def __init__(self, scene: Any, patch: pytest.MonkeyPatch, before: Callable[[int], None]) -> None:
        self.scene, self.before, self.begun, self.removed = scene, before, 0, list[str]()
        self.found = [scene.other.order(name).instance for name in ("one", "two")]
        url = scene.services.settings.database_url
        settings = scene.services.settings.model_copy(update={"undo_seconds": 1.0})
        services = replace(scene.services, settings=settings, store=Store(url.get_secret_value()))
        patch.setattr(clearing, "connect", lambda held, name: services)

    def run(self) -> list[Left]:
        made = Clearing(
            Database(self.scene.services.settings, None),
            self.scene.inbox,
            lambda: None,
            self.showing,
            lambda gone: self.removed.append(gone.name),
        )
        return made.run(self.found)

    @contextmanager
    def showing(self) -> Iterator[Callable[[OperationRecord], None]]:
        self.begun += 1
        self.before(self.begun)
        yield lambda operation: None

    def states(self) -> list[InstanceState]:
        return [self.now(instance).state for instance in self.found]

    def now(self, instance: Instance) -> Instance:
        found = instances.find(self.scene.services.store, instance.id)
        assert found is not None
        return found


def raising(error: Exception) -> Callable[[], None]:
    def fault() -> None:
        raise error

    return fault


def test_one_that_is_not_through_in_time_keeps_none_of_the_others(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = scene.platform.faults
    faults["before remove_service"] = raising(NotYet(STUCK))
    run = Run(scene, monkeypatch, lambda number: faults.clear() if number == 2 else None)
    left = run.run()
    assert [(each.instance.name, str(each.why)) for each in left] == [
        ("one", "Its delete isn't through after 1 s. A finalizer keeps it.")
    ]
    assert run.removed == ["two"]
    assert run.states() == [InstanceState.DELETING, InstanceState.DELETED]
    assert [found.name for found in instances.left_elsewhere(scene.services.store)] == ["one"]


def test_once_the_platform_does_not_answer_no_other_delete_is_begun(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = scene.platform.faults
    faults["before remove_service"] = raising(Unavailable("It went away."))
    run = Run(scene, monkeypatch, lambda number: faults.update(check=raising(Unavailable("It is away."))))
    assert [(each.instance.name, str(each.why)[-13:]) for each in run.run()] == [
        ("one", "It went away."),
        ("two", "It is away."),
    ]
    assert run.states() == [InstanceState.DELETING, InstanceState.REQUESTED]


def test_an_interruption_ends_it_between_two_steps(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.platform.faults["before remove_service"] = raising(NotYet(STUCK))
    run = Run(scene, monkeypatch, lambda number: scene.inbox.put(Interrupted()))
    with pytest.raises(Interrupted):
        run.run()
    assert run.states() == [InstanceState.DELETING, InstanceState.REQUESTED]
