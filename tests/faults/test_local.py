"""On real servers: each step is frozen, dies unrecorded, and is done; what was frozen acts after the delete."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from driving import CALLER, Driver
from faults.life import Life
from making_stack import remove

from toygres import provisioning
from toygres.domain.instance import InstanceState
from toygres.operations import OPERATIONS
from toygres.services import Services


@pytest.fixture
def life(services: Services) -> Iterator[Life]:
    made = Life(services, "local")
    yield made
    if made.instance is not None and made.platform.objects(made.instance):
        remove(services, made.instance)


def test_every_step_dies_unrecorded_and_what_was_frozen_acts_after_the_delete(life: Life) -> None:
    created = Driver.arrive(life.services).order("demo")
    life.instance = created.instance.id
    life.go_through(created.operation.id, "create")
    with _connected(life) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    for kind in ("stop", "start", "restart", "renew"):
        accepted = getattr(provisioning, f"request_{kind}")(life.services, CALLER, "demo")
        life.go_through(accepted.operation.id, kind)
    with _connected(life) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    life.go_through(provisioning.request_delete(life.services, CALLER, "demo").operation.id, "delete")
    assert list(life.platform.objects(life.instance)) == []
    for act in life.frozen:
        life.thaw(act)
        assert list(life.platform.objects(life.instance)) == []
    assert {step.name for kind in OPERATIONS for step in life.planned(kind)} == life.done


def _connected(life: Life) -> psycopg.Connection[tuple[int]]:
    found = Driver.arrive(life.services).instance(life.instance)
    assert found.state is InstanceState.READY
    assert found.endpoint is not None
    login = life.platform.credentials(found)
    assert login is not None
    return psycopg.connect(
        host=found.endpoint.host,
        port=found.endpoint.port,
        user=login.user.user,
        password=login.user.password,
        dbname=found.spec.database,
        autocommit=True,
    )
