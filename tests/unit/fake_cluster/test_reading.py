"""Lists, selectors and pieces of lists."""

from __future__ import annotations

from typing import Any

import pytest
from fake_cluster import FakeCluster, objects
from kubernetes.dynamic import exceptions

from tests.unit.fake_cluster.conftest import NAMESPACE, User


def names(listed: Any) -> list[str]:
    return [item.metadata.name for item in listed.items]


def test_labels_select(user: User):
    for name, labels in (("a", {"x": "1"}), ("b", {"x": "2"}), ("c", {"y": "1"})):
        user.apply(objects.config_map(name, labels=labels))
    for selector, expected in {
        "x=1": ["a"],
        "x": ["a", "b"],
        "x!=1,x": ["b"],
        "x in (1, 2)": ["a", "b"],
        "x notin (1),!y": ["b", "kube-root-ca.crt"],
        "y=1,x=1": [],
    }.items():
        found = user.of("ConfigMap").get(namespace=NAMESPACE, label_selector=selector)
        assert names(found) == expected, selector


def test_events_are_selected_by_their_fields(by_hand: FakeCluster, user: User):
    user.apply(objects.volume_claim())
    user.apply(objects.stateful_set())
    by_hand.clock.advance(10)
    uid = by_hand.list("pods", NAMESPACE)[0]["metadata"]["uid"]
    events = user.of("Event")
    found = events.get(namespace=NAMESPACE, field_selector=f"involvedObject.uid={uid},type!=Normal").items
    assert {event.reason for event in found} == {"FailedScheduling", "Unhealthy"}
    found = events.get(
        namespace=NAMESPACE, field_selector="involvedObject.kind=StatefulSet,reason=SuccessfulCreate"
    ).items
    assert [event.message for event in found] == ["Create Pod demo-0 in StatefulSet demo successful"]
    with pytest.raises(exceptions.BadRequestError):
        events.get(namespace=NAMESPACE, field_selector="message=x")


def test_pods_are_selected_by_their_phase(by_hand: FakeCluster, user: User):
    user.apply(objects.volume_claim())
    user.apply(objects.stateful_set())
    by_hand.clock.advance(10)
    assert names(user.of("Pod").get(namespace=NAMESPACE, field_selector="status.phase=Running")) == ["demo-0"]
    assert names(user.of("Pod").get(namespace=NAMESPACE, field_selector="status.phase!=Running")) == []


def test_a_list_comes_in_pieces(by_hand: FakeCluster, user: User):
    for number in range(5):
        user.apply(objects.config_map(f"n{number}", labels={"x": "1"}))
    first = user.of("ConfigMap").get(namespace=NAMESPACE, label_selector="x", limit=2)
    token = first.metadata["continue"]
    second = user.of("ConfigMap").get(namespace=NAMESPACE, label_selector="x", _continue=token)
    assert names(first) + names(second) == [f"n{number}" for number in range(5)]
    user.apply(objects.config_map("late"))
    by_hand.compact()
    with pytest.raises(exceptions.GoneError):
        user.of("ConfigMap").get(namespace=NAMESPACE, _continue=token)


def test_what_is_not_there_is_named(user: User):
    with pytest.raises(exceptions.NotFoundError) as caught:
        user.of("StatefulSet").get(name="demo", namespace=NAMESPACE)
    assert 'statefulsets.apps \\"demo\\" not found' in str(caught.value.body)


def test_requests_are_counted(by_hand: FakeCluster, user: User):
    by_hand.requests.clear()
    user.apply(objects.config_map())
    user.of("ConfigMap").get(namespace=NAMESPACE)
    assert by_hand.requests["patch", "configmaps"] == 1
    assert by_hand.requests["list", "configmaps"] == 1
