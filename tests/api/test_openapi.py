"""The OpenAPI document is valid, and what the app does is what it says."""

from __future__ import annotations

import hypothesis
import pytest
import schemathesis
from apiflask import APIFlask
from openapi_spec_validator import validate

from tests.api.conftest import InProcess, Json, Program


@pytest.fixture
def document(idle_program: Program) -> Json:
    """The document, which needs the token as all does but the health pages."""
    return idle_program.get("/openapi.json")


def test_the_document_is_valid_openapi_3_1(document: Json):
    assert document["openapi"].startswith("3.1")
    validate(document)


def test_operation_ids_are_stable(document: Json):
    found = {operation["operationId"] for methods in document["paths"].values() for operation in methods.values()}
    assert found == {
        "cancel_operation", "create_instance", "create_signin", "delete_instance", "get_credentials", "get_health",
        "get_instance", "get_operation", "get_readiness", "list_instances", "list_operations", "list_parameters",
        "list_platforms", "restart_instance", "retry_operation", "start_instance", "stop_instance",
    }  # fmt: skip


def test_every_endpoint_says_what_it_does_and_how_its_errors_look(document: Json):
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["summary"]
            for status, response in operation["responses"].items():
                if status.startswith(("4", "5")) and operation["operationId"] != "get_readiness":
                    assert list(response["content"]) == ["application/problem+json"]


def test_all_but_the_health_pages_need_the_token(document: Json):
    assert document["security"] == [{"bearer": []}]
    assert {path for path, methods in document["paths"].items() if methods.get("get", {}).get("security") == []} == {
        "/healthz",
        "/readyz",
    }


def test_the_documents_page_loads_nothing_from_elsewhere(idle_app: APIFlask):
    assert idle_app.test_client().get("/docs").status_code == 404


def test_what_the_app_does_is_what_the_document_says(app: APIFlask, program: Program, worker: InProcess):
    program.post("/v1/instances", {"name": "demo"})
    headers = {"Authorization": f"Bearer {program.token}"}
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app, headers=headers)
    left_out = [
        # What is offered depends on the platform, which a schema can't say.
        schemathesis.checks.positive_data_acceptance,
    ]

    for result in schema.get_all_operations():
        found = result.ok()

        @hypothesis.settings(max_examples=8, deadline=None, derandomize=True, database=None)
        @hypothesis.given(case=found.as_strategy())
        def probe(case: schemathesis.Case) -> None:
            if "wait_seconds" in case.query:
                case.query["wait_seconds"] = 0
            case.call_and_validate(headers=headers, excluded_checks=left_out)

        probe()
