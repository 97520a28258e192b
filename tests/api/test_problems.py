"""Every error is one shape, the framework's own included."""

from __future__ import annotations

import json
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from tests.api.conftest import Program
from tests.conftest import MetadataServer
from toygres.services import Services

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "slug"),
    [
        ("GET", "/nowhere", {}, 404, "not-found"),
        ("GET", "/v1/nowhere", {}, 404, "not-found"),
        ("PUT", "/v1/instances", {}, 405, "method-not-allowed"),
        ("POST", "/v1/instances", {"data": "{", "headers": JSON}, 400, "bad-request"),
        ("POST", "/v1/instances", {"data": "", "headers": JSON}, 400, "bad-request"),
        ("POST", "/v1/instances", {"data": '{"name": NaN}', "headers": JSON}, 400, "bad-request"),
        ("POST", "/v1/instances", {"data": b"\xff\xfe{", "headers": JSON}, 400, "bad-request"),
        ("POST", "/v1/instances", {"data": "[" * 60_000, "headers": JSON}, 400, "bad-request"),
        ("POST", "/v1/instances", {"data": "1" * 5_000, "headers": JSON}, 400, "bad-request"),
        ("POST", "/v1/instances", {"data": " " * 70_000, "headers": JSON}, 413, "too-large"),
        ("POST", "/v1/instances", {"data": {"name": "demo"}}, 415, "not-json"),
        ("POST", "/v1/instances", {"data": "{}", "headers": {"Content-Type": "text/plain"}}, 415, "not-json"),
        ("POST", "/v1/instances", {"json": {}}, 422, "invalid-value"),
        ("GET", "/v1/instances/none", {}, 404, "not-found"),
    ],
)
def test_an_error_has_the_one_shape(program: Program, method: str, path: str, more: Any, status: int, slug: str):
    answer = program.call(method, path, **more)
    problem = answer.get_json(force=True)
    assert answer.status_code == problem["status"] == status
    assert answer.content_type == "application/problem+json"
    assert problem["type"] == f"https://toygres.io/problems/{slug}"
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert all(problem[field] for field in ("title", "detail", "remedy"))


def test_a_method_that_is_not_known_comes_with_those_that_are(program: Program):
    assert "GET" in program.call("PUT", "/v1/instances").headers["Allow"]


def test_an_error_inside_tells_the_request_id_and_nothing_else(app: APIFlask, program: Program, services: Services):
    services.store.run("ALTER TABLE toygres.instances RENAME TO hidden_things")
    answer = program.call("GET", "/v1/instances")
    assert answer.status_code == 500
    assert answer.content_type == "application/problem+json"
    assert answer.get_json(force=True)["request_id"] == answer.headers["X-Request-Id"]
    assert "toygres.instances" not in answer.text


def test_an_error_inside_keeps_the_password_out_of_the_logs(
    program: Program, services: Services, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    services.store.run("ALTER TABLE toygres.instances RENAME TO hidden_things")
    answer = program.call("POST", "/v1/instances", json={"name": "demo", "password": "correct-horse-battery"})
    assert answer.status_code == 500
    assert "correct-horse-battery" not in "".join(capfd.readouterr()) + caplog.text


def test_without_the_metadata_db_the_api_is_unavailable_and_says_when_to_come_back(
    program: Program, services: Services, metadata_server: MetadataServer
):
    # The pool reconnects, so the database itself must be gone.
    metadata_server.drop(services.settings.database_url.get_secret_value())
    answer = program.call("GET", "/v1/instances")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert json.loads(answer.text)["type"].endswith("/unavailable")


def test_a_browser_gets_its_error_as_a_page(nobody: FlaskClient):
    answer = nobody.get("/nowhere", headers={"Accept": "text/html,application/xhtml+xml"})
    assert answer.status_code == 404
    assert answer.content_type.startswith("text/html")
    assert nobody.get("/v1/nowhere", headers={"Accept": "text/html"}).content_type == "application/problem+json"
