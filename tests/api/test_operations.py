"""Following an operation, cancelling it, and trying it again."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest
from apiflask import APIFlask

from tests.api.conftest import InProcess, Json, Program
from web.state import LONG_WAITS

PASSWORD = "correct-horse-battery"


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
    idle_program.post(f"/v1/operations/{name}/retry", status=404)


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
    assert problem["detail"] == "The create is over (superseded): it can't be cancelled any more."


@pytest.fixture
def cancelled(program: Program, operation: Json) -> Json:
    """A create that was cancelled."""
    found: Json = program.post(f"/v1/operations/{operation['id']}/cancel")
    assert found["state"] == "cancelled"
    return found


@pytest.mark.parametrize("body", [None, {}, {"password": None}, {"password": PASSWORD}])
def test_a_retry_is_a_new_operation_of_the_same_instance(program: Program, cancelled: Json, body: object):
    answer = program.call("POST", f"/v1/operations/{cancelled['id']}/retry", **({} if body is None else {"json": body}))
    assert answer.status_code == 202
    again = answer.get_json()
    assert answer.headers["Location"] == f"/v1/operations/{again['operation']['id']}"
    assert again["operation"]["retry_of"] == cancelled["id"]
    assert again["operation"]["kind"] == "create"
    assert again["instance"]["id"] == cancelled["instance"]["id"]
    assert again["instance"]["status"]["state"] == "requested"
    assert PASSWORD not in answer.text
    assert program.get(f"/v1/operations/{cancelled['id']}") == cancelled


def test_a_retried_create_has_the_password_that_came_with_it(program: Program, cancelled: Json, worker: InProcess):
    again = program.post(f"/v1/operations/{cancelled['id']}/retry", {"password": PASSWORD})
    worker.carry_out(again["operation"])
    kept = program.get("/v1/instances/demo/credentials")
    assert kept["password"] == PASSWORD
    with psycopg.connect(kept["uri"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    restart = program.post("/v1/instances/demo/restart")
    worker.carry_out(restart["operation"])
    assert program.get(f"/v1/operations/{restart['operation']['id']}")["state"] == "succeeded"
    assert program.get("/v1/instances/demo")["available"]["value"] is True
    worker.carry_out(program.delete("/v1/instances/demo")["operation"])


def test_a_second_retry_is_a_conflict_that_names_the_first(program: Program, cancelled: Json):
    first = program.post(f"/v1/operations/{cancelled['id']}/retry")
    problem = program.post(f"/v1/operations/{cancelled['id']}/retry", status=409)
    assert problem["operation"] == first["operation"]["id"]


@pytest.mark.parametrize("body", [[], 5, "x", {"pasword": PASSWORD}, {"password": 5}, {"password": "short"}])
def test_a_retry_of_another_shape_is_refused_and_tells_no_value(program: Program, cancelled: Json, body: object):
    answer = program.call("POST", f"/v1/operations/{cancelled['id']}/retry", json=body)
    assert answer.status_code == 422
    assert PASSWORD not in answer.text
    assert all(error["value"] is None for error in answer.get_json(force=True)["errors"] if error["field"] != "body")


def test_a_retry_that_is_no_json_is_refused(program: Program, cancelled: Json):
    path = f"/v1/operations/{cancelled['id']}/retry"
    assert program.call("POST", path, data="{", content_type="application/json").status_code == 400
    assert program.call("POST", path, data="a=b", content_type="text/plain").status_code == 415
