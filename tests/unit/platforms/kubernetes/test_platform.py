"""The platform as a whole on a fake cluster: whose objects it touches, what it takes back, which place it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from fake_cluster import FakeCluster, seeds
from making import INSTALLATION, MakeSubject, Subject, make_credentials, subjects, watching
from making_cluster import cluster_platform

from toygres.config import load
from toygres.domain.instance import ServiceType
from toygres.domain.operation import NotYet
from toygres.errors import CauseCode, Conflict, Refused
from toygres.platforms.kubernetes import certificates
from toygres.platforms.kubernetes.causes import stateful_set
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.platform import KubernetesPlatform
from toygres.platforms.protocol import ServerPhase
from toygres.provisioning import require_project


@pytest.fixture
def world() -> Iterator[tuple[FakeCluster, KubernetesPlatform]]:
    with cluster_platform({"servers": None}, kube_load_balancers=True) as (cluster, platform):
        yield cluster, platform


@pytest.fixture
def cluster(world: tuple[FakeCluster, KubernetesPlatform]) -> FakeCluster:
    return world[0]


@pytest.fixture
def platform(world: tuple[FakeCluster, KubernetesPlatform]) -> KubernetesPlatform:
    return world[1]


@pytest.fixture
def make_subject(platform: KubernetesPlatform) -> Iterator[MakeSubject]:
    with subjects(platform) as make:
        yield make


@pytest.fixture
def subject(make_subject: MakeSubject) -> Subject:
    return make_subject()


def _late(subject: Subject) -> Subject:
    """The subject as a step sees it whose claim is lost, and which doesn't know yet."""
    subject.with_fence(subject.fence + 1)
    return subject


def test_a_late_anchor_is_taken_away_again_by_who_made_it(subject: Subject) -> None:
    with pytest.raises(Refused) as refused:
        _late(subject).platform.apply_credentials(subject.target, make_credentials)
    assert refused.value.cause.code is CauseCode.FENCED_OFF
    assert subject.objects == []


def test_a_late_volume_claim_is_taken_away_again_by_who_made_it(cluster: FakeCluster, subject: Subject) -> None:
    subject.platform.apply_credentials(subject.target, lambda: subject.credentials)
    with pytest.raises(Refused):
        _late(subject).platform.apply_storage(subject.target)
    assert cluster.wait(lambda: not cluster.list("persistentvolumeclaims", "toygres"))


def test_a_server_that_was_made_too_late_keeps_no_volume_claim(cluster: FakeCluster, subject: Subject) -> None:
    subject.make()
    subject.take(subject.platform.remove_service)
    subject.take(subject.platform.remove_server)
    # A worker that was frozen when the anchor had let it pass.
    subject.platform.apply_server(subject.target)
    assert cluster.wait(lambda: cluster.list("pods", "toygres"))
    subject.take(subject.platform.remove_storage)
    subject.take(subject.platform.remove_credentials)
    assert subject.objects == []


def test_a_pod_that_does_not_end_is_told_with_its_node(
    cluster: FakeCluster, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject.make()
    assert cluster.wait(lambda: any(pod["spec"].get("nodeName") for pod in cluster.list("pods", "toygres")))
    cluster.controllers.kubelet.lose_node()
    with pytest.raises(NotYet) as going:
        subject.platform.remove_server(subject.target)
    assert going.value.cause.code is CauseCode.STOPPING
    monkeypatch.setattr(stateful_set, "_STUCK_SECONDS", -1.0)
    with pytest.raises(NotYet) as stuck:
        subject.platform.remove_server(subject.target)
    assert stuck.value.cause.code is CauseCode.POD_STUCK
    assert cluster.list("pods", "toygres")[0]["spec"]["nodeName"] in stuck.value.cause.remedy
    cluster.controllers.kubelet.recover_node()


@pytest.mark.parametrize("observing", [False, True])
def test_a_server_without_its_service_is_seen_by_whoever_looks(subject: Subject, observing: bool) -> None:
    subject.bring_up()
    with watching(subject.platform) if observing else nullcontext():
        assert subject.platform.glance(subject.instance).phase is ServerPhase.UP
        subject.take(subject.platform.remove_service)
        seen = subject.platform.glance(subject.instance)
    assert seen.phase is ServerPhase.STARTING
    assert seen.cause is not None
    assert seen.cause.code is CauseCode.SERVICE_MISSING


def test_what_was_found_is_discarded_and_nothing_that_came_later(subject: Subject, make_subject: MakeSubject) -> None:
    neighbour = make_subject()
    for each in (subject, neighbour):
        each.store()
    found = subject.platform.found(INSTALLATION)
    assert found.keys() == {subject.instance.id, neighbour.instance.id}
    before = neighbour.objects
    named = found[subject.instance.id].discard()
    assert f"ConfigMap {subject.instance.name}-anchor" in named
    assert neighbour.objects == before
    subject.with_fence(5).store()
    assert found[subject.instance.id].discard() == named
    assert [each for each in subject.objects if "anchor" in each], "it is another one than was found"


def test_what_was_written_to_since_it_was_found_is_left(subject: Subject) -> None:
    subject.store()
    found = subject.platform.found(INSTALLATION)[subject.instance.id]
    assert found.fence == 1
    subject.with_fence(2).store()
    found.discard()
    assert [each for each in subject.objects if "anchor" in each]
    assert subject.platform.found(INSTALLATION)[subject.instance.id].fence == 2


def test_what_another_worker_has_taken_up_is_not_taken_back(subject: Subject) -> None:
    taken_up = subject.with_fence(2)

    def lost() -> bool:
        # While this one was frozen the next one took the step over, and did it.
        taken_up.platform.apply_credentials(taken_up.target, lambda: subject.credentials)
        return False

    with pytest.raises(Refused):
        subject.platform.apply_credentials(replace(subject.target, held=lost), make_credentials)
    kept = subject.platform.credentials(subject.instance)
    assert kept is not None
    assert kept.user.password == subject.credentials.user.password
    assert [each for each in subject.objects if "anchor" in each]


def test_another_installations_objects_are_not_found(subject: Subject) -> None:
    subject.store()
    assert subject.platform.found(uuid4()) == {}


def test_a_foreign_object_of_the_name_is_named_and_left_alone(cluster: FakeCluster, subject: Subject) -> None:
    subject.platform.apply_credentials(subject.target, lambda: subject.credentials)
    name = subject.instance.name
    theirs = {"metadata": {"name": name, "namespace": "toygres"}, "spec": {"ports": [{"port": 80}]}}
    foreign = seeds.make(cluster, "services", theirs)
    with pytest.raises(Refused) as refused:
        subject.platform.apply_service(subject.target)
    assert refused.value.cause.code is CauseCode.NAME_TAKEN
    assert f"Service {name}" in refused.value.cause.message
    subject.remove()
    kept = cluster.get("services", "toygres", name)
    assert kept is not None
    assert kept["metadata"]["uid"] == foreign["metadata"]["uid"]


def test_another_project_is_told_a_remedy_that_helps_here(platform: KubernetesPlatform) -> None:
    require_project(platform, "default")
    with pytest.raises(Conflict, match="serves the project 'default' only") as refused:
        require_project(platform, "shop")
    assert "Order it in that project" in refused.value.remedy
    assert "TOYGRES_LOCAL_SHARED" not in refused.value.remedy


def test_stopping_what_was_never_made_makes_nothing(subject: Subject) -> None:
    subject.platform.apply_credentials(subject.target, lambda: subject.credentials)
    before = subject.objects
    subject.platform.stop_server(subject.target)
    assert subject.objects == before


def test_nothing_is_written_to_another_place_than_the_known_one(
    cluster: FakeCluster, tmp_path: Path, subject: Subject
) -> None:
    connected = Cluster(kubeconfig=str(cluster.kubeconfig(tmp_path / "kubeconfig")))
    another = KubernetesPlatform("kubernetes", load(home=tmp_path), connected)
    another.expect("the UID of a namespace of another cluster")
    with pytest.raises(Refused) as refused:
        another.apply_credentials(subject.target, make_credentials)
    assert "isn't the one" in refused.value.cause.message
    assert subject.objects == []


def test_who_may_not_look_at_the_namespace_can_not_tell_which_place_it_is(
    cluster: FakeCluster, platform: KubernetesPlatform, tmp_path: Path
) -> None:
    namespace = platform.identity()
    assert namespace is not None
    assert namespace == platform.identity()
    secrets_only = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    token = cluster.user("system:serviceaccount:toygres:web", {"toygres": [secrets_only]})
    connected = Cluster(kubeconfig=str(cluster.kubeconfig(tmp_path / "kubeconfig", token=token)))
    assert KubernetesPlatform("kubernetes", load(home=tmp_path), connected).identity() is None


def test_a_load_balancers_address_is_awaited_and_the_certificate_holds_for_it(
    cluster: FakeCluster, subject: Subject
) -> None:
    spec = replace(subject.instance.spec, service_type=ServiceType.LOAD_BALANCER, allowed_cidrs=("10.0.0.0/8",))
    balanced = replace(subject, instance=replace(subject.instance, spec=spec))
    cluster.controllers.services.balancer_seconds = None
    balanced.make()
    with pytest.raises(NotYet) as waits:
        balanced.platform.await_address(balanced.target)
    assert waits.value.cause.code is CauseCode.LOAD_BALANCER_PENDING
    before = balanced.platform.certificate(balanced.instance)
    name = balanced.instance.name
    with cluster.store.lock:
        service = cluster.store.get("services", "toygres", name)
        assert service is not None
        ingress = {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}
        cluster.store.put("services", service | {"status": ingress})
    found = balanced.platform.await_address(balanced.target)
    assert (found.host, found.port) == ("192.0.2.7", 5432)
    after = balanced.platform.certificate(balanced.instance)
    assert before != after
    assert after is not None
    kept = balanced.platform.credentials(balanced.instance)
    assert kept is not None
    assert kept.authority is not None
    assert not certificates.needs_renewal(after, kept.authority, (name,), ("192.0.2.7",), datetime.now(UTC))
    assert not balanced.platform.certificate_is_old(replace(balanced.instance, endpoint=found))
    moved = replace(balanced.instance, endpoint=replace(found, host="192.0.2.8"))
    assert balanced.platform.certificate_is_old(moved)


def _policies(cluster: FakeCluster) -> list[str]:
    return [each["metadata"]["name"] for each in cluster.list("networkpolicies.networking.k8s.io", "toygres")]


def test_without_network_policies_none_is_made_and_the_one_there_is_goes_at_the_next_start(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        known = Cluster(kubeconfig=str(cluster.kubeconfig(tmp_path / "kubeconfig")))
        with_them, without = (
            KubernetesPlatform("kubernetes", load(home=tmp_path / "home", kube_network_policy=wanted), known)
            for wanted in (True, False)
        )
        with subjects(without) as make:
            subject = make()
            subject.make()
            assert _policies(cluster) == []
            replace(subject, platform=with_them).platform.apply_server(subject.target)
            assert _policies(cluster) == [subject.instance.name]
            without.apply_server(subject.target)
            assert _policies(cluster) == []
