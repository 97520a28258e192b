"""What `up` orders by itself: servers stop before it ends, and those that ran start when it begins."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from typing import Any

from toygres.cli.client import Client, instance_path, operation_path
from toygres.cli.outcome import ENDINGS
from toygres.cli.output import say, sentences
from toygres.cli.steps import ENDED, changes
from toygres.errors import NotFound, Rejected
from toygres.home import Home, write_private

Json = dict[str, Any]


def stop_servers(client: Client, home: Home, seconds: float) -> None:
    """Order a stop of every instance that is ready, and wait for their ends, at most `seconds` in all.

    Which ones they are is written down first, so that the next `up` starts them. What is going on gets
    the chance to end before.
    """
    deadline = time.monotonic() + seconds
    for instance in client.items("/v1/instances"):
        if instance["operation"]:
            _end_of(client, client.get(operation_path(instance["operation"])), deadline)
    ready = list(client.items("/v1/instances", state="ready"))
    _remember(home, [instance["id"] for instance in ready])
    for operation in list(_ordered(client, ready, "stop")):
        ended = _end_of(client, operation, deadline)
        say(f"{ended['instance']['name']}: {'stopped' if ended['state'] == 'succeeded' else 'still stopping'}")


def start_servers(client: Client, home: Home) -> None:
    """Start the instances that ran when the last `up` ended, however it ended, and wait for each."""
    remembered = _remembered(home)
    ran = [instance for instance in client.items("/v1/instances") if _ran(instance, remembered)]
    for instance in ran:
        _settle(client, instance)
    for operation in list(_ordered(client, ran, "start")):
        ended = operation
        for changed in changes(client, operation):
            ended = changed
        _tell_start(ended)
    home.resume.unlink(missing_ok=True)


def _tell_start(operation: Json) -> None:
    name = operation["instance"]["name"]
    if operation["state"] == "succeeded":
        say(f"{name}: ready")
        return
    cause = operation["cause"]
    why = f": {sentences(cause['message'], cause['remedy'])}" if cause else ""
    say(f"{name}: its start {ENDINGS[operation['state']]}{why}")


def _ran(instance: Json, remembered: Iterable[str]) -> bool:
    return instance["id"] in remembered or instance["status"]["state"] == "ready"


def _settle(client: Client, instance: Json) -> None:
    """Let a stop that the last `up` didn't see to its end come to it."""
    if not instance["operation"]:
        return
    operation = client.get(operation_path(instance["operation"]))
    if operation["kind"] == "stop":
        for _ in changes(client, operation):
            pass


def _ordered(client: Client, instances: Iterable[Json], what: str) -> Iterator[Json]:
    for instance in instances:
        try:
            yield client.post(instance_path(instance["id"], what))["operation"]
        except NotFound:
            continue
        except Rejected as refused:
            say(f"{instance['name']}: {refused.message}")


def _end_of(client: Client, operation: Json, deadline: float) -> Json:
    while operation["state"] not in ENDED and (left := deadline - time.monotonic()) > 0:
        operation = client.get(
            operation_path(operation["id"]), after_revision=operation["revision"], wait_seconds=f"{left:.2f}"
        )
    return operation


def _remember(home: Home, instances: list[str]) -> None:
    write_private(home.resume, json.dumps(sorted({*_remembered(home), *instances})))


def _remembered(home: Home) -> set[str]:
    try:
        found = json.loads(home.resume.read_text())
    except (FileNotFoundError, ValueError):
        return set()
    return {str(instance) for instance in found} if isinstance(found, list) else set()
