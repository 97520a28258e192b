"""Trouble on purpose."""

from __future__ import annotations

import pytest
import urllib3
from fake_cluster import FakeCluster, objects
from kubernetes.dynamic import exceptions

from tests.unit.fake_cluster.conftest import NAMESPACE, User


def test_a_busy_server_says_when_to_come_again(by_hand: FakeCluster, user: User):
    by_hand.faults.fail("429", times=1)
    with pytest.raises(exceptions.TooManyRequestsError) as caught:
        user.apply(objects.config_map())
    assert caught.value.headers["Retry-After"] == "1"
    user.apply(objects.config_map())


def test_only_the_calls_named_fail(by_hand: FakeCluster, user: User):
    rule = by_hand.faults.fail("500", verbs={"list"}, resources={"configmaps"})
    user.apply(objects.config_map())
    user.of("Secret").get(namespace=NAMESPACE)
    with pytest.raises(exceptions.InternalServerError):
        user.of("ConfigMap").get(namespace=NAMESPACE)
    by_hand.faults.stop(rule)
    user.of("ConfigMap").get(namespace=NAMESPACE)


def test_a_reset_call_is_not_done_and_a_lost_one_is(by_hand: FakeCluster, user: User):
    by_hand.faults.fail("reset", times=1)
    with pytest.raises(urllib3.exceptions.HTTPError):
        user.apply(objects.config_map())
    assert by_hand.get("configmaps", NAMESPACE, "note") is None
    by_hand.faults.fail("lost", times=1)
    with pytest.raises(urllib3.exceptions.HTTPError):
        user.apply(objects.config_map())
    assert by_hand.get("configmaps", NAMESPACE, "note")


def test_a_hanging_call_ends_with_the_callers_patience(by_hand: FakeCluster, user: User):
    by_hand.faults.fail("hang", times=1)
    with pytest.raises(urllib3.exceptions.HTTPError):
        user.of("ConfigMap").get(namespace=NAMESPACE, _request_timeout=(1, 0.1))
    assert by_hand.get("configmaps", NAMESPACE, "note") is None


def test_a_share_of_the_calls_fails(by_hand: FakeCluster, user: User):
    by_hand.faults.fail("503", share=0.3)
    failed = 0
    for _ in range(60):
        try:
            user.of("ConfigMap").get(namespace=NAMESPACE)
        except exceptions.ServiceUnavailableError:
            failed += 1
    assert 5 < failed < 35


def test_during_an_outage_nobody_answers(by_hand: FakeCluster, user: User):
    with by_hand.outage(), pytest.raises(urllib3.exceptions.HTTPError):
        user.of("ConfigMap").get(namespace=NAMESPACE)
    user.of("ConfigMap").get(namespace=NAMESPACE)
