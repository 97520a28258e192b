"""Local servers that live and end with their worker: one worker for a home, and what tells that it lives."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from making_stack import Stack

from tests.integration.conftest import Gates
from toygres import config
from toygres.config import load
from toygres.domain.operation import OperationState, StepState
from toygres.errors import CauseCode, Misconfigured
from toygres.home import Home
from toygres.services import Services
from toygres.store import instances
from worker import pulse, servers


@pytest.fixture
def owning(services: Services, home: Home, database_url: str) -> Iterator[Services]:
    """What a worker works with that has the home's servers for its own."""
    settings = load(home=home.path, database_url=database_url, servers_end_with_worker=True)
    yield replace(services, settings=settings)
    servers.end()


def test_the_servers_of_a_home_have_one_worker_until_it_ends(owning: Services) -> None:
    servers.begin(owning)
    with pytest.raises(Misconfigured, match="Another worker runs the local servers of"):
        servers.begin(owning)
    servers.end()
    servers.begin(owning)


def test_any_number_of_workers_share_a_home_unless_told_otherwise(services: Services) -> None:
    servers.begin(services)
    servers.begin(services)
    assert not (services.settings.home / "servers.lock").exists()


def test_servers_stop_properly_with_their_worker_though_its_steps_run_on(stack: Stack, gates: Gates) -> None:
    worker = stack.start_worker(TOYGRES_SERVERS_END_WITH_WORKER="true", ODD_GATES=str(gates.folder))
    created = stack.create("demo")
    assert created.state is OperationState.SUCCEEDED, created.cause
    gates.shut("apply_credentials")
    stack.once(stack.order("hung"), lambda found: found.steps[0].state is StepState.RUNNING)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=60) == 0
    found = instances.find(stack.services.store, created.instance_id)
    assert found is not None
    assert "database system is shut down" in stack.services.platform("local").evidence(found)[-1]
    assert found.available.cause is not None
    assert found.available.cause.code is CauseCode.SHUT_DOWN


def test_the_pulse_is_a_file_that_a_setting_names(tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    config.settings.cache_clear()
    pulse.touch()
    monkeypatch.setenv("TOYGRES_PULSE_FILE", str(tmp_path / "pulse"))
    config.settings.cache_clear()
    pulse.touch()
    config.settings.cache_clear()
    assert [path.name for path in tmp_path.iterdir()] == ["pulse"]
