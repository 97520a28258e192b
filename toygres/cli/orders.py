"""What `up` sees to when it begins: the instances that ran when Toygres was stopped run again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from toygres.cli.client import Client, instance_path, operation_path
from toygres.cli.outcome import ENDINGS
from toygres.cli.output import say, sentences
from toygres.cli.steps import changes
from toygres.errors import CauseCode, NotFound, Rejected

Json = dict[str, Any]

_BRING_UP = frozenset({"start", "restart"})


def start_servers(client: Client) -> None:
    """Start what the last `up` stopped when it ended, and wait for each.

    What was killed with it has been ordered already by a worker; that is waited for, too.
    """
    found = list(client.items("/v1/instances"))
    begun = [client.get(operation_path(instance["operation"])) for instance in found if instance["operation"]]
    ordered = list(_started(client, filter(_was_shut_down, found)))
    for operation in (*(operation for operation in begun if operation["kind"] in _BRING_UP), *ordered):
        ended = operation
        for changed in changes(client, operation):
            ended = changed
        _tell_start(ended)


def _was_shut_down(instance: Json) -> bool:
    cause = instance["available"]["cause"]
    return not instance["operation"] and cause is not None and cause["code"] == CauseCode.SHUT_DOWN


def _started(client: Client, instances: Iterable[Json]) -> Iterator[Json]:
    for instance in instances:
        try:
            yield client.post(instance_path(instance["id"], "start"))["operation"]
        except NotFound:
            continue
        except Rejected as refused:
            say(f"{instance['name']}: {refused.message}")


def _tell_start(operation: Json) -> None:
    name = operation["instance"]["name"]
    if operation["state"] == "succeeded":
        say(f"{name}: ready")
        return
    cause = operation["cause"]
    why = f": {sentences(cause['message'], cause['remedy'])}" if cause else ""
    say(f"{name}: its {operation['kind']} {ENDINGS[operation['state']]}{why}")
