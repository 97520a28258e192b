"""The list-and-watch loop, against servers that say, break and forget what a test tells them to."""

from __future__ import annotations

import threading
import time

import pytest
from meddling import World
from stub_api import PATIENCE, Asked, Reply, StubApi
from watched import Heard, Script, pod, rests_of, running, silent

from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.resources import CONFIG_MAPS, PODS
from toygres.platforms.kubernetes.watching import Wanted, Watch


def test_it_lists_everything_and_then_tells_each_change(script: Script, watch: Watch, heard: Heard) -> None:
    script.pods = [pod("a", 3), pod("b", 4)]

    def change(_asked: Asked, reply: Reply) -> None:
        reply.begin()
        reply.event("ADDED", pod("c", 11))
        reply.event("MODIFIED", pod("a", 12))
        reply.event("DELETED", pod("b", 13))
        reply.hang()

    script.watches = [change]
    with running(watch):
        assert heard.names() == ["a", "b"]
        assert [heard.event() for _ in range(3)] == [("ADDED", "c"), ("MODIFIED", "a"), ("DELETED", "b")]
    asked = script.seen[0].query
    assert asked["resourceVersion"] == "10"
    assert asked["allowWatchBookmarks"] == "true"
    assert asked["timeoutSeconds"] == "30"
    assert asked["labelSelector"] == script.lists[0].query["labelSelector"] == "toygres.io/installation=i"
    assert asked["fieldSelector"] == script.lists[0].query["fieldSelector"] == "type!=Normal"


def test_it_is_current_from_the_first_list_until_something_breaks(
    script: Script, watch: Watch, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[bool] = []
    rests = rests_of(monkeypatch, watch, 1, shown=shown)

    def breaks(_asked: Asked, reply: Reply) -> None:
        reply.begin()
        reply.event("ADDED", pod("a", 11))
        heard.events.acquire(timeout=PATIENCE)
        shown.append(watch.current)
        reply.reset()

    script.watches = [breaks]
    assert not watch.current
    with running(watch) as thread:
        thread.join(PATIENCE)
    assert rests
    assert shown == [True, False]
    assert not watch.current


def test_events_come_however_the_bytes_are_cut(script: Script, watch: Watch, heard: Heard) -> None:
    def crumbs(_asked: Asked, reply: Reply) -> None:
        reply.begin()
        text = b'{"type":"ADDED","object":{"metadata":{"name":"\xc3\xa4","resourceVersion":"11"}}}\n' * 2
        for at in range(0, len(text), 5):
            reply.bytes(text[at : at + 5])
        reply.hang()

    script.watches = [crumbs]
    with running(watch):
        heard.names()
        assert [heard.event(), heard.event()] == [("ADDED", "ä"), ("ADDED", "ä")]


def test_an_answer_without_chunks_is_read_as_it_comes_too(script: Script, watch: Watch, heard: Heard) -> None:
    def plain(_asked: Asked, reply: Reply) -> None:
        reply.begin(chunked=False)
        reply.event("ADDED", pod("a", 11))
        reply.hang()

    script.watches = [plain]
    with running(watch):
        heard.names()
        assert heard.event() == ("ADDED", "a")


def test_what_is_kept_is_all_that_is_handed_on(cluster: Cluster, script: Script, heard: Heard) -> None:
    script.pods = [pod("a", 3)]

    def change(_asked: Asked, reply: Reply) -> None:
        reply.begin()
        reply.event("ADDED", {**pod("b", 11), "spec": "large"})
        reply.hang()

    script.watches = [change]
    wanted = Wanted(resource=PODS, namespace="ns", keep=lambda found: {"name": found["metadata"]["name"]})
    with running(Watch(cluster, wanted, heard.told_to())):
        assert heard.next() == ("LIST", [{"name": "a"}])
        assert heard.next() == ("ADDED", {"name": "b"})


def test_a_long_list_is_read_in_pages(api: StubApi, watch: Watch, heard: Heard) -> None:
    def paged(asked: Asked, reply: Reply) -> None:
        if "watch" in asked.query:
            silent(asked, reply)
        elif asked.query.get("continue") == "more":
            reply.json(200, {"metadata": {"resourceVersion": "10"}, "items": [pod("b", 4)]})
        else:
            metadata = {"resourceVersion": "10", "continue": "more"}
            reply.json(200, {"metadata": metadata, "items": [pod("a", 3)]})

    api.does(paged)
    with running(watch):
        assert heard.names() == ["a", "b"]
    assert all(int(asked.query["limit"]) > 0 for asked in api.asked if "watch" not in asked.query)


def test_after_a_cut_it_goes_on_from_where_it_was_without_another_list(
    script: Script, watch: Watch, heard: Heard
) -> None:
    def torn(_asked: Asked, reply: Reply) -> None:
        reply.begin()
        reply.event("ADDED", pod("a", 11))
        reply.bytes(b'{"type":"ADDED","obj')
        # A reset takes with it what wasn't read yet.
        heard.events.acquire(timeout=PATIENCE)
        reply.reset()

    def goes_on(_asked: Asked, reply: Reply) -> None:
        reply.begin()
        reply.event("ADDED", pod("b", 12))
        reply.hang()

    script.watches = [torn, goes_on]
    with running(watch):
        heard.names()
        assert [heard.event(), heard.event()] == [("ADDED", "a"), ("ADDED", "b")]
    assert [asked.query["resourceVersion"] for asked in script.seen] == ["10", "11"]
    assert (watch.counts.lists, watch.counts.watches, watch.counts.failures) == (1, 2, 1)


def test_a_bookmark_is_told_to_nobody_and_is_where_it_goes_on_from(script: Script, watch: Watch, heard: Heard) -> None:
    def bookmark(_asked: Asked, reply: Reply) -> None:
        reply.begin()
        reply.event("BOOKMARK", {"metadata": {"resourceVersion": "500"}})
        reply.end()

    script.watches = [bookmark, silent]
    with running(watch):
        heard.names()
        script.begun.get(timeout=PATIENCE)
        assert script.begun.get(timeout=PATIENCE).query["resourceVersion"] == "500"
    assert heard.told.empty()
    assert watch.counts.failures == 0


@pytest.mark.parametrize("how", ["event", "answer"])
def test_a_forgotten_version_costs_one_list_and_no_pause(script: Script, watch: Watch, heard: Heard, how: str) -> None:
    def forgotten(_asked: Asked, reply: Reply) -> None:
        if how == "answer":
            reply.refuse(410, "Expired", "too old resource version: 2 (2117)")
            return
        reply.begin()
        reply.event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})
        reply.end()

    script.watches = [forgotten, silent]
    with running(watch):
        heard.names()
        script.version, script.pods = 2117, [pod("z", 2000)]
        assert heard.names() in (["z"], [])
        script.begun.get(timeout=PATIENCE)
        script.begun.get(timeout=PATIENCE)
    assert (watch.counts.lists, watch.counts.watches, watch.counts.failures) == (2, 2, 0)


def test_a_server_that_forgets_at_once_each_time_is_left_alone_for_longer_and_longer(
    script: Script, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests = rests_of(monkeypatch, watch, 6)

    def forgotten(_asked: Asked, reply: Reply) -> None:
        reply.begin()
        reply.event("ERROR", {"code": 410, "message": "too old"})
        reply.end()

    script.watches = [forgotten]
    with running(watch) as thread:
        thread.join(PATIENCE)
    assert rests[-1] > 4 * rests[0]


def test_another_error_event_is_told_and_begins_with_a_list(script: Script, watch: Watch, heard: Heard) -> None:
    def broken(_asked: Asked, reply: Reply) -> None:
        reply.begin()
        reply.event("ERROR", {"code": 504, "reason": "Timeout", "message": "Too large resource version: 9, current: 1"})
        reply.end()

    script.watches = [broken, silent]
    with running(watch):
        heard.names()
        heard.names()
    assert "Too large resource version" in str(heard.troubles[0])


def test_a_server_that_hangs_is_left_after_the_quiet_time_and_some_grace(
    cluster: Cluster, script: Script, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toygres.platforms.kubernetes.watching._GRACE_SECONDS", 0.1)

    def stalls(_asked: Asked, reply: Reply) -> None:
        reply.begin()
        reply.event("ADDED", pod("a", 11))
        reply.hang()

    def goes_on(_asked: Asked, reply: Reply) -> None:
        reply.begin()
        reply.event("ADDED", pod("b", 12))
        reply.hang()

    script.watches = [stalls, goes_on]
    with running(Watch(cluster, Wanted(resource=PODS, namespace="ns"), heard.told_to(), quiet=0.1)):
        heard.names()
        assert [heard.event(), heard.event()] == [("ADDED", "a"), ("ADDED", "b")]
    assert script.seen[1].query["resourceVersion"] == "11"


@pytest.mark.parametrize("moment", ["list", "headers", "silence"])
def test_being_cut_ends_whatever_it_waits_for(api: StubApi, watch: Watch, moment: str) -> None:
    waiting = threading.Event()

    def stuck(asked: Asked, reply: Reply) -> None:
        if "watch" not in asked.query and moment != "list":
            reply.json(200, {"metadata": {"resourceVersion": "10"}, "items": []})
            return
        if moment == "silence":
            reply.begin()
        waiting.set()
        reply.hang()

    api.does(stuck)
    with running(watch) as thread:
        assert waiting.wait(PATIENCE)
        began = time.monotonic()
        watch.cut()
        thread.join(PATIENCE)
        assert time.monotonic() - began < 2
    assert watch.counts.failures == 0


def test_being_cut_ends_asilent_read_over_tls_too(safe_api: StubApi, heard: Heard) -> None:
    script = Script()
    safe_api.does(script)
    watch = Watch(Cluster(kubeconfig=safe_api.kubeconfig()), Wanted(resource=PODS, namespace="ns"), heard.told_to())
    with running(watch) as thread:
        script.begun.get(timeout=PATIENCE)
        began = time.monotonic()
        watch.cut()
        thread.join(PATIENCE)
        assert time.monotonic() - began < 2


def test_being_cut_ends_a_pause(api: StubApi, watch: Watch, heard: Heard) -> None:
    api.does(lambda _asked, reply: reply.refuse(429, "TooManyRequests", "slow down", Retry_After="50"))
    with running(watch) as thread:
        assert heard.told_of_trouble.wait(PATIENCE)
        began = time.monotonic()
        watch.cut()
        thread.join(PATIENCE)
        assert time.monotonic() - began < 2


def test_nothing_is_told_after_it_was_cut(script: Script, watch: Watch, heard: Heard) -> None:
    going = threading.Event()

    def late(_asked: Asked, reply: Reply) -> None:
        reply.begin()
        going.wait(PATIENCE)
        reply.event("ADDED", pod("late", 11))
        reply.end()

    script.watches = [late]
    with running(watch):
        heard.names()
        script.begun.get(timeout=PATIENCE)
        watch.cut()
        going.set()
    assert heard.told.empty()


def test_a_cluster_with_cuts_and_a_short_memory_is_followed_without_a_gap(world: World, heard: Heard) -> None:
    wanted = Wanted(resource=CONFIG_MAPS, namespace=world.namespace, selector="watched")
    watch = Watch(world.cluster, wanted, heard.told_to())
    labels = {"labels": {"watched": "yes"}}

    with running(watch):
        assert heard.names() == []
        world.put("configmaps", "a", metadata=labels)
        assert heard.event() == ("ADDED", "a")
        world.fake.cut_watches()
        world.put("configmaps", "b", metadata=labels)
        assert heard.event() == ("ADDED", "b")
        assert (watch.counts.lists, watch.counts.watches) == (1, 2)
        world.fake.watches.stall()
        world.drop("configmaps", "a")
        world.fake.compact()
        world.fake.cut_watches()
        world.fake.watches.stall(on=False)
        assert heard.names() == ["b"]
        assert watch.counts.lists == 2
    assert world.fake.requests["list", "configmaps"] == watch.counts.lists
    # The last one may have been cut on its way.
    assert watch.counts.watches - world.fake.requests["watch", "configmaps"] in (0, 1)
