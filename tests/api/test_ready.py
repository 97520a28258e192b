"""From the order to a login and back to nothing, through the API and the page, on a real server."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.api.conftest import InProcess, Json, Person, Program
from toygres.services import Services

PASSWORD = "correct-horse-battery"


@pytest.fixture
def demo(program: Program, worker: InProcess) -> Iterator[Json]:
    """An instance called demo, ready."""
    made = program.post("/v1/instances", {"name": "demo", "password": PASSWORD})
    worker.carry_out(made["operation"])
    yield program.get("/v1/instances/demo")
    worker.carry_out(program.delete(f"/v1/instances/{made['instance']['id']}")["operation"])


def test_an_instance_is_ordered_used_stopped_started_and_deleted(
    program: Program, person: Person, worker: InProcess, demo: Json, services: Services
):
    assert demo["status"]["state"] == "ready"
    assert demo["available"]["value"] is True
    assert demo["operation"] is None
    assert 0 < demo["status"]["login_seconds"] < 30
    (create,) = program.get("/v1/operations")["items"]
    assert [step["login_seconds"] for step in create["steps"]] == [None] * 5 + [demo["status"]["login_seconds"]]
    assert demo["status"]["endpoint"]["port"] == demo["status"]["endpoint"]["port"]

    found = program.get("/v1/instances/demo/credentials")
    assert found["password"] == PASSWORD
    with psycopg.connect(found["uri"], connect_timeout=10) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)

    for path in ("/", "/instances/demo", f"/operations/{program.get('/v1/operations')['items'][0]['id']}"):
        assert PASSWORD not in person.see(path)
    assert "Show connection" in person.see(f"/operations/{program.get('/v1/operations')['items'][0]['id']}")
    connection_page = person.send("/instances/demo/connection")
    assert connection_page.headers["Cache-Control"] == "no-store"
    assert found["uri"] in connection_page.text

    stop = program.post("/v1/instances/demo/stop")
    assert program.post("/v1/instances/demo/start", status=409)["operation"] == stop["operation"]["id"]
    worker.carry_out(stop["operation"])
    assert "Start" in person.see("/instances/demo")
    assert "Show connection" not in person.see(f"/operations/{stop['operation']['id']}")
    start = person.send("/instances/demo/start")
    worker.carry_out(program.get("/v1" + start.headers["Location"]))
    assert program.get("/v1/instances/demo")["status"]["state"] == "ready"
    ended = program.get(f"/v1/operations/{stop['operation']['id']}")
    assert ended["state"] == "succeeded"
    assert all(step["state"] == "done" and step["worked_seconds"] >= 0 for step in ended["steps"])


def test_a_deleted_instance_is_found_by_its_id_alone(program: Program, worker: InProcess):
    made = program.post("/v1/instances", {"name": "brief"})
    worker.carry_out(program.delete("/v1/instances/brief")["operation"])
    program.get("/v1/instances/brief", status=404)
    assert program.get(f"/v1/instances/{made['instance']['id']}")["status"]["state"] == "deleted"
    program.get(f"/v1/instances/{made['instance']['id']}/credentials", status=409)


def test_a_failed_create_tells_its_cause_remedy_and_last_log_lines(program: Program, person: Person, worker: InProcess):
    made = program.post("/v1/instances", {"name": "broken", "parameters": {"shared_buffers": "1TB"}})
    worker.carry_out(made["operation"])
    failed = program.get(f"/v1/operations/{made['operation']['id']}")
    assert failed["state"] == "failed"
    assert failed["cause"]["remedy"]
    assert failed["cause"]["evidence"]
    assert failed["leftovers"] == []
    assert program.get("/v1/instances/broken")["status"]["state"] == "failed"
    page = person.see("/instances/broken")
    assert "Why it failed" in page
    assert page.count("run with this value of shared_buffers") == 2
    assert "What was seen" in page
