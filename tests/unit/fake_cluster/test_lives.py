"""The life of a StatefulSet's pod, healthy and in each way of failing."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from fake_cluster import FakeCluster, objects, seeds
from fake_cluster.pods import is_ready

from tests.unit.fake_cluster.conftest import NAMESPACE, User

Json = dict[str, Any]


def make(cluster: FakeCluster, user: User, seconds: float = 10, **more: Any) -> Json:
    user.apply(objects.volume_claim())
    user.apply(objects.service())
    user.apply(objects.stateful_set(**more))
    cluster.clock.advance(seconds)
    return pod_of(cluster)


def pod_of(cluster: FakeCluster) -> Json:
    found = cluster.get("pods", NAMESPACE, "demo-0")
    assert found is not None
    return found


def container(pod: Json) -> Json:
    return pod["status"]["containerStatuses"][0]


def reasons(cluster: FakeCluster) -> set[str]:
    return {event["reason"] for event in cluster.list("events", NAMESPACE)}


def test_a_healthy_pod_becomes_ready_and_is_counted(by_hand: FakeCluster, user: User):
    pod = make(by_hand, user)
    owner = by_hand.get("statefulsets.apps", NAMESPACE, "demo")
    assert is_ready(pod)
    assert pod["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"]
    assert owner["status"]["readyReplicas"] == owner["status"]["replicas"] == 1
    (found,) = by_hand.list("endpointslices.discovery.k8s.io", NAMESPACE)
    assert found["endpoints"][0]["conditions"]["ready"] is True
    assert found["endpoints"][0]["addresses"] == [pod["status"]["podIP"]]


@pytest.mark.parametrize(
    ("kind", "seconds", "state", "reason"),
    [
        ("image-missing", 3, "waiting", "ErrImagePull"),
        ("image-denied", 17, "waiting", "ImagePullBackOff"),
        ("config-error", 5, "waiting", "CreateContainerConfigError"),
        ("mount-stuck", 5, "waiting", "ContainerCreating"),
        ("cannot-execute", 2, "waiting", "RunContainerError"),
        ("out-of-memory", 3.25, "terminated", "OOMKilled"),
        ("crash-loop", 18.6, "waiting", "CrashLoopBackOff"),
        ("volume-not-writable", 5.1, "terminated", "Error"),
        ("never-ready", 60, "running", None),
    ],
)
def test_a_failure_shows_in_the_containers_state(
    by_hand: FakeCluster, user: User, kind: str, seconds: float, state: str, reason: str | None
):
    by_hand.scenarios.play(kind, "demo")
    status = container(make(by_hand, user, seconds))
    assert status["state"][state].get("reason") == reason
    assert not is_ready(pod_of(by_hand))


def test_last_words_come_with_the_status(by_hand: FakeCluster, user: User):
    by_hand.scenarios.play("crash-loop", words=["FATAL:  no"])
    status = container(make(by_hand, user, 7))
    assert status["lastState"]["terminated"]["message"] == "FATAL:  no\n"
    assert status["restartCount"] == 1
    text = httpx.get(
        f"{by_hand.host}/api/v1/namespaces/{NAMESPACE}/pods/demo-0/log",
        params={"previous": "true"},
        headers={"Authorization": f"Bearer {by_hand.token}"},
    ).text
    assert text == "FATAL:  no\n"


def test_a_server_not_ready_in_time_ends_in_good_order(by_hand: FakeCluster, user: User):
    by_hand.scenarios.play("not-ready-in-time")
    probe = {"exec": {"command": ["pg_isready"]}, "periodSeconds": 1, "failureThreshold": 3}
    status = container(make(by_hand, user, 8, container={"startupProbe": probe}))
    assert status["lastState"]["terminated"]["exitCode"] == 0
    killing = [event for event in by_hand.list("events", NAMESPACE) if event["reason"] == "Killing"]
    assert "failed startup probe" in killing[0]["message"]


def test_a_failure_may_meet_one_container_only(by_hand: FakeCluster, user: User):
    by_hand.scenarios.play("crash-loop", times=1)
    pod = make(by_hand, user, 20)
    assert container(pod)["restartCount"] == 1
    assert is_ready(pod)


def test_a_missing_secret_is_waited_for(by_hand: FakeCluster, user: User):
    wanted = {"name": "P", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "password"}}}
    pod = make(by_hand, user, container={"env": [wanted]})
    assert container(pod)["state"]["waiting"]["message"] == 'secret "absent" not found'
    user.apply(objects.secret("absent", stringData={"password": "p"}))
    by_hand.clock.advance(30)
    assert is_ready(pod_of(by_hand))


def test_a_missing_mount_is_told_by_an_event(by_hand: FakeCluster, user: User):
    volumes = [
        {"name": "data", "persistentVolumeClaim": {"claimName": "demo-data"}},
        {"name": "tls", "secret": {"secretName": "absent"}},
    ]
    make(by_hand, user, pod={"volumes": volumes})
    told = [event["message"] for event in by_hand.list("events", NAMESPACE) if event["reason"] == "FailedMount"]
    assert told == ['MountVolume.SetUp failed for volume "tls" : secret "absent" not found']


def test_too_much_cpu_is_unschedulable(by_hand: FakeCluster, user: User):
    pod = make(by_hand, user, container={"resources": {"requests": {"cpu": "500"}}})
    (condition,) = pod["status"]["conditions"]
    assert condition["reason"] == "Unschedulable"
    assert "1 Insufficient cpu" in condition["message"]


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        ({"storageClassName": "absent"}, "ProvisioningFailed"),
        ({"storageClassName": ""}, "FailedBinding"),
    ],
)
def test_a_claim_that_cannot_be_bound_keeps_its_pod(by_hand: FakeCluster, user: User, claim: Json, reason: str):
    user.apply(objects.volume_claim(**claim))
    user.apply(objects.stateful_set())
    by_hand.clock.advance(5)
    assert reason in reasons(by_hand)
    assert "unbound immediate PersistentVolumeClaims" in pod_of(by_hand)["status"]["conditions"][0]["message"]


def test_a_claim_pending_for_ever_says_whom_it_waits_for(by_hand: FakeCluster, user: User):
    playing = by_hand.scenarios.play("claim-pending")
    make(by_hand, user)
    assert "ExternalProvisioning" in reasons(by_hand)
    by_hand.scenarios.end(playing)
    by_hand.clock.advance(30)
    assert is_ready(pod_of(by_hand))


def test_a_class_may_wait_for_the_first_pod(by_hand: FakeCluster, user: User):
    seeds.storage_class(by_hand, "late", volumeBindingMode="WaitForFirstConsumer")
    user.apply(objects.volume_claim(storageClassName="late"))
    by_hand.clock.advance(5)
    assert by_hand.get("persistentvolumeclaims", NAMESPACE, "demo-data")["status"]["phase"] == "Pending"
    user.apply(objects.stateful_set())
    by_hand.clock.advance(10)
    assert is_ready(pod_of(by_hand))


def test_scaled_to_none_the_pod_goes_and_comes_back(by_hand: FakeCluster, user: User):
    make(by_hand, user)
    user.apply(objects.stateful_set(replicas=0))
    by_hand.clock.advance(8)
    assert by_hand.list("pods", NAMESPACE) == []
    assert by_hand.get("statefulsets.apps", NAMESPACE, "demo")["status"]["replicas"] == 0
    user.apply(objects.stateful_set(replicas=1))
    by_hand.clock.advance(8)
    assert is_ready(pod_of(by_hand))


def test_a_changed_template_replaces_the_pod(by_hand: FakeCluster, user: User):
    first = make(by_hand, user)
    user.apply(objects.stateful_set(container={"image": "postgres:17"}))
    by_hand.clock.advance(15)
    second = pod_of(by_hand)
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert container(second)["image"] == "docker.io/library/postgres:17"
    status = by_hand.get("statefulsets.apps", NAMESPACE, "demo")["status"]
    assert status["currentRevision"] == status["updateRevision"]
    assert "SuccessfulDelete" in reasons(by_hand)


def test_a_ready_pod_stays_ready_for_seconds_while_it_is_deleted(by_hand: FakeCluster, user: User):
    make(by_hand, user)
    user.delete("Pod", "demo-0")
    by_hand.clock.advance(2)
    pod = pod_of(by_hand)
    assert pod["metadata"]["deletionTimestamp"]
    assert is_ready(pod)


def test_a_killed_container_is_restarted_in_its_pod(by_hand: FakeCluster, user: User):
    first = make(by_hand, user)
    by_hand.controllers.kubelet.kill(NAMESPACE, "demo-0")
    assert not is_ready(pod_of(by_hand))
    by_hand.clock.advance(6)
    pod = pod_of(by_hand)
    assert pod["metadata"]["uid"] == first["metadata"]["uid"]
    assert container(pod)["restartCount"] == 1
    assert is_ready(pod)


def test_a_lost_node_takes_ready_away_and_gives_it_back(by_hand: FakeCluster, user: User):
    make(by_hand, user)
    kubelet = by_hand.controllers.kubelet
    kubelet.lose_node()
    pod = pod_of(by_hand)
    assert not is_ready(pod)
    assert "running" in container(pod)["state"]
    assert "NodeNotReady" in reasons(by_hand)
    kubelet.recover_node()
    assert is_ready(pod_of(by_hand))


def test_an_evicted_pod_is_made_anew(by_hand: FakeCluster, user: User):
    first = make(by_hand, user)
    by_hand.controllers.kubelet.evict(NAMESPACE, "demo-0")
    assert pod_of(by_hand)["status"]["reason"] == "Evicted"
    by_hand.clock.advance(15)
    assert pod_of(by_hand)["metadata"]["uid"] != first["metadata"]["uid"]
    assert is_ready(pod_of(by_hand))


def test_a_pod_of_the_same_name_makes_a_new_set_wait(by_hand: FakeCluster, user: User):
    make(by_hand, user)
    user.delete("StatefulSet", "demo")
    made = user.apply(objects.stateful_set())
    by_hand.clock.advance(1)
    assert pod_of(by_hand)["metadata"]["ownerReferences"][0]["uid"] != made["metadata"]["uid"]
    by_hand.clock.advance(20)
    assert pod_of(by_hand)["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
    assert is_ready(pod_of(by_hand))


def test_at_speed_it_takes_a_fraction_of_the_time(by_hand: FakeCluster, user: User):
    make(by_hand, user, recorded := 1.0)
    while not is_ready(pod_of(by_hand)):
        by_hand.clock.advance(0.1)
        recorded += 0.1
    assert recorded > 3
    with FakeCluster(speed=200) as cluster:
        began = time.monotonic()
        seeds.make(cluster, "persistentvolumeclaims", objects.volume_claim() | _named("demo-data"))
        seeds.make(cluster, "statefulsets.apps", objects.stateful_set() | _named("demo"))
        cluster.wait(lambda: any(is_ready(pod) for pod in cluster.list("pods")))
        assert time.monotonic() - began < recorded


def _named(name: str) -> Json:
    return {"metadata": {"name": name, "namespace": "default"}}
