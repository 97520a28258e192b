"""What a real Kubernetes reported, through the whole observer: it tells of each change at its moment, by itself too."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any
from uuid import UUID

import pytest
from making import PATIENCE

from tests.conformance.expected import EXPECTED, INSTANCE, Change, events
from toygres.errors import CauseCode
from toygres.platforms.kubernetes import observing
from toygres.platforms.kubernetes.causes.judge import judge
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.observing import Observation


@dataclass
class Clock:
    """The recorded cluster's time, which passes when a test says so."""

    began: datetime | None = None
    moment: float = 0.0

    def now(self, _zone: tzinfo) -> datetime:
        assert self.began is not None
        return self.began + timedelta(seconds=self.moment)


@dataclass
class Observed:
    """An observation that hears a recording, and whom it told of what."""

    clock: Clock
    told: list[Change] = field(default_factory=list)
    woken: queue.Queue[CauseCode | None] = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        # Nobody is there to be asked: what the watches would hear, the test tells them.
        self.observation = Observation(Cluster(kubeconfig="/nowhere"), "toygres", self._changed)
        self._watches = {watch.name: watch for watch in self.observation.watches}

    def hear(self, name: str, until: float = float("inf")) -> int:
        """Let the watches hear the recording up to and including that moment; how many events that were."""
        heard = 0
        for moment, resource, event in events(name):
            if moment > until:
                break
            if self.clock.began is None:
                made = datetime.fromisoformat(event["object"]["metadata"]["creationTimestamp"])
                self.clock.began = made - timedelta(seconds=moment)
            self.clock.moment = moment
            if watch := self._watches.get(resource):
                watch._told.on_event(event["type"], watch._wanted.keep(event["object"]))
                heard += 1
        return heard

    def _changed(self, instance: UUID) -> None:
        assert instance == INSTANCE
        status = judge(self.observation.seen(INSTANCE), self.clock.now(None))
        code = status.cause.code if status.cause else None
        self.told.append((self.clock.moment, status.phase, code))
        self.woken.put(code)


@pytest.fixture
def observed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Observed]:
    clock = Clock()
    monkeypatch.setattr(observing, "datetime", clock)
    return Observed(clock)


@pytest.mark.parametrize("name", EXPECTED)
def test_it_tells_of_each_change_at_its_moment(name: str, observed: Observed) -> None:
    heard = observed.hear(name)
    firsts = [change for at, change in enumerate(observed.told) if at == 0 or observed.told[at - 1][1:] != change[1:]]
    assert firsts == EXPECTED[name]
    # Most events change nothing that anybody waits for.
    assert len(observed.told) < heard / 2


@pytest.mark.parametrize(
    ("name", "until", "seconds", "code"),
    [
        # A running container whose probe goes on failing, and a claim that nobody gives a volume.
        ("never-ready", 7.047, 31, CauseCode.NOT_READY_IN_TIME),
        ("unschedulable", 0.431, 61, CauseCode.PROVISIONER_SILENT),
    ],
)
def test_what_only_time_tells_is_told_though_nothing_happens(
    observed: Observed, monkeypatch: pytest.MonkeyPatch, name: str, until: float, seconds: float, code: CauseCode
) -> None:
    monkeypatch.setattr(observing, "_JUDGE_AGAIN_SECONDS", 0.01)
    observed.hear(name, until)
    before = len(observed.told)
    stop = threading.Event()

    def watched(_watches: Any, stopped: threading.Event) -> None:
        stopped.wait()

    monkeypatch.setattr(observing, "watch_all", watched)
    thread = threading.Thread(target=observed.observation.run, args=(stop,))
    thread.start()
    try:
        while not observed.woken.empty():
            observed.woken.get()
        observed.clock.moment += seconds
        assert observed.woken.get(timeout=PATIENCE) is code
    finally:
        stop.set()
        thread.join()
    # It is told once, however often it is judged again.
    assert [told for _, _, told in observed.told[before:]] == [code]
