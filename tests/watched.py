"""A watch under test, a server that follows a script, and whoever is told."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from stub_api import PATIENCE, Asked, Reply, StubApi

from toygres.errors import Refused, Unavailable
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.resources import PODS
from toygres.platforms.kubernetes.watching import Told, Wanted, Watch

LIST, WATCH = "GET /api/v1/namespaces/ns/pods", "watch"


def pod(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}}


class Script:
    """What the stub does: lists hold `pods` at `version`, watches run one function each, the last one for ever."""

    def __init__(self) -> None:
        self.pods: list[dict[str, Any]] = []
        self.version = 10
        self.watches: list[Callable[[Asked, Reply], None]] = [silent]
        self.lists: list[Asked] = []
        self.seen: list[Asked] = []
        self.begun: queue.Queue[Asked] = queue.Queue()

    def __call__(self, asked: Asked, reply: Reply) -> None:
        if "watch" not in asked.query:
            self.lists.append(asked)
            reply.json(200, {"metadata": {"resourceVersion": str(self.version)}, "items": self.pods})
            return
        self.seen.append(asked)
        watch = self.watches.pop(0) if len(self.watches) > 1 else self.watches[0]
        self.begun.put(asked)
        watch(asked, reply)


class Heard:
    """Everything the watch told, in its order."""

    def __init__(self) -> None:
        self.told: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.troubles: list[Refused | Unavailable] = []
        self.told_of_trouble = threading.Event()
        self.events = threading.Semaphore(0)

    def next(self) -> tuple[str, Any]:
        return self.told.get(timeout=PATIENCE)

    def names(self) -> list[str]:
        kind, objects = self.next()
        assert kind == "LIST"
        return [found["metadata"]["name"] for found in objects]

    def event(self) -> tuple[str, str]:
        kind, found = self.next()
        return kind, found["metadata"]["name"]

    def told_to(self) -> Told:
        return Told(
            on_list=lambda objects: self.told.put(("LIST", objects)),
            on_event=self._event,
            on_trouble=self._trouble,
        )

    def _event(self, kind: str, found: Any) -> None:
        self.told.put((kind, found))
        self.events.release()

    def _trouble(self, why: Refused | Unavailable) -> None:
        self.troubles.append(why)
        self.told_of_trouble.set()


def silent(_asked: Asked, reply: Reply) -> None:
    reply.begin()
    reply.hang()


@contextmanager
def running(watch: Watch) -> Iterator[threading.Thread]:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            watch.run()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield thread
    finally:
        watch.cut()
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert not failed


def rests_of(
    monkeypatch: pytest.MonkeyPatch, watch: Watch, many: int, *, shown: list[bool] | None = None
) -> list[float]:
    """Every pause that is made, without its time passing; the watch is cut after so many."""
    rests: list[float] = []

    def rest(seconds: float) -> None:
        rests.append(seconds)
        if shown is not None:
            shown.append(watch.current)
        if len(rests) >= many:
            watch.cut()

    monkeypatch.setattr(watch._line, "rest", rest)
    return rests


@pytest.fixture
def script(api: StubApi) -> Script:
    script = Script()
    api.does(script)
    return script


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def watch(cluster: Cluster, heard: Heard) -> Watch:
    wanted = Wanted(resource=PODS, namespace="ns", selector="toygres.io/installation=i", fields="type!=Normal")
    return Watch(cluster, wanted, heard.told_to(), quiet=30)
