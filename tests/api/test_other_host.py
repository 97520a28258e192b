"""A web process on another machine than the local platform: it tells what it knows, and refuses what it can't do."""

from __future__ import annotations

import dataclasses

import pytest

from tests.api.conftest import Person, Program
from toygres.domain import ids
from toygres.planning import Caller
from toygres.platforms.elsewhere import Elsewhere
from toygres.provisioning import Accepted, InstanceRequest, request_instance
from toygres.services import Services


@pytest.fixture
def accepted(settings: object, right: Services) -> Accepted:
    """An instance that was ordered where the platform is."""
    return request_instance(right, Caller(actor="tester", request_id="req-1"), InstanceRequest(name="demo"))


@pytest.fixture
def right(services: Services) -> Services:
    """The process on the platform's own machine."""
    return dataclasses.replace(services, platforms=dict(services.platforms))


@pytest.fixture
def elsewhere(services: Services, right: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the app finds itself on another machine."""
    object.__setattr__(services, "platforms", {"local": Elsewhere("local", "another")})


def test_lists_and_instances_are_told(accepted: Accepted, elsewhere: None, program: Program) -> None:
    (listed,) = program.get("/v1/instances")["items"]
    assert listed == program.get("/v1/instances/demo")
    assert listed["status"]["not_enforced"] == ["storage", "cpu", "memory"]
    assert program.get("/v1/operations")["items"]


def test_what_needs_the_platform_is_unavailable_with_a_sentence(
    accepted: Accepted, elsewhere: None, program: Program
) -> None:
    answers = [
        program.post("/v1/instances", {"name": "other"}, 503),
        program.get("/v1/platforms", 503),
        program.get("/v1/instances/demo/credentials", 503),
    ]
    for answer in answers:
        assert "lives on another machine" in answer["detail"]
        assert answer["remedy"]
    assert "lives on another machine" in program.get("/readyz", 503)["checks"]["platform"]["detail"]


def test_a_delete_is_accepted_since_a_worker_over_there_carries_it_out(
    accepted: Accepted, elsewhere: None, program: Program
) -> None:
    assert program.delete("/v1/instances/demo")["operation"]["kind"] == "delete"
    assert program.get(f"/v1/instances/{ids.shown(ids.INSTANCE, accepted.instance.id)}")["status"]["state"]


def test_the_page_shows_the_instances_and_says_why_none_can_be_ordered(
    accepted: Accepted, elsewhere: None, person: Person
) -> None:
    assert "demo" in person.client.get("/").text
    asked = person.client.get("/create")
    assert asked.status_code == 503
    assert "lives on another machine" in asked.text
