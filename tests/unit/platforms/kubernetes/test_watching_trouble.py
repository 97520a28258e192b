"""What the list-and-watch loop does while the API server is in trouble: it backs off, and goes on."""

from __future__ import annotations

import queue
import threading
from typing import Any

import pytest
from stub_api import PATIENCE, Asked, Reply, StubApi
from waiting_until import until
from watched import Heard, Script, pod, rests_of, running, silent

from toygres.errors import Misconfigured, Refused, Unavailable
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.resources import PODS, SERVICES
from toygres.platforms.kubernetes.watching import Told, Wanted, Watch, watch_all


def test_a_server_in_trouble_is_asked_less_and_less_often(
    api: StubApi, watch: Watch, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests = rests_of(monkeypatch, watch, 12)
    api.does(lambda _asked, reply: reply.refuse(500, "InternalError", "away"))
    with running(watch) as thread:
        thread.join(PATIENCE)
    assert 0.05 <= rests[0] <= 0.1
    assert all(2.5 <= rest <= 5.0 for rest in rests[7:])
    assert len(set(rests[7:])) > 1
    assert len(api.asked) == 12


def test_the_first_event_ends_the_back_off(
    script: Script, watch: Watch, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests = rests_of(monkeypatch, watch, 7)

    def broken(_asked: Asked, reply: Reply) -> None:
        reply.refuse(503, "ServiceUnavailable", "away")

    def event(_asked: Asked, reply: Reply) -> None:
        reply.begin()
        reply.event("ADDED", pod("a", 11))
        heard.events.acquire(timeout=PATIENCE)
        reply.reset()

    script.watches = [broken, broken, broken, broken, broken, event, broken]
    with running(watch) as thread:
        thread.join(PATIENCE)
    assert rests[4] > 0.7
    assert rests[5] <= 0.1


def test_how_long_it_was_asked_to_wait_is_kept(api: StubApi, watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    rests = rests_of(monkeypatch, watch, 1)
    api.does(lambda _asked, reply: reply.refuse(429, "TooManyRequests", "slow down", Retry_After="3"))
    with running(watch) as thread:
        thread.join(PATIENCE)
    assert rests == [3.0]


def test_one_who_may_not_watch_is_told_why_each_time_and_goes_on_trying(
    api: StubApi, watch: Watch, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests_of(monkeypatch, watch, 3)
    words = 'pods is forbidden: User "me" cannot list resource "pods" in API group "" in the namespace "ns"'
    api.does(lambda _asked, reply: reply.refuse(403, "Forbidden", words, {"kind": "pods"}))
    with running(watch) as thread:
        thread.join(PATIENCE)
    assert [type(why) for why in heard.troubles] == [Refused, Refused, Refused]


def test_watches_that_end_at_once_without_a_word_are_no_loop_without_end(
    script: Script, watch: Watch, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests = rests_of(monkeypatch, watch, 3)

    def empty(_asked: Asked, reply: Reply) -> None:
        reply.begin()
        reply.end()

    script.watches = [empty]
    with running(watch) as thread:
        thread.join(PATIENCE)
    assert len(rests) == 3
    assert watch.counts.watches == 3
    assert "ends as soon as it begins" in str(heard.troubles[0])


def test_many_watches_without_a_word_lead_to_a_list(
    cluster: Cluster, script: Script, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toygres.platforms.kubernetes.watching._MOST_SILENT", 3)
    monkeypatch.setattr("toygres.platforms.kubernetes.watching._SOON_SECONDS", 0.0)

    def empty(_asked: Asked, reply: Reply) -> None:
        reply.begin()
        reply.end()

    script.watches = [empty, empty, empty, silent]
    watch = Watch(cluster, Wanted(resource=PODS, namespace="ns"), heard.told_to())
    with running(watch):
        heard.names()
        heard.names()
    assert watch.counts.lists == 2


def test_after_one_without_a_word_a_watch_bears_nothing_out_until_something_is_said(
    cluster: Cluster, script: Script, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toygres.platforms.kubernetes.watching._SOON_SECONDS", 0.0)
    said, ended = threading.Event(), threading.Event()

    def empty(_asked: Asked, reply: Reply) -> None:
        reply.begin()
        reply.end()

    def later(_asked: Asked, reply: Reply) -> None:
        reply.begin()
        said.wait(PATIENCE)
        reply.event("MODIFIED", pod("a", 9))
        ended.wait(PATIENCE)

    script.watches = [empty, later]
    watch = Watch(cluster, Wanted(resource=PODS, namespace="ns"), heard.told_to())
    with running(watch):
        until(lambda: watch.counts.watches == 2 and watch.current)
        assert not watch.bears_out
        said.set()
        until(lambda: watch.bears_out)
        ended.set()


def test_a_live_watch_asks_for_nothing(script: Script, watch: Watch, heard: Heard, api: StubApi) -> None:
    pods = queue.Queue[dict[str, Any]]()

    def fed(_asked: Asked, reply: Reply) -> None:
        reply.begin()
        while (pod := pods.get(timeout=PATIENCE)) is not None:
            reply.event("MODIFIED", pod)

    script.watches = [fed]
    with running(watch):
        heard.names()
        for version in range(11, 211):
            pods.put(pod("a", version))
            heard.event()
        assert len(api.asked) == 2
        pods.put(None)  # type: ignore[arg-type]
    assert (watch.counts.lists, watch.counts.watches) == (1, 1)


def test_a_refused_token_is_read_again(api: StubApi, cluster: Cluster, watch: Watch, heard: Heard) -> None:
    script = Script()

    def guarded(asked: Asked, reply: Reply) -> None:
        if asked.headers.get("authorization") == "Bearer token-2":
            script(asked, reply)
        else:
            reply.refuse(401, "Unauthorized", "Unauthorized")

    api.does(guarded)
    cluster.describe()
    api.kubeconfig("token-2")
    with running(watch):
        assert heard.names() == []
    assert watch.counts.failures == 0


def test_what_the_told_one_raises_ends_it(cluster: Cluster, script: Script) -> None:
    def fail(_objects: object) -> None:
        raise Unavailable("on purpose")

    watch = Watch(cluster, Wanted(resource=PODS, namespace="ns"), Told(on_list=fail, on_event=lambda _k, _o: None))
    with pytest.raises(Unavailable, match="on purpose"):
        watch.run()
    assert watch.counts.failures == 0


def test_a_kubeconfig_that_isnt_there_ends_it(heard: Heard) -> None:
    watch = Watch(Cluster(kubeconfig="/nowhere"), Wanted(resource=PODS, namespace="ns"), heard.told_to())
    with pytest.raises(Misconfigured):
        watch.run()


def test_several_run_until_they_are_told_to_stop(api: StubApi, cluster: Cluster, heard: Heard) -> None:
    api.does(Script())
    stop = threading.Event()
    watches = [Watch(cluster, Wanted(resource=kind, namespace="ns"), heard.told_to()) for kind in (PODS, SERVICES)]
    thread = threading.Thread(target=watch_all, args=(watches, stop))
    thread.start()
    heard.names()
    heard.names()
    stop.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_one_that_fails_ends_the_others_and_is_raised(api: StubApi, cluster: Cluster, heard: Heard) -> None:
    api.does(Script())
    stop = threading.Event()

    def fail(_objects: object) -> None:
        raise LookupError("on purpose")

    watches = [
        Watch(cluster, Wanted(resource=PODS, namespace="ns"), heard.told_to()),
        Watch(cluster, Wanted(resource=SERVICES, namespace="ns"), Told(on_list=fail, on_event=lambda _k, _o: None)),
    ]
    with pytest.raises(LookupError, match="on purpose"):
        watch_all(watches, stop)
    stop.set()
