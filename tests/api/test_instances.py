"""Ordering, listing and looking at instances."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from making_stack import forget_connections

from tests.api.conftest import Json, Person, Program
from toygres import config
from toygres.services import Services
from toygres.store.session import Store
from worker.app import QUEUE
from worker.queue import connect

PASSWORD = "correct-horse-battery"
CHANGES = ("start", "stop", "restart")


@pytest.fixture
def demo(program: Program) -> Json:
    """An instance called demo, just ordered."""
    return program.post("/v1/instances", {"name": "demo"})


def _refusal(program: Program, body: object) -> dict[str, Json]:
    problem = program.post("/v1/instances", body, status=422)
    return {error["field"]: error for error in problem["errors"]}


def test_an_order_is_answered_with_the_instance_its_operation_and_where_to_follow_it(program: Program):
    answer = program.call(
        "POST", "/v1/instances", json={"name": "demo", "storage": "2Gi", "memory": "1.5Gi", "cpu": "500m"}
    )
    assert answer.status_code == 202
    instance, operation = answer.get_json()["instance"], answer.get_json()["operation"]
    assert answer.headers["Location"] == f"/v1/operations/{operation['id']}"
    assert instance["id"].startswith("ins_")
    assert instance["operation"] == operation["id"]
    assert instance["spec"]["storage"] == "2Gi"
    assert instance["spec"]["storage_bytes"] == 2 * 2**30
    assert instance["spec"]["memory"] == "1536Mi"
    assert instance["spec"]["cpu_millicores"] == 500
    assert instance["status"]["state"] == "requested"
    assert instance["status"]["not_enforced"] == ["storage", "cpu", "memory"]
    assert instance["available"]["value"] is False
    assert instance["created_at"].endswith("Z")
    assert operation["steps"][0]["name"] == "apply_credentials"
    assert {step["state"] for step in operation["steps"]} == {"pending"}


def test_an_instance_is_found_by_name_and_by_id(program: Program, demo: Json):
    by_name, by_id = (program.get(f"/v1/instances/{ref}") for ref in ("demo", demo["instance"]["id"]))
    assert by_name == by_id == demo["instance"]


def test_a_duplicate_name_is_refused_at_request_time(program: Program, demo: Json):
    problem = program.post("/v1/instances", {"name": "demo"}, status=409)
    assert problem["type"].endswith("/conflict")
    assert problem["instance"] == demo["instance"]["id"]
    assert problem["remedy"]


@pytest.mark.parametrize("name", ["Demo", "1demo", "demo-", "-", "", "a" * 41, "de mo", "démo", "demo\n"])
def test_a_name_outside_the_rule_is_refused_with_the_rule(idle_program: Program, name: str):
    error = _refusal(idle_program, {"name": name})["name"]
    assert error["value"] == name
    assert "a to z" in error["allowed"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("version", "99"), ("storage", "1Yi"), ("storage", "1"), ("cpu", "0"), ("memory", "lots"), ("platform", "moon")],
)
def test_what_is_not_offered_is_refused_with_field_value_and_what_is_allowed(
    idle_program: Program, field: str, value: str
):
    error = _refusal(idle_program, {"name": "demo", field: value})[field]
    assert error["value"] == value
    assert error["allowed"]


def test_every_wrong_field_is_told_at_once(idle_program: Program):
    assert set(_refusal(idle_program, {"name": "Demo", "version": "1", "cpu": "x"})) == {"name", "version", "cpu"}


def test_a_version_written_as_a_number_is_refused_clearly(idle_program: Program):
    error = _refusal(idle_program, {"name": "demo", "version": 18})["version"]
    assert error == {
        "field": "version", "value": 18, "message": "isn't a string", "allowed": "a string, in quotation marks",
    }  # fmt: skip


def test_an_unknown_field_is_refused_without_showing_its_value(idle_program: Program):
    errors = _refusal(idle_program, {"name": "demo", "pasword": PASSWORD})
    assert errors["pasword"]["value"] is None


@pytest.mark.parametrize("body", [[], "demo", 5, {}, {"name": None}, {"name": ["demo"]}])
def test_a_body_of_another_shape_is_refused(idle_program: Program, body: object):
    answer = idle_program.call("POST", "/v1/instances", json=body)
    assert answer.status_code == 422


def test_parameters_may_be_written_as_json_values(program: Program):
    asked = {"shared_buffers": "16MB", "work_mem": 4096}
    made = program.post("/v1/instances", {"name": "demo", "parameters": asked})
    assert made["instance"]["spec"]["parameters"] == {"shared_buffers": "16MB", "work_mem": "4096"}


@pytest.mark.parametrize("value", [None, [], {}, "a\0b", "x" * 201])
def test_a_parameter_of_another_shape_is_refused_by_its_name(idle_program: Program, value: object):
    errors = _refusal(idle_program, {"name": "demo", "parameters": {"shared_buffers": value}})
    assert list(errors) == ["parameters.shared_buffers"]


@pytest.mark.parametrize("name", ["listen_addresses", "archive_command", "shared_preload_libraries", "no_such_one"])
def test_a_parameter_outside_the_list_is_refused(idle_program: Program, name: str):
    error = _refusal(idle_program, {"name": "demo", "parameters": {name: "x"}})[f"parameters.{name}"]
    assert "GET /v1/platforms/local/parameters?version=18" in error["allowed"]


@pytest.mark.parametrize("password", ["", "a\0b", "x" * 129, 5, ["secret-in-a-list"], "\ud800abcdefgh"])
def test_a_refused_password_is_never_told(idle_program: Program, password: object):
    answer = idle_program.call("POST", "/v1/instances", json={"name": "demo", "password": password})
    assert answer.status_code == 422
    assert answer.get_json(force=True)["errors"][0]["value"] is None
    assert "secret-in-a-list" not in answer.text


def test_a_password_is_in_no_answer_and_no_row(program: Program, person: Person, store: Store):
    program.post("/v1/instances", {"name": "demo", "password": PASSWORD})
    answers = [program.call("GET", path).text for path in ("/v1/instances", "/v1/instances/demo", "/v1/operations")]
    answers += [person.see("/"), person.see("/instances/demo")]
    assert not any(PASSWORD in answer for answer in answers)
    tables = store.all("SELECT tablename FROM pg_tables WHERE schemaname = 'toygres'")
    rows = [str(store.all(f"SELECT t::text FROM toygres.{table.tablename} t")) for table in tables]  # noqa: S608
    assert tables
    assert not any(PASSWORD in row for row in rows)


def test_an_accepted_order_is_published_as_a_chain_that_names_ids_and_steps_alone(program: Program, services: Services):
    made = program.post("/v1/instances", {"name": "demo", "password": PASSWORD})
    with contextlib.closing(connect(str(services.settings.redis_url.get_secret_value()))) as broker:
        (message,) = broker.lrange(services.settings.redis_prefix + QUEUE, 0, -1)
    arguments, _, chain = json.loads(base64.b64decode(json.loads(message)["body"]))
    assert arguments == [made["operation"]["id"]]
    steps = [step["name"] for step in made["operation"]["steps"]]
    assert [link["task"] for link in reversed(chain["chain"])] == steps[1:]
    assert all(link["args"] == arguments for link in chain["chain"])
    assert PASSWORD not in str(message)


def test_an_order_is_accepted_while_the_broker_is_away(program: Program, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REDIS_URL", "redis+socket:///nowhere/valkey.sock?virtual_host=0")
    config.settings.cache_clear()
    forget_connections()
    program.post("/v1/instances", {"name": "demo"})


def test_credentials_are_a_conflict_that_names_the_operation_until_they_are_there(program: Program, demo: Json):
    problem = program.get("/v1/instances/demo/credentials", status=409)
    assert problem["operation"] == demo["operation"]["id"]


@pytest.mark.parametrize(
    "ref", ["none", "ins_01h455vb4pex5vsknk084sn02q", "op_01h455vb4pex5vsknk084sn02q", "%00", "Ä", "a" * 500]
)
@pytest.mark.parametrize(
    ("method", "more"),
    [("GET", ""), ("GET", "/credentials"), ("DELETE", ""), ("POST", "/start"), ("POST", "/stop"), ("POST", "/restart")],
)
def test_an_instance_that_is_not_there_is_a_404(idle_program: Program, ref: str, method: str, more: str):
    assert idle_program.call(method, f"/v1/instances/{ref}{more}").status_code == 404


def test_lists_come_in_pages_that_miss_none(program: Program):
    made = {program.post("/v1/instances", {"name": f"demo-{number}"})["instance"]["id"] for number in range(5)}
    seen, cursor = [], None
    while True:
        page = program.get("/v1/instances", limit=2, **({"cursor": cursor} if cursor else {}))
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(made, reverse=True)


def test_lists_can_be_narrowed_to_a_state(program: Program, demo: Json):
    assert [item["name"] for item in program.get("/v1/instances", state="requested")["items"]] == ["demo"]
    assert program.get("/v1/instances", state="ready")["items"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"), ({"limit": "201"}, "limit"), ({"limit": "x"}, "limit"), ({"cursor": "x"}, "cursor"),
        ({"cursor": "\0"}, "cursor"), ({"state": "happy"}, "state"), ({"colour": "red"}, "colour"),
    ],
)  # fmt: skip
def test_a_wrong_query_is_refused_by_field(idle_program: Program, query: dict[str, str], field: str):
    problem = idle_program.get("/v1/instances", status=422, **query)
    assert [error["field"] for error in problem["errors"]] == [field]


def test_deleting_supersedes_the_create_and_deleting_again_answers_the_same_operation(program: Program, demo: Json):
    first = program.delete("/v1/instances/demo")
    again = program.delete("/v1/instances/demo")
    assert first["instance"]["status"]["state"] == "deleting"
    assert again["operation"]["id"] == first["operation"]["id"]
    superseded = program.get(f"/v1/operations/{demo['operation']['id']}")
    assert superseded["state"] == "superseded"
    assert superseded["superseded_by"] == first["operation"]["id"]


@pytest.mark.parametrize("change", CHANGES)
def test_what_the_state_does_not_allow_is_a_conflict(program: Program, demo: Json, change: str):
    problem = program.post(f"/v1/instances/demo/{change}", status=409)
    assert problem["operation"] == demo["operation"]["id"]


def test_a_stop_of_what_is_stopped_says_what_it_takes(program: Program, store: Store, demo: Json):
    program.post(f"/v1/operations/{demo['operation']['id']}/cancel")
    store.run("UPDATE toygres.instances SET state = 'stopped', released_at = NULL")
    problem = program.post("/v1/instances/demo/stop", status=409)
    told = ("demo is stopped: a stop isn't possible.", "It takes an instance that is ready.")
    assert (problem["detail"], problem["remedy"]) == told


def test_platforms_tell_what_they_offer(idle_program: Program):
    (local,) = idle_program.get("/v1/platforms")["items"]
    assert local["name"] == "local"
    assert local["default"] is True
    assert local["default_version"] in local["versions"]
    assert local["storage"]["default"].endswith("i")
