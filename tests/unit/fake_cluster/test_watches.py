"""Watches go on from where one was, end in good order, and break when a test says so."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from fake_cluster import FakeCluster, objects

from tests.unit.fake_cluster.conftest import NAMESPACE, User

Json = dict[str, Any]


def watched(user: User, version: str = "", kind: str = "ConfigMap", seconds: float = 5, **more: Any) -> Iterator[Json]:
    """The events of a watch, until it ends."""
    response = user.of(kind).get(
        namespace=NAMESPACE, watch=True, resource_version=version, serialize=False, timeout_seconds=seconds, **more
    )
    rest = b""
    try:
        for chunk in response.stream(amt=None, decode_content=False):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (json.loads(line) for line in lines)
    finally:
        response.close()
        response.release_conn()


def told(events: list[Json]) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"]["name"]) for event in events]


def test_a_watch_goes_on_after_a_version(by_hand: FakeCluster, user: User):
    by_hand.watches.pace = 50
    user.apply(objects.config_map("before"))
    version = str(by_hand.store.version)
    user.apply(objects.config_map("a", {"x": "1"}))
    user.apply(objects.config_map("a", {"x": "2"}))
    user.delete("ConfigMap", "a")
    assert told(list(watched(user, version))) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_a_watch_sees_what_happens_meanwhile(by_hand: FakeCluster, user: User):
    events = watched(user, str(by_hand.store.version))
    writer = threading.Thread(target=user.apply, args=(objects.config_map("a"),))
    writer.start()
    assert told([next(events)]) == [("ADDED", "a")]
    writer.join()
    events.close()
    by_hand.wait(lambda: True)


def test_a_watch_without_a_version_tells_what_is_there_first(by_hand: FakeCluster, user: User):
    by_hand.watches.pace = 50
    user.apply(objects.config_map("a"))
    assert told(list(watched(user))) == [("ADDED", "a"), ("ADDED", "kube-root-ca.crt")]


def test_what_no_longer_fits_the_selector_is_told_as_deleted(by_hand: FakeCluster, user: User):
    by_hand.watches.pace = 50
    version = str(by_hand.store.version)
    for labels in ({"x": "1"}, {"x": "2"}, {"x": "1"}):
        user.apply(objects.config_map("a", labels=labels))
    events = list(watched(user, version, label_selector="x=1"))
    assert told(events) == [("ADDED", "a"), ("DELETED", "a"), ("ADDED", "a")]


def test_a_forgotten_version_is_one_error_event(by_hand: FakeCluster, user: User):
    version = str(by_hand.store.version)
    user.apply(objects.config_map("a"))
    by_hand.compact()
    (event,) = watched(user, version)
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_history_is_bounded():
    with FakeCluster(by_hand=True, remembered=8) as cluster:
        for number in range(30):
            cluster.store.edit("namespaces", "", "default", lambda value, n=number: value.update(n=n))
        assert cluster.store.forgotten > 20
        assert len(cluster.store.since(0)) <= 8


def test_a_watch_ends_with_a_bookmark(by_hand: FakeCluster, user: User):
    by_hand.watches.pace = 50
    version = by_hand.store.version
    *_, last = watched(user, str(version), allow_watch_bookmarks=True)
    assert last["type"] == "BOOKMARK"
    assert last["object"]["metadata"]["resourceVersion"] == str(version)


def test_cut_watches_break(by_hand: FakeCluster, user: User):
    events = watched(user)
    next(events)
    assert by_hand.cut_watches() == 1
    with pytest.raises(urllib3.exceptions.ProtocolError):
        list(events)


def test_a_stalled_watch_is_silent_and_speaks_again(by_hand: FakeCluster, user: User):
    version = str(by_hand.store.version)
    by_hand.watches.stall()
    events = watched(user, version, _request_timeout=(3, 0.2))
    user.apply(objects.config_map("a"))
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        next(events)
    by_hand.watches.stall(on=False)
    events = watched(user, version)
    assert told([next(events)]) == [("ADDED", "a")]
    events.close()
