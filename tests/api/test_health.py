"""Health pages: open to all, and honest about each part."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from apiflask import APIFlask
from pydantic import SecretStr

from tests.api.conftest import InProcess
from toygres.services import Services
from toygres.store import counters
from toygres.store.workers import Condition
from web.app import create_app
from worker.queue import connect


def test_healthz_is_constant(idle_app: APIFlask):
    assert idle_app.test_client().get("/healthz").get_json() == {"status": "ok"}


def test_readyz_names_each_part(app: APIFlask, worker: InProcess):
    answer = app.test_client().get("/readyz")
    answers = {"ok": True, "detail": "It answers."}
    assert answer.get_json() == {
        "ready": True,
        "checks": {
            **dict.fromkeys(("database", "broker", "platform"), answers),
            "worker": {"ok": True, "detail": "1 alive, 0 of 0 slots free."},
            "queue": {"ok": True, "detail": "Nothing waits."},
        },
    }
    assert answer.status_code == 200


def test_readyz_tells_when_no_worker_takes_steps(app: APIFlask):
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 503
    assert "No worker takes steps" in answer.get_json()["checks"]["worker"]["detail"]


def _tell(services: Services, worker: InProcess, **how: float) -> None:
    """What the one worker tells of itself, and what lies in the queue since half a minute ago."""
    worker.tell(Condition(slots=16, **how))
    key = services.settings.redis_prefix + "steps"
    message = json.dumps({"headers": {"published_at": time.time() - 30}})
    with connect(services.settings.redis_url.get_secret_value()) as broker:
        broker.delete(key)
        broker.lpush(key, message)


def _check(app: APIFlask, name: str) -> dict[str, object]:
    return app.test_client().get("/readyz").get_json()["checks"][name]


def test_readyz_tells_when_messages_wait_that_living_workers_do_not_take(
    app: APIFlask, services: Services, worker: InProcess
):
    _tell(services, worker, idle_seconds=25)
    found = _check(app, "queue")
    assert found["ok"] is False
    assert "no worker has taken one for 25 s although 16 slots are free" in found["detail"]
    assert "restart" in found["detail"]


def test_readyz_takes_a_queue_that_is_being_worked_off_for_ready(app: APIFlask, services: Services, worker: InProcess):
    _tell(services, worker, idle_seconds=1)
    assert _check(app, "queue") == {"ok": True, "detail": "The oldest step has waited for 30 s."}


def test_readyz_tells_that_every_slot_is_busy(app: APIFlask, services: Services, worker: InProcess):
    _tell(services, worker, idle_seconds=25, busy=16)
    found = _check(app, "queue")
    assert found["ok"] is True
    assert "every slot is busy" in found["detail"]


def test_readyz_tells_of_lost_slots_and_of_what_only_the_sweep_found(
    app: APIFlask, services: Services, worker: InProcess
):
    _tell(services, worker, hung=3)
    counters.add(services.store, counters.FOUND_PARKED, 2)
    counters.add(services.store, counters.FOUND_PARKED, 1)
    detail = _check(app, "worker")["detail"]
    assert "3 slots are lost" in detail
    assert "looked 3 times" in detail


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
