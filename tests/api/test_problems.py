"""Every error is one shape, the framework's own included."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import structlog
from apiflask import APIFlask
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.api.conftest import Program
from tests.conftest import MetadataServer
from toygres import logs
from toygres.config import Settings
from toygres.services import Services

JSON = {"Content-Type": "application/json"}


@contextmanager
def real_logs(settings: Settings) -> Iterator[None]:
    """Log lines as a process of the control plane writes them."""
    before, level = logging.root.handlers[:], logging.root.level
    logs.configure(settings, "web")
    try:
        yield
    finally:
        logging.root.handlers[:] = before
        logging.root.setLevel(level)
        structlog.reset_defaults()


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
def test_an_error_has_the_one_shape(idle_program: Program, method: str, path: str, more: Any, status: int, slug: str):
    answer = idle_program.call(method, path, **more)
    problem = answer.get_json(force=True)
    assert answer.status_code == problem["status"] == status
    assert answer.content_type == "application/problem+json"
    assert problem["type"] == f"https://toygres.io/problems/{slug}"
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert all(problem[field] for field in ("title", "detail", "remedy"))


def test_a_body_of_unknown_length_is_refused_when_it_is_too_large(idle_program: Program):
    answer = idle_program.call(
        "POST",
        "/v1/instances",
        input_stream=io.BytesIO(b'{"name": "demo"}' + b" " * 70_000),
        headers={**JSON, "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.status_code == 413


def test_a_method_that_is_not_known_comes_with_those_that_are(idle_program: Program):
    assert "GET" in idle_program.call("PUT", "/v1/instances").headers["Allow"]


def test_an_error_inside_tells_the_request_id_and_nothing_else(app: APIFlask, program: Program, services: Services):
    services.store.run("ALTER TABLE toygres.instances RENAME TO hidden_things")
    answer = program.call("GET", "/v1/instances")
    assert answer.status_code == 500
    assert answer.content_type == "application/problem+json"
    assert answer.get_json(force=True)["request_id"] == answer.headers["X-Request-Id"]
    assert "toygres.instances" not in answer.text


def test_an_error_inside_keeps_the_password_out_of_the_logs(
    program: Program, services: Services, capsys: pytest.CaptureFixture[str]
):
    services.store.run("ALTER TABLE toygres.instances RENAME TO hidden_things")
    with real_logs(services.settings):
        answer = program.call("POST", "/v1/instances", json={"name": "demo", "password": "correct-horse-battery"})
    assert answer.status_code == 500
    logged = capsys.readouterr().err
    assert answer.headers["X-Request-Id"] in logged
    assert "Traceback" in logged
    assert "correct-horse-battery" not in logged


def test_without_the_metadata_db_the_api_is_unavailable_and_says_when_to_come_back(
    program: Program, services: Services, metadata_server: MetadataServer
):
    name = str(conninfo_to_dict(services.store.conninfo)["dbname"])
    with psycopg.connect(metadata_server.url, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
    answer = program.call("GET", "/v1/instances")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert json.loads(answer.text)["type"].endswith("/unavailable")


def test_a_browser_gets_its_error_as_a_page(idle_app: APIFlask):
    nobody = idle_app.test_client()
    answer = nobody.get("/nowhere", headers={"Accept": "text/html,application/xhtml+xml"})
    assert answer.status_code == 404
    assert answer.content_type.startswith("text/html")
    assert nobody.get("/v1/nowhere", headers={"Accept": "text/html"}).content_type == "application/problem+json"
