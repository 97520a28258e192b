"""On a cluster: a create that can't succeed ends early with its cause, one that may waits and shows why."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from driving import CALLER, Driver
from fake_cluster.answers import Refusal
from fake_cluster.pods import is_ready
from fake_cluster.store import Change
from making_plane import NAMESPACE, Plane, driven

from toygres.domain.operation import OperationState
from toygres.errors import CauseCode
from toygres.platforms.kubernetes import certificates
from toygres.platforms.kubernetes.names import SERVICE_ACCOUNT
from toygres.provisioning import request_delete
from toygres.services import Services

Cause = CauseCode

# What the cluster plays, the cause that the operation fails with, and words that its user reads.
FINAL = {
    "image-not-found": (Cause.IMAGE_MISSING, "doesn't exist"),
    "image-denied": (Cause.IMAGE_DENIED, "doesn't hand out"),
    "bad-parameter": (Cause.PARAMETERS_REJECTED, "shared_buffers"),
    "crash-loop": (Cause.PARAMETERS_REJECTED, "no_such_parameter"),
    "out-of-memory": (Cause.OUT_OF_MEMORY, "memory"),
    "volume-not-writable": (Cause.VOLUME_NOT_WRITABLE, "Permission denied"),
    "disk-full": (Cause.DISK_FULL, "No space left on device"),
    "data-directory-not-empty": (Cause.DATA_DIRECTORY_NOT_EMPTY, "exists but is not empty"),
    "wrong-architecture": (Cause.WRONG_ARCHITECTURE, "exec format error"),
    "key-mode": (Cause.TLS_KEY_UNUSABLE, "group or world access"),
    "cannot-execute": (Cause.CONTAINER_CANT_START, "executable file not found"),
    "config-error": (Cause.CONTAINER_CONFIG, "runAsNonRoot"),
}
# The same of what may heal: the operation shows it while it waits.
HEALING = {
    "image-missing": Cause.REGISTRY_UNREACHABLE,
    "registry-timeout": Cause.REGISTRY_UNREACHABLE,
    "unschedulable": Cause.UNSCHEDULABLE,
    "provisioning-failed": Cause.PROVISIONING_FAILED,
    "mount-stuck": Cause.VOLUME_NOT_MOUNTED,
    "attach-stuck": Cause.VOLUME_NOT_MOUNTED,
}


@pytest.mark.parametrize("kind", FINAL)
def test_what_cant_heal_ends_the_create_with_its_cause_and_leaves_nothing(plane: Plane, kind: str) -> None:
    code, words = FINAL[kind]
    plane.cluster.scenarios.play(kind, kind)
    cause = plane.fails(plane.ask(kind), code)
    assert words in "\n".join((cause.message, *cause.evidence))


@pytest.mark.parametrize("kind", HEALING)
def test_what_may_heal_is_shown_until_it_does(plane: Plane, kind: str) -> None:
    plane.cluster.scenarios.play(kind, kind)
    operation = plane.ask(kind)
    cause = plane.waits(operation, HEALING[kind])
    assert cause.evidence
    plane.cluster.scenarios.end()
    assert plane.ended(operation.id).state is OperationState.SUCCEEDED
    assert plane.every_step_once(operation)


def test_what_doesnt_heal_in_time_ends_the_create_with_what_it_waited_for(plane: Plane) -> None:
    plane.cluster.scenarios.play("unschedulable", "never")
    operation = plane.ask("never")
    plane.waits(operation, Cause.UNSCHEDULABLE)
    plane.let_pass(plane.services.settings.server_start_seconds + 1)
    cause = plane.fails(operation, Cause.UNSCHEDULABLE)
    assert cause.message.startswith("Waited too long: ")
    assert "cpu" in cause.message


def test_a_server_that_ends_again_and_again_is_told_in_its_own_last_words(plane: Plane) -> None:
    # A real server says that.
    cause = plane.fails(plane.ask("last-words", parameters={"shared_buffers": "7TB"}), Cause.PARAMETERS_REJECTED)
    assert "shared_buffers" in cause.message + cause.remedy
    assert any("FATAL" in line for line in cause.evidence), cause.evidence


def test_a_storage_class_that_isnt_there_is_named(plane: Plane) -> None:
    cause = plane.fails(plane.ask("no-class", storage_class="imaginary"), Cause.STORAGE_CLASS_MISSING)
    assert "imaginary" in cause.message


def test_a_cluster_without_a_default_storage_class_is_told(plane: Plane) -> None:
    with changed(plane, "storageclasses.storage.k8s.io", "", "standard", lambda found: found.pop("annotations")):
        cause = plane.fails(plane.ask("no-default"), Cause.STORAGE_CLASS_UNSET)
    assert "no storage class is set" in "\n".join(cause.evidence)
    assert "default" in cause.message + cause.remedy


def test_a_secret_that_somebody_took_away_is_waited_for(plane: Plane) -> None:
    taken: list[dict[str, Any]] = []

    def take_away(change: Any) -> None:
        if change.type == "ADDED" and change.object["metadata"]["name"] == "bereft-0":
            found = plane.cluster.get("secrets", NAMESPACE, "bereft-tls")
            assert found is not None
            taken.append(found)
            plane.cluster.store.remove("secrets", found)

    plane.cluster.store.listeners.append(take_away)
    operation = plane.ask("bereft")
    cause = plane.waits(operation, Cause.VOLUME_NOT_MOUNTED)
    assert 'secret "bereft-tls" not found' in "\n".join((cause.message, *cause.evidence))
    plane.cluster.store.listeners.remove(take_away)
    with plane.cluster.store.lock:
        plane.cluster.store.put("secrets", taken[0])
    assert plane.ended(operation.id).state is OperationState.SUCCEEDED


def test_a_quota_is_waited_for(plane: Plane) -> None:
    plane.cluster.scenarios.quota(NAMESPACE, requests_memory="1Mi")
    try:
        operation = plane.ask("too-much")
        cause = plane.waits(operation, Cause.QUOTA_EXCEEDED)
        assert "requests.memory" in "\n".join((cause.message, *cause.evidence))
    finally:
        plane.take_away("resourcequotas", "small")
    assert plane.ended(operation.id).state is OperationState.SUCCEEDED


def test_a_limit_range_that_forbids_the_pod_ends_the_create(plane: Plane) -> None:
    plane.cluster.scenarios.limits(NAMESPACE, most={"memory": "1Mi"})
    try:
        cause = plane.fails(plane.ask("too-big"), Cause.LIMIT_RANGE)
        assert "maximum memory usage per Container is 1Mi" in cause.message
    finally:
        plane.take_away("limitranges", "limits")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (Cause.POD_SECURITY, 'violates PodSecurity "restricted:latest": seccompProfile (pod must not …)'),
        (Cause.ADMISSION_REFUSED, 'admission webhook "no.example.com" denied the request: not on a Friday'),
    ],
)
def test_a_pod_that_is_refused_ends_the_create(plane: Plane, code: CauseCode, words: str) -> None:
    def refuse(kind: str, value: dict[str, Any]) -> Refusal | None:
        name = value["metadata"].get("name")
        return Refusal(403, "Forbidden", f'pods "{name}" is forbidden: {words}') if kind == "Pod" else None

    plane.cluster.policies.append(refuse)
    try:
        cause = plane.fails(plane.ask(f"refused-{code.value.lower()}"), code)
        assert words.rpartition(": ")[2].rstrip(")") in cause.message
        assert any(words in line for line in cause.evidence), cause.evidence
    finally:
        plane.cluster.policies.remove(refuse)


@pytest.mark.parametrize(
    "resource", ["configmaps", "secrets", "persistentvolumeclaims", "statefulsets", "services", "networkpolicies"]
)
def test_a_right_that_is_missing_is_named_and_nothing_is_left(plane: Plane, resource: str) -> None:
    with plane.without_right_to_create(resource):
        cause = plane.fails(plane.ask(f"no-{resource}"), Cause.FORBIDDEN)
    assert resource in cause.message


def test_one_who_may_not_make_the_service_account_is_told_and_nothing_is_left(plane: Plane, other: Services) -> None:
    # Tests that came before may have had it made.
    if plane.cluster.get("serviceaccounts", NAMESPACE, SERVICE_ACCOUNT):
        plane.take_away("serviceaccounts", SERVICE_ACCOUNT)
    # Whoever has once seen it there doesn't look again: only one who is new here does.
    with plane.without_right_to_create("serviceaccounts"):
        failed = driven(other, Driver.arrive(other).order("no-account").operation)
    assert failed.cause is not None
    assert (failed.state, failed.cause.code) == (OperationState.FAILED, Cause.FORBIDDEN)
    assert "create serviceaccounts" in failed.cause.message
    assert failed.leftovers == ()
    assert plane.objects(failed.instance_id) == []
    made = driven(other, Driver.arrive(other).order("account").operation)
    assert made.state is OperationState.SUCCEEDED, made
    assert plane.cluster.get("serviceaccounts", NAMESPACE, SERVICE_ACCOUNT) is not None
    assert driven(other, request_delete(other, CALLER, "account").operation).state is OperationState.SUCCEEDED


def test_a_password_that_the_server_doesnt_take_ends_the_create(plane: Plane) -> None:
    with edited(plane, "misled", {"password": "another"}, once=lambda change: is_ready_pod(change, "misled")):
        cause = plane.fails(plane.ask("misled"), Cause.WRONG_PASSWORD)
    assert cause.message.startswith("The server doesn't accept the password in the instance's Secret: password auth")


def test_a_server_that_shows_another_certificate_ends_the_create(plane: Plane) -> None:
    another = certificates.make_authority("another", datetime.now(UTC)).certificate
    with edited(plane, "distrusted", {"ca.crt": another}, once=lambda change: change.type == "ADDED"):
        cause = plane.fails(plane.ask("distrusted"), Cause.TLS_UNTRUSTED)
    assert cause.message.startswith("The server's TLS certificate isn't the one that is expected: ")
    assert "certificate verify failed" in cause.message


@contextmanager
def edited(plane: Plane, name: str, data: dict[str, str], *, once: Callable[[Change], bool]) -> Iterator[None]:
    """Have somebody else write to an instance's credentials, as soon as they are there and a change is `once`."""
    sent = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    left = [f"{name}-credentials"]

    def noticed(change: Change) -> None:
        if left and plane.cluster.get("secrets", NAMESPACE, left[0]) and once(change):
            plane.cluster.store.edit("secrets", NAMESPACE, left.pop(), lambda found: found["data"].update(sent))

    plane.cluster.store.listeners.append(noticed)
    try:
        yield
    finally:
        plane.cluster.store.listeners.remove(noticed)
    assert not left


def is_ready_pod(change: Change, name: str) -> bool:
    """Whether the instance's server has just become ready."""
    return change.resource == "pods" and change.object["metadata"]["name"] == f"{name}-0" and is_ready(change.object)


@contextmanager
def changed(
    plane: Plane, resource: str, namespace: str, name: str, change: Callable[[dict[str, Any]], object]
) -> Iterator[None]:
    """Change an object's metadata for as long as the block lasts."""
    before = plane.cluster.get(resource, namespace, name)
    assert before is not None
    plane.cluster.store.edit(resource, namespace, name, lambda found: change(found["metadata"]) and None)
    try:
        yield
    finally:
        with plane.cluster.store.lock:
            plane.cluster.store.put(resource, before)
