"""People who go on ordering while everything breaks: creates, cancels, retries, stops, starts, restarts, deletes."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.chaos.stack import INSTANCES, Target
from toygres.cli.client import Client, instance_path, operation_path
from toygres.errors import ToygresError

Json = dict[str, Any]

_PEOPLE = 5
# Fewer than there are ports: what is being deleted holds one, too.
_MOST_INSTANCES = INSTANCES // 2
_PAUSE_SECONDS = 0.4
_CHANGES = ("stop", "start", "restart")


@dataclass
class Load:
    """Some people, each in a thread; whatever is refused or unanswered they take as it is."""

    target: Target
    seed: int
    accepted: set[str] = field(default_factory=set)
    refused: int = 0
    unanswered: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Begin to order."""
        for number in range(_PEOPLE):
            self._threads.append(threading.Thread(target=self._live, args=(number,), daemon=True))
            self._threads[-1].start()

    def stop(self) -> None:
        """Order nothing more; returns once the last answer came."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _live(self, number: int) -> None:
        chance = random.Random(self.seed * 1000 + number)  # noqa: S311 (nobody's secret hangs on it)
        made = 0
        while not self._stop.wait(_PAUSE_SECONDS * chance.uniform(0.2, 1.8)):
            client = chance.choice(self.target.clients)
            made += 1
            try:
                self._order(client, chance, f"p{number}-{made}")
            except ToygresError as error:
                if type(error).__name__ in ("Unavailable", "ToygresError"):
                    self.unanswered += 1
                else:
                    self.refused += 1

    def _order(self, client: Client, chance: random.Random, name: str) -> None:
        living = list(client.items("/v1/instances"))
        held = [instance for instance in living if instance["status"]["state"] != "failed"]
        acts: list[tuple[int, Callable[[], Json]]] = []
        if len(held) < _MOST_INSTANCES:
            acts.append((6, lambda: client.post("/v1/instances", _asked(name))))
        if held:
            instance = chance.choice(held)
            # Most people wait until their instance is ready; then it lives for a while.
            busy = instance["operation"]
            acts.append((1 if busy else 3, lambda: client.delete(instance_path(instance["id"]))))
            change = chance.choice(_CHANGES)
            acts.append((1 if busy else 4, lambda: client.post(instance_path(instance["id"], change))))
            if busy:
                acts.append((1, lambda: client.post(operation_path(busy, "cancel"))))
        failed = [operation for operation in client.get("/v1/operations", limit=30)["items"] if _can_retry(operation)]
        if failed:
            retried = chance.choice(failed)
            acts.append((3, lambda: client.post(operation_path(retried["id"], "retry"))))
        weights = [weight for weight, _ in acts]
        if acts:
            answer = chance.choices([act for _, act in acts], weights)[0]()
            operation = answer.get("operation", answer)
            self.accepted.add(operation["id"])


def _asked(name: str) -> Json:
    return {"name": name, "memory": "64Mi", "parameters": {"shared_buffers": "1MB"}}


def _can_retry(operation: Json) -> bool:
    return operation["state"] in ("failed", "cancelled") and operation["kind"] not in ("delete", "cleanup")
