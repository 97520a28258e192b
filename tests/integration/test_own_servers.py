"""Local servers that live and end with their worker: one worker for a home, and what tells that it lives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from toygres import config
from toygres.config import load
from toygres.errors import Misconfigured
from toygres.home import Home
from toygres.services import Services
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


def test_the_pulse_is_a_file_that_a_setting_names(tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    config.settings.cache_clear()
    pulse.touch()
    monkeypatch.setenv("TOYGRES_PULSE_FILE", str(tmp_path / "pulse"))
    config.settings.cache_clear()
    pulse.touch()
    config.settings.cache_clear()
    assert [path.name for path in tmp_path.iterdir()] == ["pulse"]
