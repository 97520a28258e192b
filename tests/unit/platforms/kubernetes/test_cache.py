"""The cache: whose objects they are, what changed, what is forgotten, and how much memory it takes."""

from __future__ import annotations

import gc
import gzip
import json
import re
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from kube_objects import (
    CLAIM_UID,
    INSTANCE_ID,
    POD_UID,
    SET_UID,
    ago,
    container,
    event,
    metadata,
    pod,
    running,
    service,
    stateful_set,
    terminated,
    volume_claim,
)

from toygres.platforms.kubernetes.cache import Cache
from toygres.platforms.kubernetes.causes.seen import Exit, Seen

INSTANCE = UUID(INSTANCE_ID)
RECORDING = Path(__file__).parents[3] / "conformance" / "recordings" / "ready-then-deleted.jsonl.gz"
# Seconds into the recording, when the pod was ready and nothing was deleted yet.
READY = 5.5
KINDS = {
    "pods": "Pod",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "statefulsets": "StatefulSet",
    "services": "Service",
    "events": "Event",
}


def added(found: Any) -> dict[str, Any]:
    return {"type": "ADDED", "object": found}


def changed(found: Any, **marks: Any) -> dict[str, Any]:
    return {"type": "MODIFIED", "object": {**found, "metadata": {**found["metadata"], **marks}}}


def deleted(found: Any) -> dict[str, Any]:
    return {"type": "DELETED", "object": found}


def filled(*more: tuple[str, Any]) -> Cache:
    cache = Cache()
    for kind, found in (("StatefulSet", stateful_set()), ("Pod", pod()), *more):
        assert cache.apply(kind, added(found)) <= {INSTANCE}
    return cache


def test_what_an_older_generation_says_is_late_news() -> None:
    """The answer to an apply may be taken in before the watch tells what was before it."""
    cache = filled()
    applied = changed(stateful_set(), generation=2)
    assert cache.apply("StatefulSet", applied) == {INSTANCE}
    assert cache.apply("StatefulSet", changed(stateful_set(), resourceVersion="6")) == set()
    wanted = cache.seen(INSTANCE).stateful_set
    assert wanted is not None
    assert wanted["metadata"]["generation"] == 2
    assert cache.replace("StatefulSet", [stateful_set()]) == {INSTANCE}


def test_an_instances_objects_are_seen_together() -> None:
    seen = filled(("PersistentVolumeClaim", volume_claim()), ("Service", service())).seen(INSTANCE)
    assert seen.stateful_set is not None
    assert seen.pod is not None
    assert seen.volume_claim is not None
    assert seen.service is not None


def test_another_instances_objects_are_not() -> None:
    assert filled().seen(uuid4()).stateful_set is None


def test_an_object_without_our_label_is_not_kept() -> None:
    cache = Cache()
    stranger = stateful_set()
    stranger["metadata"]["labels"] = {}
    assert cache.apply("StatefulSet", added(stranger)) == set()
    assert cache.seen(INSTANCE) == Seen()


def test_a_change_of_the_version_alone_is_none() -> None:
    cache = filled()
    assert cache.apply("Pod", changed(pod(), resourceVersion="7")) == set()
    assert cache.apply("Pod", changed(pod(), deletionTimestamp=ago(1))) == {INSTANCE}
    assert cache.apply("Pod", {"type": "BOOKMARK", "object": {"metadata": {}}}) == set()


def test_a_pods_successor_of_the_same_name_is_another() -> None:
    cache = filled()
    ending = changed(pod(), deletionTimestamp=ago(1))
    cache.apply("Pod", ending)
    cache.apply("Pod", added({**pod(), "metadata": {**pod()["metadata"], "uid": "uid-next"}}))
    seen = cache.seen(INSTANCE)
    assert len(seen.pods) == 2
    assert seen.pod is not None
    assert seen.pod["metadata"]["uid"] == "uid-next"
    assert cache.apply("Pod", deleted(ending["object"])) == {INSTANCE}
    assert len(cache.seen(INSTANCE).pods) == 1


def test_of_two_sets_the_one_that_stays_counts() -> None:
    cache = filled()
    cache.apply("StatefulSet", changed(stateful_set(), deletionTimestamp=ago(1)))
    cache.apply("StatefulSet", changed(stateful_set(), uid="uid-next-set"))
    wanted = cache.seen(INSTANCE).stateful_set
    assert wanted is not None
    assert wanted["metadata"]["uid"] == "uid-next-set"


def test_a_list_tells_only_what_differs_and_what_is_gone() -> None:
    cache = filled()
    other = uuid4()
    theirs = {**pod(), "metadata": metadata("b-0", "uid-b", labels={"toygres.io/instance-id": str(other)})}
    assert cache.replace("Pod", [pod(), theirs]) == {other}
    assert cache.replace("Pod", [pod(), theirs]) == set()
    assert cache.replace("Pod", [theirs]) == {INSTANCE}
    assert cache.seen(INSTANCE).pods == ()


def test_nothing_is_left_of_what_is_gone() -> None:
    crashed = pod(container(terminated(1)))
    cache = Cache()
    cache.apply("Pod", added(crashed))
    cache.apply("Event", added(event(POD_UID, "BackOff", "restarting")))
    assert cache.apply("Pod", deleted(crashed)) == {INSTANCE}
    assert cache.seen(INSTANCE) == Seen()


def test_what_was_never_known_can_be_deleted() -> None:
    assert Cache().apply("Pod", deleted(pod())) == set()


def test_an_event_wakes_its_instance_until_it_says_nothing_new() -> None:
    cache = filled()
    said = event(POD_UID, "Unhealthy", "no response")
    assert cache.apply("Event", added(said)) == {INSTANCE}
    assert cache.apply("Event", {"type": "MODIFIED", "object": {**said, "count": 2}}) == {INSTANCE}
    assert cache.apply("Event", {"type": "MODIFIED", "object": {**said, "count": 3}}) == {INSTANCE}
    assert cache.apply("Event", {"type": "MODIFIED", "object": {**said, "count": 4}}) == set()
    assert [each["count"] for each in cache.seen(INSTANCE).events] == [4]
    other = {**said, "count": 5, "message": "rejecting connections"}
    assert cache.apply("Event", {"type": "MODIFIED", "object": other}) == {INSTANCE}


def test_an_event_may_come_before_its_object() -> None:
    cache = Cache()
    assert cache.apply("Event", added(event(CLAIM_UID, "ProvisioningFailed", "no"))) == set()
    assert cache.apply("PersistentVolumeClaim", added(volume_claim())) == {INSTANCE}
    assert [each["reason"] for each in cache.seen(INSTANCE).events] == ["ProvisioningFailed"]


def test_an_event_that_kubernetes_forgot_is_forgotten() -> None:
    cache = filled()
    said = event(SET_UID, "FailedCreate", "exceeded quota")
    cache.apply("Event", added(said))
    cache.apply("Event", deleted(said))
    assert cache.seen(INSTANCE).events == ()
    cache.apply("Event", added(said))
    cache.replace("Event", [])
    assert cache.seen(INSTANCE).events == ()


def test_the_events_of_an_object_are_bounded() -> None:
    cache = filled()
    for number in range(100):
        cache.apply("Event", added(event(POD_UID, "Unhealthy", f"{number:03}")))
    kept = [each["message"] for each in cache.seen(INSTANCE).events]
    assert kept == [f"{number:03}" for number in range(70, 100)]


def test_the_events_of_strangers_are_bounded_and_push_out_none_of_ours() -> None:
    cache = filled(("Event", event(POD_UID, "BackOff", "ours")))
    for number in range(3000):
        cache.apply("Event", added(event(f"stranger-{number}", "Pulled", "theirs")))
    assert [each["message"] for each in cache.seen(INSTANCE).events] == ["ours"]
    assert len(cache._events.all()) <= 1001


def test_how_containers_ended_is_remembered_and_out_of_memory_stays_that() -> None:
    cache = Cache()
    cache.apply("Pod", added(pod(container(terminated(137, reason="OOMKilled", ident="a")))))
    later = container(terminated(2, ident="b"), terminated(137, ident="a"), restartCount=1)
    cache.apply("Pod", {"type": "MODIFIED", "object": pod(later)})
    assert cache.seen(INSTANCE).exits[POD_UID] == (
        Exit("postgres", "containerd://a", 137, "OOMKilled"),
        Exit("postgres", "containerd://b", 2, "Error"),
    )


def test_how_an_ending_pod_ends_is_not_remembered() -> None:
    cache = Cache()
    cache.apply("Pod", added(pod(container(terminated(137)), deletionTimestamp=ago(1))))
    assert cache.seen(INSTANCE).exits == {}


def test_threads_write_and_read_at_once() -> None:
    cache = Cache()
    ids = [uuid4() for _ in range(20)]
    failed: list[BaseException] = []

    def write(kind: str, make: Any) -> None:
        try:
            for _ in range(30):
                for number, instance_id in enumerate(ids):
                    found = make()
                    found["metadata"] |= {
                        "uid": f"{kind}-{number}",
                        "labels": {"toygres.io/instance-id": str(instance_id)},
                    }
                    cache.apply(kind, added(found))
                    cache.seen(instance_id)
                cache.replace(kind, [])
        except BaseException as error:
            failed.append(error)

    writers = [("Pod", pod), ("StatefulSet", stateful_set), ("Service", service)]
    threads = [threading.Thread(target=write, args=each) for each in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert all(cache.seen(each) == Seen() for each in ids)


def _large(number: int) -> bytes:
    """A pod as the API sends it: 8 kB of JSON, 3 kB of which is managedFields."""
    found = pod(container(running(9), ready=True, containerID=f"containerd://{number:064}"), conditions={"Ready": True})
    instance_id = UUID(int=number)
    found["metadata"] |= {
        "name": f"instance-{number}-0",
        "uid": str(UUID(int=number + 10_000)),
        "resourceVersion": str(100_000 + number),
        "labels": {"toygres.io/instance-id": str(instance_id), "toygres.io/installation": INSTANCE_ID, "a": "b"},
        "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:status": {f"f:{n}": {} for n in range(220)}}}],
    }
    found["spec"] |= {
        "containers": [{"name": "postgres", "env": [{"name": f"V{n}", "value": "x" * 40} for n in range(60)]}]
    }
    return json.dumps(found).encode()


def taken_by(told: Iterator[tuple[str, dict[str, Any]]], instances: int) -> int:
    """How many bytes a cache takes that was told all this: what is free again once it is gone."""
    cache = Cache()
    tracemalloc.start()
    try:
        for kind, what in told:
            cache.apply(kind, what)
        assert all(cache.seen(UUID(int=number)) != Seen() for number in range(instances))
        gc.collect()
        with_it, _ = tracemalloc.get_traced_memory()
        del cache
        gc.collect()
        without, _ = tracemalloc.get_traced_memory()
        return with_it - without
    finally:
        tracemalloc.stop()


def test_a_thousand_pods_of_8_kb_take_15_mb_at_most() -> None:
    sent = [_large(number) for number in range(1000)]
    assert 7_500 < sum(map(len, sent)) / len(sent) < 9_500
    taken = taken_by((("Pod", added(json.loads(text))) for text in sent), 1000)
    assert 1_000_000 < taken < 15_000_000


def test_whole_instances_with_their_events_take_15_kb_each() -> None:
    with gzip.open(RECORDING, "rt", encoding="utf-8") as lines:
        told = [line for line in map(json.loads, lines) if line.get("watch") in KINDS and line["t"] < READY]
    taken = taken_by((_of(number, line) for number in range(100) for line in told), 100)
    assert 100 * 3_000 < taken < 100 * 15_500


def _of(number: int, line: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A recorded event of a watch, as if it were another instance's."""
    text = re.sub(r'"uid": "(.{8})', lambda found: f'"uid": "{found[1]}-{number}', json.dumps(line["event"]))
    told = json.loads(text)
    labels = told["object"]["metadata"].get("labels") or {}
    if labels.get("app.kubernetes.io/instance") == "demo":
        labels["toygres.io/instance-id"] = str(UUID(int=number))
    return KINDS[line["watch"]], told
