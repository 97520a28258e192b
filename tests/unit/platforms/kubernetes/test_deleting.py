"""A whole delete: in which order objects go, and what its steps tell of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from making import MakeSubject, Subject, subjects
from meddling import World

from toygres.config import load
from toygres.domain.operation import NotYet
from toygres.errors import CauseCode
from toygres.platforms.kubernetes import labels
from toygres.platforms.kubernetes.platform import KubernetesPlatform

STEPS = ("remove_service", "remove_server", "remove_storage", "remove_credentials")


@pytest.fixture
def make_subject(world: World, tmp_path: Path) -> Iterator[MakeSubject]:
    with subjects(KubernetesPlatform("kubernetes", load(home=tmp_path), world.cluster)) as make:
        yield make


@pytest.fixture
def subject(make_subject: MakeSubject) -> Subject:
    """An instance of which everything was made."""
    made = make_subject()
    made.make()
    return made


def deleted(subject: Subject) -> list[str]:
    """What each step of a delete tells, taken as often as it takes."""
    told: list[str] = []
    for name in STEPS:
        step = getattr(subject.platform, name)
        subject.take(lambda target, step=step: told.append(step(target)))  # type: ignore[misc]
    return told


def _named(subject: Subject, resource: str, end: str = "") -> str:
    return f"{resource}/{subject.instance.name}{end}"


def _foreign(world: World, subject: Subject, resource: str, name: str, **value: Any) -> None:
    """Let another installation have an object that says it is this instance's."""
    marks = {labels.INSTANCE_ID: str(subject.instance.id), labels.INSTALLATION: str(uuid4())}
    world.put(resource, name, metadata={"labels": marks}, **value)


def test_the_anchor_goes_last_of_all(world: World, subject: Subject) -> None:
    before = len(world.cluster.sent)
    deleted(subject)
    calls = [call.removeprefix("DELETE ") for call in world.cluster.calls()[before:] if call.startswith("DELETE")]
    assert calls == [
        _named(subject, "services"),
        _named(subject, "statefulsets"),
        _named(subject, "persistentvolumeclaims", f"-data-{subject.instance.id.hex[-8:]}"),
        *(_named(subject, "secrets", end) for end in ("-credentials", "-monitor", "-tls")),
        _named(subject, "configmaps", "-config"),
        _named(subject, "networkpolicies"),
        _named(subject, "configmaps", "-anchor"),
    ]


def test_each_object_is_told_once_it_is_gone_though_its_step_had_to_wait(subject: Subject) -> None:
    name = subject.instance.name
    service, server, storage, rest = deleted(subject)
    assert service == f"Removed Service {name}."
    # Its pod takes its time, so that the look which ends the step finds neither.
    assert server == f"Nothing is left of StatefulSet {name}."
    assert f"PersistentVolumeClaim {name}-data-" in storage
    assert rest == (
        f"Removed Secret {name}-credentials, Secret {name}-monitor, Secret {name}-tls. "
        f"Removed ConfigMap {name}-config. Removed NetworkPolicy {name}. Removed ConfigMap {name}-anchor."
    )


def test_what_is_not_the_instances_is_told_as_left_alone(world: World, subject: Subject) -> None:
    name = subject.instance.name
    world.drop("services", name)
    world.put("services", name, spec={"ports": [{"port": 80}]})
    assert deleted(subject)[0] == f"Left alone, since it isn't this instance's: Service {name}."
    assert world.get("services", name) is not None


def test_another_installations_object_that_names_the_instance_is_told_and_not_waited_for(
    world: World, subject: Subject
) -> None:
    _foreign(world, subject, "services", "theirs", spec={"ports": [{"port": 80}]})
    _foreign(world, subject, "pods", "theirs", spec={"containers": [{"name": "a", "image": "a"}]})
    told = deleted(subject)
    assert told[0] == (
        f"Removed Service {subject.instance.name}. Left alone, since it isn't this instance's: Service theirs."
    )
    assert world.get("services", "theirs") is not None
    for kind in ("services", "pods"):
        world.drop(kind, "theirs")


def test_what_a_finalizer_keeps_is_told_while_it_is_waited_for(world: World, subject: Subject) -> None:
    name = subject.instance.name
    world.edit("services", name, finalizers=["example.com/keeps"])
    with pytest.raises(NotYet) as waits:
        subject.platform.remove_service(subject.target)
    assert waits.value.cause.code is CauseCode.STOPPING
    assert f"Service {name}, being deleted (kept by its finalizer example.com/keeps)" in waits.value.cause.message
    world.drop("services", name)
    assert subject.platform.remove_service(subject.target) == f"Nothing is left of Service {name}."
