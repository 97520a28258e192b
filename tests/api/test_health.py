"""Health pages: open to all, and honest about each part."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from apiflask import APIFlask
from pydantic import SecretStr

from tests.api.conftest import InProcess
from toygres.services import Services
from web.app import create_app


def test_healthz_is_constant(idle_app: APIFlask):
    assert idle_app.test_client().get("/healthz").get_json() == {"status": "ok"}


def test_readyz_names_each_part(app: APIFlask, worker: InProcess):
    answer = app.test_client().get("/readyz")
    answers = {"ok": True, "detail": "It answers."}
    assert answer.get_json() == {
        "ready": True,
        "checks": dict.fromkeys(("database", "broker", "worker", "platform"), answers),
    }
    assert answer.status_code == 200


def test_readyz_tells_when_no_worker_takes_steps(app: APIFlask):
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 503
    assert "No worker takes steps" in answer.get_json()["checks"]["worker"]["detail"]


def test_readyz_tells_what_is_missing(idle_app: APIFlask):
    answer = idle_app.test_client().get("/readyz")
    found = answer.get_json()
    assert answer.status_code == 503
    assert found["ready"] is False
    assert found["checks"]["database"]["ok"] is True
    assert "REDIS_URL" in found["checks"]["broker"]["detail"]


def test_readyz_takes_under_two_seconds_when_the_broker_is_silent(services: Services, silent_port: int):
    url = SecretStr(f"redis://127.0.0.1:{silent_port}/0")
    app = create_app(replace(services, settings=services.settings.model_copy(update={"redis_url": url})))
    began = time.monotonic()
    answer = app.test_client().get("/readyz")
    assert time.monotonic() - began < 2
    assert answer.get_json()["checks"]["broker"]["ok"] is False


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]
