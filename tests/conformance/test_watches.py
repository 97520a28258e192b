"""What a real Kubernetes reported, event by event, replayed through the cache: the right cause at the right moment."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conformance.expected import ABSENT, EXPECTED, INSTANCE, KINDS, RECORDINGS, STARTING, Change, events
from toygres.errors import Cause, CauseCode
from toygres.platforms.kubernetes.cache import Cache
from toygres.platforms.kubernetes.causes.judge import judge
from toygres.platforms.kubernetes.causes.seen import Seen
from toygres.platforms.protocol import ServerStatus


@dataclass
class Replay:
    """The recording so far: what the cache knows, what was judged of it, and when that changed."""

    name: str
    cache: Cache = field(default_factory=Cache)
    changes: list[Change] = field(default_factory=list)
    unheard: list[float] = field(default_factory=list)
    status: ServerStatus = field(default_factory=lambda: ServerStatus(phase=ABSENT))
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def until(self, seconds: float) -> Replay:
        """Take in all that was told up to and including that moment."""
        began = None
        for moment, resource, event in events(self.name):
            if moment > seconds:
                break
            if began is None:
                # The first object is made and reported in the same second.
                made = datetime.fromisoformat(event["object"]["metadata"]["creationTimestamp"])
                began = made - timedelta(seconds=moment)
            self.now = began + timedelta(seconds=moment)
            self._take(moment, resource, event)
        return self

    def _take(self, moment: float, resource: str, event: dict[str, Any]) -> None:
        heard = self.cache.apply(KINDS[resource], event)
        self.status = judge(self.cache.seen(INSTANCE), self.now)
        change = (moment, self.status.phase, self.status.cause.code if self.status.cause else None)
        if not self.changes or self.changes[-1][1:] != change[1:]:
            self.changes.append(change)
            if heard != {INSTANCE}:
                self.unheard.append(moment)

    def cause(self) -> Cause:
        assert self.status.cause is not None
        return self.status.cause


def test_every_recording_is_replayed() -> None:
    recorded = {path.name.removesuffix(".jsonl.gz") for path in RECORDINGS.glob("*.jsonl.gz")}
    assert recorded == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_each_cause_comes_at_its_moment_and_wakes_whoever_waits(name: str) -> None:
    replay = Replay(name).until(float("inf"))
    assert replay.changes == EXPECTED[name]
    assert replay.unheard == []


@pytest.mark.parametrize("name", EXPECTED)
def test_nothing_is_kept_of_an_instance_that_is_gone(name: str) -> None:
    replay = Replay(name).until(float("inf"))
    assert replay.cache.seen(INSTANCE) == Seen()


def _known(seen: Seen) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    single = {"StatefulSet": seen.stateful_set, "PersistentVolumeClaim": seen.volume_claim, "Service": seen.service}
    yield from ((kind, [found] if found else []) for kind, found in single.items())
    yield from (("Pod", list(seen.pods)), ("Event", list(seen.events)))


@pytest.mark.parametrize("name", EXPECTED)
def test_a_relist_of_what_is_known_changes_nothing(name: str) -> None:
    for moment, _, _ in EXPECTED[name]:
        replay = Replay(name).until(moment)
        before = replay.cache.seen(INSTANCE)
        for kind, known in _known(before):
            assert replay.cache.replace(kind, known) == set()
        assert judge(replay.cache.seen(INSTANCE), replay.now) == replay.status


@pytest.mark.parametrize("name", EXPECTED)
def test_a_trouble_names_the_object_and_says_what_to_do(name: str) -> None:
    ordinary = {CauseCode.STARTING, CauseCode.STOPPING, CauseCode.SERVER_STOPPED, None}
    for moment in (moment for moment, _, code in EXPECTED[name] if code not in ordinary):
        cause = Replay(name).until(moment).cause()
        assert cause.message.endswith((".", "…"))
        assert cause.remedy.endswith(".")
        assert cause.evidence
        assert all(" demo" in line for line in cause.evidence)


def test_an_unreachable_registry_is_told_by_the_name_that_isn_t_found() -> None:
    cause = Replay("image-missing").until(2.337).cause()
    assert "registry.invalid/postgres:no-such" in cause.message
    assert "no such host" in cause.message


def test_the_reason_stays_while_kubelet_only_says_that_it_backs_off() -> None:
    replay = Replay("image-missing").until(17.119)
    assert "ImagePullBackOff" in json.dumps(replay.cache.seen(INSTANCE).pods)
    assert "no such host" in replay.cause().message


def test_a_pod_that_no_node_takes_is_told_by_what_is_short() -> None:
    assert "not enough cpu" in Replay("unschedulable").until(0.465).cause().message


def test_a_class_that_isn_t_there_is_named() -> None:
    assert "no-such-class" in Replay("storage-class-missing").until(0.445).cause().message


def test_a_crash_yields_its_exit_code_at_once() -> None:
    assert "exit code 1" in Replay("crash-loop").until(5.912).cause().message


def test_a_container_that_crashed_is_told_while_the_next_one_runs() -> None:
    replay = Replay("crash-loop").until(6.521)
    assert "running" in replay.cache.seen(INSTANCE).pods[0]["status"]["containerStatuses"][0]["state"]
    assert replay.cause().code is CauseCode.CRASH_LOOP


def test_out_of_memory_is_remembered_when_the_status_calls_it_an_error() -> None:
    replay = Replay("out-of-memory").until(5.439)
    pod = replay.cache.seen(INSTANCE).pods[0]
    container = pod["status"]["containerStatuses"][0]
    assert container["state"]["terminated"]["reason"] == "Error"
    renamed = {**container["lastState"]["terminated"], "reason": "Error"}
    told = {**container, "lastState": {"terminated": renamed}}
    later = {**pod, "status": {**pod["status"], "containerStatuses": [told]}}
    replay.cache.apply("Pod", {"type": "MODIFIED", "object": later})
    found = judge(replay.cache.seen(INSTANCE), replay.now)
    assert found.cause is not None
    assert found.cause.code is CauseCode.OUT_OF_MEMORY


def test_a_missing_secret_is_named() -> None:
    assert 'secret "demo-credentials" not found' in Replay("secret-missing").until(2.373).cause().message


def test_what_the_quota_allows_is_told() -> None:
    message = Replay("quota-exceeded").until(2.460).cause().message
    assert "requested: requests.memory=256Mi" in message
    assert "limited: requests.memory=64Mi" in message


def test_the_standard_that_refuses_the_pod_is_named() -> None:
    message = Replay("pod-security-restricted").until(0.487).cause().message
    assert "Pod Security Standard restricted" in message
    assert "allowPrivilegeEscalation" in message


def test_a_lost_node_is_named_and_its_event_becomes_evidence() -> None:
    assert "lab" in Replay("node-lost").until(49.592).cause().message
    assert any("NodeNotReady" in line for line in Replay("node-lost").until(49.648).cause().evidence)


def test_a_server_that_runs_and_never_gets_ready_is_told_once_it_has_had_its_time() -> None:
    replay = Replay("never-ready").until(7.047)
    assert replay.cause().code is CauseCode.STARTING
    late = judge(replay.cache.seen(INSTANCE), replay.now + timedelta(seconds=30))
    assert late.phase is STARTING
    assert late.cause is not None
    assert late.cause.code is CauseCode.NOT_READY_IN_TIME
    assert late.cause.evidence == ("Pod demo-0: Unhealthy (5 times): Readiness probe failed:",)


def test_a_ready_pod_that_is_being_deleted_or_belongs_to_another_set_is_not_up() -> None:
    replay = Replay("pod-killed-comes-back").until(4.591)
    pod = replay.cache.seen(INSTANCE).pods[0]
    ready = {condition["type"]: condition["status"] for condition in pod["status"]["conditions"]}["Ready"]
    assert (ready, replay.status.phase) == ("True", STARTING)
    before = Replay("pod-killed-comes-back").until(4.567)
    seen = before.cache.seen(INSTANCE)
    stranger = {**seen.pods[0], "metadata": {**seen.pods[0]["metadata"], "ownerReferences": []}}
    before.cache.apply("Pod", {"type": "MODIFIED", "object": stranger})
    assert judge(before.cache.seen(INSTANCE), before.now).phase is STARTING
