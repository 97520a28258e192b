"""The rights are enough for everything that the code does in a cluster, and none of them is one too many."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fake_cluster import FakeCluster, seeds
from fake_cluster.rights import Identity
from manifest_subject import LOGINS, NAMESPACE, chosen, target

from toygres.domain.authority import Authority
from toygres.domain.operation import NotYet
from toygres.errors import Refused
from toygres.platforms.kubernetes import manifests
from toygres.platforms.kubernetes.platform import KubernetesPlatform
from toygres.platforms.kubernetes.rights import NAMESPACES, WEB, WORKER, Right, review, rules
from toygres.platforms.protocol import Target

Asked = set[tuple[str, str, str]]


def each(*rights: Right) -> Asked:
    return {(verb, right.group, right.resource) for right in rights for verb in right.verbs}


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    with FakeCluster() as made:
        seeds.make(made, "namespaces", manifests.namespace(NAMESPACE))
        yield made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Every right that was needed so far, by whomever."""
    found: Asked = set()
    real = Identity.may

    def may(self: Identity, verb: str, group: str, resource: str, *where: str) -> bool:
        found.add((verb, group, resource))
        return real(self, verb, group, resource, *where)

    monkeypatch.setattr(Identity, "may", may)
    return found


@pytest.fixture
def platform(cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The platform as one with these rights has it."""

    def make(*rights: Right, everywhere: list[Right] | None = None) -> KubernetesPlatform:
        token = cluster.user("somebody", {NAMESPACE: rules(rights), "*": rules(everywhere or [])})
        monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig(tmp_path / "kubeconfig", token=token)))
        return KubernetesPlatform("kubernetes", chosen())

    return make


@pytest.fixture
def subject() -> Target:
    kept: list[Authority] = []

    def authority(make: Callable[[], Authority]) -> Authority:
        if not kept:
            kept.append(make())
        return kept[0]

    return replace(target(), authority=authority)


def is_ready(cluster: FakeCluster) -> bool:
    conditions = [found for pod in cluster.list("pods", NAMESPACE) for found in pod["status"].get("conditions", [])]
    return any(found["type"] == "Ready" and found["status"] == "True" for found in conditions)


def created(platform: KubernetesPlatform, subject: Target) -> Target:
    platform.apply_credentials(subject, lambda: LOGINS)
    platform.apply_storage(subject)
    platform.apply_server(subject)
    endpoint = platform.apply_service(subject)
    platform.apply_certificate(subject)
    return replace(subject, instance=replace(subject.instance, endpoint=endpoint))


def removed(cluster: FakeCluster, platform: KubernetesPlatform, subject: Target) -> None:
    for remove in (
        platform.remove_service,
        platform.remove_server,
        platform.remove_storage,
        platform.remove_credentials,
    ):
        if not done(remove, subject):
            cluster.wait(lambda: nothing_is_going(cluster))
            assert done(remove, subject)


def nothing_is_going(cluster: FakeCluster) -> bool:
    kinds = ("services", "statefulsets.apps", "pods", "persistentvolumeclaims", "secrets", "configmaps")
    return not any(
        "deletionTimestamp" in found["metadata"] for kind in kinds for found in cluster.list(kind, NAMESPACE)
    )


def done(remove: Callable[[Target], None], subject: Target) -> bool:
    try:
        remove(subject)
    except NotYet:
        return False
    return True


def looked_at(platform: KubernetesPlatform, subject: Target) -> None:
    platform.check()
    platform.observe(subject.instance)
    platform.credentials(subject.instance)
    platform.certificate(subject.instance)
    platform.evidence(subject.instance)
    platform.objects(subject.instance.id)
    with platform.reach(subject.instance) as way:
        assert way is not None
        # Nothing runs behind the pod, so that the way ends at once.
        with socket.create_connection((way.address, way.port or 5432), timeout=5) as connection:
            assert connection.recv(1) == b""


def test_a_worker_with_exactly_its_rights_can_do_all_and_uses_every_one_of_them(
    cluster: FakeCluster, platform: Callable[..., KubernetesPlatform], asked: Asked, subject: Target
) -> None:
    worker = platform(*WORKER)
    told, stop = threading.Event(), threading.Event()

    def changed(instance_id: UUID) -> None:
        if instance_id == subject.instance.id:
            told.set()

    assert worker.identity() is not None
    made = created(worker, subject)
    cluster.wait(lambda: is_ready(cluster))
    looked_at(worker, made)
    watching = threading.Thread(target=worker.watch, args=(changed, stop))
    watching.start()
    try:
        assert told.wait(20)
        looked_at(worker, made)
        # A later step finds everything there, and looks before it applies.
        created(worker, replace(made, fence=made.fence + 1))
        worker.stop_server(replace(made, fence=made.fence + 2))
        removed(cluster, worker, replace(made, fence=made.fence + 3))
        assert worker.objects(made.instance.id) == []
    finally:
        stop.set()
        watching.join()
    assert asked == each(*WORKER)


def test_a_web_process_with_its_one_right_hands_credentials_out_and_writes_nothing(
    cluster: FakeCluster, platform: Callable[..., KubernetesPlatform], asked: Asked, subject: Target
) -> None:
    made = created(platform(*WORKER), subject)
    asked.clear()
    web = platform(*WEB)
    web.check()
    web.capabilities()
    found = web.credentials(made.instance)
    assert found is not None
    assert found.user.password == LOGINS.user.password
    assert asked == each(*WEB)
    # It can't tell which cluster it is, and starts all the same.
    assert web.identity() is None
    with pytest.raises(Refused, match="may not"):
        web.apply_storage(made)


def test_a_namespace_is_made_with_the_rights_for_it(
    cluster: FakeCluster, platform: Callable[..., KubernetesPlatform], asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOYGRES_NAMESPACE", "another")
    worker = platform(everywhere=list(NAMESPACES))
    assert worker.identity() is not None
    assert cluster.get("namespaces", "", "another") is not None
    assert asked == each(*NAMESPACES)


def test_nobody_gets_a_right_to_everything() -> None:
    for right in (*WORKER, *WEB, *NAMESPACES):
        assert right.resource != "*"
        assert not {"*", "deletecollection", "update", "escalate", "bind", "impersonate"} & set(right.verbs)


@pytest.mark.parametrize(
    ("right", "attributes"),
    [
        (Right("", "pods/log", ("get",)), {"resource": "pods", "subresource": "log"}),
        (Right("apps", "statefulsets", ("get",)), {"resource": "statefulsets", "group": "apps"}),
    ],
)
def test_a_review_asks_for_one_verb(right: Right, attributes: dict[str, str]) -> None:
    body: dict[str, Any] = review(right, "ns")
    assert body["spec"]["resourceAttributes"] == {"namespace": "ns", "verb": "get", **attributes}
    assert "namespace" not in review(right, None)["spec"]["resourceAttributes"]  # type: ignore[index]


def test_a_right_is_told_in_a_persons_words() -> None:
    assert str(Right("apps", "statefulsets", ("get", "list"))) == "get, list statefulsets.apps"
    assert str(Right("", "pods/log", ("get",))) == "get pods/log"
