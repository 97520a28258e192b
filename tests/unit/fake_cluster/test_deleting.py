"""Deletions: preconditions, finalizers, owners, and namespaces that end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_cluster import FakeCluster, objects
from kubernetes.dynamic import exceptions

from tests.unit.fake_cluster.conftest import NAMESPACE, User


def owned_by(owner: dict[str, Any]) -> list[dict[str, Any]]:
    metadata = owner["metadata"]
    return [{"apiVersion": "v1", "kind": "ConfigMap", "name": metadata["name"], "uid": metadata["uid"]}]


def running(cluster: FakeCluster, user: User):
    user.apply(objects.volume_claim())
    user.apply(objects.stateful_set())
    cluster.clock.advance(10)


def test_another_uid_in_the_precondition_is_a_conflict(by_hand: FakeCluster, user: User):
    uid = user.apply(objects.config_map())["metadata"]["uid"]
    with pytest.raises(exceptions.ConflictError) as caught:
        user.delete("ConfigMap", "note", preconditions={"uid": "another"})
    assert (
        f"the UID in the precondition (another) does not match the UID in record ({uid})"
        in json.loads(caught.value.body)["message"]
    )
    with pytest.raises(exceptions.ConflictError):
        user.delete("ConfigMap", "note", preconditions={"resourceVersion": "1"})
    user.delete("ConfigMap", "note", preconditions={"uid": uid})
    assert by_hand.get("configmaps", NAMESPACE, "note") is None
    with pytest.raises(exceptions.NotFoundError):
        user.delete("ConfigMap", "note", preconditions={"uid": uid})


def test_what_is_applied_with_a_dead_owner_is_removed(by_hand: FakeCluster, user: User):
    owner = user.apply(objects.config_map("anchor"))
    user.apply(objects.config_map("child", ownerReferences=owned_by(owner)))
    by_hand.clock.advance(1)
    assert by_hand.get("configmaps", NAMESPACE, "child")
    user.delete("ConfigMap", "anchor")
    by_hand.clock.advance(1)
    assert by_hand.get("configmaps", NAMESPACE, "child") is None
    user.apply(objects.config_map("anchor"))
    user.apply(objects.config_map("late", ownerReferences=owned_by(owner)))
    by_hand.clock.advance(1)
    assert by_hand.get("configmaps", NAMESPACE, "late") is None


def test_orphans_stay(by_hand: FakeCluster, user: User):
    owner = user.apply(objects.config_map("anchor"))
    user.apply(objects.config_map("child", ownerReferences=owned_by(owner)))
    user.delete("ConfigMap", "anchor", propagationPolicy="Orphan")
    by_hand.clock.advance(1)
    assert by_hand.get("configmaps", NAMESPACE, "anchor") is None
    assert "ownerReferences" not in by_hand.get("configmaps", NAMESPACE, "child")["metadata"]


def test_in_the_foreground_the_set_waits_for_its_pod(by_hand: FakeCluster, user: User):
    running(by_hand, user)
    user.delete("StatefulSet", "demo", propagationPolicy="Foreground")
    by_hand.clock.advance(2)
    metadata = by_hand.get("statefulsets.apps", NAMESPACE, "demo")["metadata"]
    assert metadata["finalizers"] == ["foregroundDeletion"]
    assert by_hand.get("pods", NAMESPACE, "demo-0")["metadata"]["deletionTimestamp"]
    by_hand.clock.advance(5)
    assert by_hand.list("pods", NAMESPACE) == []
    assert by_hand.list("statefulsets.apps", NAMESPACE) == []


def test_in_the_background_the_set_goes_first(by_hand: FakeCluster, user: User):
    running(by_hand, user)
    user.delete("StatefulSet", "demo")
    assert by_hand.list("statefulsets.apps", NAMESPACE) == []
    assert by_hand.list("pods", NAMESPACE)
    by_hand.clock.advance(6)
    assert by_hand.list("pods", NAMESPACE) == []


def test_a_volume_claim_waits_for_its_pod(by_hand: FakeCluster, user: User):
    running(by_hand, user)
    user.delete("PersistentVolumeClaim", "demo-data")
    by_hand.clock.advance(5)
    claim = by_hand.get("persistentvolumeclaims", NAMESPACE, "demo-data")
    assert claim["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    user.delete("StatefulSet", "demo")
    by_hand.clock.advance(6)
    assert by_hand.list("persistentvolumeclaims", NAMESPACE) == []
    assert by_hand.list("persistentvolumes") == []


def test_a_foreign_finalizer_keeps_an_object(by_hand: FakeCluster, user: User):
    user.apply(objects.config_map(finalizers=["example.com/kept"]))
    user.delete("ConfigMap", "note")
    by_hand.clock.advance(60)
    assert by_hand.get("configmaps", NAMESPACE, "note")["metadata"]["deletionTimestamp"]
    user.patch("ConfigMap", "note", {"metadata": {"finalizers": None}})
    assert by_hand.get("configmaps", NAMESPACE, "note") is None


def test_a_namespace_that_ends_takes_nothing_new_and_is_emptied(by_hand: FakeCluster, user: User):
    running(by_hand, user)
    user.of("Namespace").delete(name=NAMESPACE)
    with pytest.raises(exceptions.ForbiddenError) as caught:
        user.apply(objects.config_map())
    status = json.loads(caught.value.body)
    assert status["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    by_hand.clock.advance(10)
    assert by_hand.get("namespaces", "", NAMESPACE) is None
    assert [value for _, value in by_hand.store.everything() if value["metadata"].get("namespace") == NAMESPACE] == []


def test_without_grace_a_pod_goes_at_once_and_comes_back(by_hand: FakeCluster, user: User):
    running(by_hand, user)
    uid = by_hand.get("pods", NAMESPACE, "demo-0")["metadata"]["uid"]
    user.delete("Pod", "demo-0", gracePeriodSeconds=0)
    assert by_hand.list("pods", NAMESPACE) == []
    by_hand.clock.advance(10)
    assert by_hand.get("pods", NAMESPACE, "demo-0")["metadata"]["uid"] != uid
