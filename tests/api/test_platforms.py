"""What a platform offers, and what may be set there."""

from __future__ import annotations

import pytest

from tests.api.conftest import Json, Person, Program

PARAMETERS = "/v1/platforms/local/parameters"


def test_parameters_are_told_for_the_default_version(idle_program: Program):
    found = idle_program.get(PARAMETERS)
    assert found["version"] == idle_program.get("/v1/platforms")["items"][0]["default_version"] == "18"
    assert found["next_cursor"] is None
    names = [item["name"] for item in found["items"]]
    assert names == sorted(names)
    assert "archive_command" not in names


def test_a_parameter_is_told_with_type_unit_range_and_whether_it_needs_a_restart(idle_program: Program):
    (buffers,) = [item for item in idle_program.get(PARAMETERS)["items"] if item["name"] == "shared_buffers"]
    assert buffers == {
        "name": "shared_buffers",
        "type": "integer",
        "unit": "8kB",
        "minimum": "16",
        "maximum": "1073741823",
        "also": [],
        "multiple_of": "",
        "choices": [],
        "default": "128MB",
        "restart": True,
        "category": "Resource Usage / Memory",
        "description": "Sets the number of shared memory buffers used by the server.",
        "note": "",
        "allowed": "16 to 1073741823, in units of 8kB or with a unit such as 64MB",
    }


def test_each_version_that_is_offered_has_its_own_list(idle_program: Program):
    for version in idle_program.get("/v1/platforms")["items"][0]["versions"]:
        found = idle_program.get(PARAMETERS, version=version)
        assert found["version"] == version
        assert len(found["items"]) > 150


def test_a_platform_that_is_not_there_is_not_found(idle_program: Program):
    problem = idle_program.get("/v1/platforms/moon/parameters", status=404)
    assert "local" in problem["remedy"]


@pytest.mark.parametrize("version", ["9", "", "18.1", "../18"])
def test_a_version_that_is_not_offered_is_refused_with_those_that_are(idle_program: Program, version: str):
    (error,) = idle_program.get(PARAMETERS, status=422, version=version)["errors"]
    assert error["field"] == "version"
    assert "18" in error["allowed"]


def _refusal(program: Program, parameters: Json) -> Json:
    problem = program.post("/v1/instances", {"name": "demo", "parameters": parameters}, status=422)
    return {error["field"].removeprefix("parameters."): error for error in problem["errors"]}


def test_bad_values_are_refused_with_what_is_allowed_before_anything_is_made(idle_program: Program):
    errors = _refusal(
        idle_program,
        {"work_mem": "1kB", "max_connections": 9, "wal_level": "minimal", "jit": "maybe", "timezone": "Mars"},
    )
    assert {name: error["message"] for name, error in errors.items()} == {
        "work_mem": "is out of range",
        "max_connections": "is out of range",
        "wal_level": "isn't one of its values",
        "jit": "isn't a truth value",
        "timezone": "isn't a value that it can have",
    }
    assert errors["work_mem"]["allowed"] == "64 to 2147483647, in units of kB or with a unit such as 64MB"
    assert errors["wal_level"]["allowed"] == "one of replica, logical"
    assert idle_program.get("/v1/instances")["items"] == []


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(idle_program: Program):
    errors = _refusal(idle_program, {"wrok_mem": "4MB"})
    assert errors["wrok_mem"]["message"] == "isn't a parameter of PostgreSQL 18"
    assert "work_mem" in errors["wrok_mem"]["allowed"]


def test_what_is_withheld_is_refused_with_the_reason(idle_program: Program):
    errors = _refusal(idle_program, {"archive_command": "rm -rf /", "Listen_Addresses": "*"})
    assert "runs commands" in errors["archive_command"]["message"]
    assert "listens" in errors["Listen_Addresses"]["message"]


def test_names_are_taken_in_any_case_but_only_once(program: Program):
    errors = _refusal(program, {"TimeZone": "UTC", "timezone": "UTC"})
    assert errors["timezone"]["message"] == "is set twice"
    made = program.post("/v1/instances", {"name": "demo", "parameters": {"TimeZone": "Europe/Berlin", "jit": False}})
    assert made["instance"]["spec"]["parameters"] == {"timezone": "Europe/Berlin", "jit": "off"}


def test_a_version_that_is_not_offered_is_all_that_is_told_of_a_request(idle_program: Program):
    body = {"name": "demo", "version": "9", "parameters": {"no_such_one": "1"}}
    problem = idle_program.post("/v1/instances", body, status=422)
    assert [error["field"] for error in problem["errors"]] == ["version"]


def test_the_form_offers_what_may_be_set(idle_person: Person):
    page = idle_person.see("/create")
    assert "parameters of PostgreSQL 18</summary>" in page
    assert "<code>work_mem</code>" in page
    assert 'href="/parameters?version=18"' in page


def test_each_version_has_a_page_of_its_parameters(idle_person: Person):
    page = idle_person.see("/parameters?version=18")
    assert "<code>io_method</code>" in page
    assert "Sets the number of shared memory buffers used by the server." in page
    assert "<code>archive_command</code>" not in page
    idle_person.see("/parameters?version=<b>9", status=422)


def test_the_list_of_parameters_is_for_those_who_are_signed_in(idle_program: Program):
    assert idle_program.client.get("/parameters").status_code != 200
    assert idle_program.client.get(PARAMETERS).status_code == 401
