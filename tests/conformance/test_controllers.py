"""What the fake's controllers report leads our code to the same phases and causes as what the real ones reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fake_cluster import FakeCluster
from fake_cluster.store import Change, copied

from tests.conformance import playing, replaying
from toygres.platforms.kubernetes.cache import Cache
from toygres.platforms.kubernetes.causes.judge import judge

Json = dict[str, Any]
INSTANCE = UUID("0198c0de-0000-7000-8000-0000feedbeef")
WATCHED = {
    "pods": "Pod",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "statefulsets": "StatefulSet",
    "services": "Service",
    "events": "Event",
}


Told = Iterable[tuple[datetime, str, Json]]


@pytest.mark.parametrize("name", replaying.NAMES)
def test_our_code_judges_the_fakes_reports_as_the_recorded_ones(name: str):
    told: list[tuple[datetime, str, Json]] = []
    with FakeCluster(by_hand=True) as cluster:

        def noticed(change: Change) -> None:
            event = {"type": change.type, "object": change.object}
            told.append((cluster.clock.now(), change.resource.partition(".")[0], event))

        cluster.store.listeners.append(noticed)
        playing.play(cluster, name, lambda *_: None)
        cluster.clock.advance(2)
    assert judged(told) == judged(recorded(name))


def recorded(name: str) -> Iterator[tuple[datetime, str, Json]]:
    """The recorded events, with when they came: the first object is made and reported in the same second."""
    began = None
    for line in replaying.lines(name):
        if "event" in line:
            moment = timedelta(seconds=line["t"])
            if began is None:
                made = line["event"]["object"]["metadata"]["creationTimestamp"]
                began = datetime.fromisoformat(made) - moment
            yield began + moment, line["watch"], line["event"]


def judged(told: Told) -> list[tuple[str, str]]:
    """The phases and causes that the events lead to, one after the other, each once."""
    cache, found = Cache(), [("absent", "")]
    for now, resource, event in told:
        if resource in WATCHED:
            cache.apply(WATCHED[resource], _labelled(event))
            status = judge(cache.seen(INSTANCE), now)
            change = (str(status.phase), str(status.cause.code) if status.cause else "")
            if found[-1] != change:
                found.append(change)
    return found


def _labelled(event: Json) -> Json:
    result: Json = copied(event)
    labels = result["object"]["metadata"].get("labels") or {}
    if labels.get("app.kubernetes.io/instance") == "demo":
        labels["toygres.io/instance-id"] = str(INSTANCE)
    return result
