"""What `up` sees to when it begins, and how it makes the instance ready that was named."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from toygres.cli.client import Client
from toygres.cli.orders import start_servers
from toygres.cli.welcome import _make_ready

INSTANCES = "/v1/instances"
OPERATION = "/v1/operations/op_01h455vb4pex5vsknk084sn02q"
BY_ID = "/v1/instances/ins_01h455vb4pex5vsknk084sn02q"
SHUT_DOWN = {"code": "ShutDown", "message": "Toygres was stopped.", "remedy": "Start it.", "evidence": []}


def _unavailable(cause: Any) -> Any:
    return {"value": False, "since": None, "cause": cause}


def _ordered(wire: Any) -> list[str]:
    return [seen.path for seen in wire.seen if seen.method == "POST"]


def test_what_was_shut_down_is_started_and_waited_for(
    wire: Any, instance: Any, operation: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped = instance("stopped", available=_unavailable(SHUT_DOWN))
    wire.answer("GET", INSTANCES, {"items": [stopped], "next_cursor": None})
    wire.answer("POST", f"{BY_ID}/start", {"instance": stopped, "operation": operation(kind="start")}, status=202)
    wire.answer("GET", OPERATION, operation("succeeded", 2, kind="start"))
    start_servers(Client.find())
    assert capsys.readouterr().err == "demo: ready\n"


def test_what_a_worker_has_ordered_already_is_waited_for_and_not_ordered_again(
    wire: Any, instance: Any, operation: Any, cause: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    going_on = instance(operation="op_01h455vb4pex5vsknk084sn02q", available=_unavailable(cause))
    wire.answer("GET", INSTANCES, {"items": [going_on], "next_cursor": None})
    failed = operation("failed", 2, kind="start", cause=cause)
    wire.answer("GET", OPERATION, operation("running", 1, kind="start"), failed)
    start_servers(Client.find())
    told = "demo: its start failed: The server refused its parameters. Delete it and order it with others.\n"
    assert capsys.readouterr().err == told
    assert _ordered(wire) == []


@pytest.mark.parametrize("state", ["ready", "stopped", "failed"])
def test_all_others_are_left_as_they_are(wire: Any, instance: Any, state: str) -> None:
    wire.answer("GET", INSTANCES, {"items": [instance(state)], "next_cursor": None})
    start_servers(Client.find())
    assert _ordered(wire) == []


def test_creates_and_deletes_are_not_waited_for(wire: Any, instance: Any, operation: Any) -> None:
    creating = instance("creating", operation="op_01h455vb4pex5vsknk084sn02q")
    wire.answer("GET", INSTANCES, {"items": [creating], "next_cursor": None})
    wire.answer("GET", OPERATION, operation("running", 1))
    start_servers(Client.find())
    assert len(wire.seen) == 2


def test_the_named_instance_that_can_be_logged_in_to_is_left_as_it_is(wire: Any, instance: Any) -> None:
    wire.answer("GET", "/v1/instances/demo", instance())
    _make_ready(Client.find(), "demo")
    assert _ordered(wire) == []


def test_the_named_instance_that_is_not_available_is_started(
    wire: Any, instance: Any, operation: Any, cause: Any
) -> None:
    wire.answer("GET", "/v1/instances/demo", instance(available=_unavailable(cause)))
    accepted = {"instance": instance(), "operation": operation("succeeded", 2, kind="start")}
    wire.answer("POST", "/v1/instances/demo/start", accepted, status=202)
    _make_ready(Client.find(), "demo")
    assert _ordered(wire) == ["/v1/instances/demo/start"]


def test_a_start_that_somebody_else_has_just_ordered_is_followed(
    wire: Any, instance: Any, operation: Any, cause: Any
) -> None:
    wire.answer("GET", "/v1/instances/demo", instance(available=_unavailable(cause)))
    problem = {"title": "Conflict", "status": 409, "detail": "A start is going on.", "operation": operation()["id"]}
    wire.answer("POST", "/v1/instances/demo/start", problem, status=409)
    wire.answer("GET", OPERATION, operation("failed", 2, kind="start"))
    with pytest.raises(typer.Exit):
        _make_ready(Client.find(), "demo")
