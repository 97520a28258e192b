"""Following an operation, and cancelling it."""

from __future__ import annotations

import threading
import time

import pytest
from apiflask import APIFlask

from tests.api.conftest import Json, Program
from web.state import LONG_WAITS


@pytest.fixture
def operation(program: Program) -> Json:
    """The operation of an instance called demo, just ordered."""
    found: Json = program.post("/v1/instances", {"name": "demo"})["operation"]
    return found


def test_an_operation_tells_who_ordered_it_and_every_step_to_come(program: Program, operation: Json):
    found = program.get(f"/v1/operations/{operation['id']}")
    assert found["kind"] == "create"
    assert found["title"] == "Create an instance"
    assert found["state"] == "queued"
    assert found["actor"] == "token"
    assert found["instance"]["name"] == "demo"
    assert found["request_id"].startswith("req_")
    assert [step["position"] for step in found["steps"]] == list(range(len(found["steps"])))
    assert all(step["attempts"] == 0 and step["started_at"] is None for step in found["steps"])


def test_the_callers_request_id_stays_with_the_operation(program: Program):
    made = program.call("POST", "/v1/instances", json={"name": "demo"}, headers={"X-Request-Id": "mine-1"}).get_json()
    assert made["operation"]["request_id"] == "mine-1"


def test_a_long_poll_is_answered_at_once_when_there_is_news(program: Program, operation: Json):
    began = time.monotonic()
    program.get(f"/v1/operations/{operation['id']}", after_revision=operation["revision"] - 1, wait_seconds=20)
    assert time.monotonic() - began < 5


def test_a_long_poll_ends_without_news_when_its_time_is_over(program: Program, operation: Json):
    began = time.monotonic()
    found = program.get(f"/v1/operations/{operation['id']}", after_revision=operation["revision"], wait_seconds=0.3)
    assert 0.3 <= time.monotonic() - began < 5
    assert found["revision"] == operation["revision"]


def test_a_long_poll_wakes_when_something_happens(program: Program, operation: Json):
    found: list[Json] = []
    path = f"/v1/operations/{operation['id']}"

    def poll() -> None:
        found.append(program.get(path, after_revision=operation["revision"], wait_seconds=25))

    waiting = threading.Thread(target=poll)
    began = time.monotonic()
    waiting.start()
    program.post(f"{path}/cancel")
    waiting.join(timeout=20)
    assert time.monotonic() - began < 10
    assert found[0]["cancel_requested_at"] is not None


def test_a_long_poll_of_an_ended_operation_is_answered_at_once(program: Program, operation: Json):
    program.delete("/v1/instances/demo")
    ended = program.get(f"/v1/operations/{operation['id']}")
    began = time.monotonic()
    program.get(f"/v1/operations/{operation['id']}", after_revision=ended["revision"], wait_seconds=20)
    assert time.monotonic() - began < 5


def test_when_too_many_wait_the_next_one_waits_briefly(app: APIFlask, program: Program, operation: Json):
    long_waits = app.extensions["toygres"].long_waits
    assert all(long_waits.acquire(blocking=False) for _ in range(LONG_WAITS))
    began = time.monotonic()
    program.get(f"/v1/operations/{operation['id']}", after_revision=operation["revision"], wait_seconds=20)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("name", "value"),
    [("wait_seconds", "31"), ("wait_seconds", "-1"), ("wait_seconds", "nan"), ("after_revision", "x"), ("x", "1")],
)
def test_a_wrong_long_poll_is_refused_by_field(idle_program: Program, name: str, value: str):
    problem = idle_program.get("/v1/operations/any", status=422, **{name: value})
    assert [error["field"] for error in problem["errors"]] == [name]


@pytest.mark.parametrize("name", ["none", "op_01h455vb4pex5vsknk084sn02q", "ins_01h455vb4pex5vsknk084sn02q", "%00"])
def test_an_operation_that_is_not_there_is_a_404(idle_program: Program, name: str):
    idle_program.get(f"/v1/operations/{name}", status=404)
    idle_program.post(f"/v1/operations/{name}/cancel", status=404)


def test_operations_are_listed_newest_first_and_by_instance(program: Program, operation: Json):
    other = program.post("/v1/instances", {"name": "other"})["operation"]
    assert [item["id"] for item in program.get("/v1/operations")["items"]] == [other["id"], operation["id"]]
    assert [item["id"] for item in program.get("/v1/operations", instance="demo")["items"]] == [operation["id"]]
    first = program.get("/v1/operations", limit=1)
    rest = program.get("/v1/operations", limit=1, cursor=first["next_cursor"])
    assert [item["id"] for item in rest["items"]] == [operation["id"]]


def test_operations_of_an_instance_that_is_not_there_are_a_404(idle_program: Program):
    idle_program.get("/v1/operations", status=404, instance="none")


def test_a_cancelled_operation_says_so_and_can_be_told_again(program: Program, operation: Json):
    path = f"/v1/operations/{operation['id']}/cancel"
    assert program.post(path)["cancel_requested_at"] is not None
    assert program.post(path)["cancel_requested_at"] is not None


def test_an_ended_operation_can_not_be_cancelled(program: Program, operation: Json):
    program.delete("/v1/instances/demo")
    problem = program.post(f"/v1/operations/{operation['id']}/cancel", status=409)
    assert "superseded" in problem["detail"]
