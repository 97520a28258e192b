from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from toygres.config import Settings
from toygres.home import Home
from toygres.processes.table import PROCESSES, ProcessRow

REPOSITORY = Path(__file__).parents[3]
OURS = [row for row in PROCESSES if row.command is not None]
EMBEDDED = [row for row in PROCESSES if row.command is None]


def command(row: ProcessRow, home: str) -> list[str]:
    assert row.command is not None
    return list(row.command(Home(Path(home))))


@pytest.fixture(scope="module")
def procfile() -> dict[str, list[str]]:
    lines = (REPOSITORY / "Procfile").read_text().splitlines()
    return {name: shlex.split(rest) for name, _, rest in (line.partition(": ") for line in lines)}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    compose: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    return compose["services"]


def test_the_procfile_has_every_process_of_ours_and_no_other(procfile: dict[str, list[str]]):
    assert procfile == {row.name: command(row, "$TOYGRES_HOME") for row in OURS}


def test_docker_compose_runs_every_process_of_ours_as_the_table_says(services: dict[str, Any]):
    homes = {row.name: services[row.name]["environment"]["TOYGRES_HOME"] for row in OURS}
    assert {name: services[name]["command"] for name in homes} == {
        row.name: command(row, homes[row.name]) for row in OURS
    }


def test_docker_compose_has_a_server_for_each_embedded_one_and_nothing_else_but_what_is_run_once(
    services: dict[str, Any],
):
    assert set(services) - {row.name for row in OURS} == {row.name for row in EMBEDDED} | {"prepare", "migrate"}


def test_docker_compose_publishes_on_loopback_only(services: dict[str, Any]):
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_each_embedded_process_names_the_setting_that_replaces_it():
    assert {row.setting for row in EMBEDDED} == {"database_url", "redis_url"}
    assert all(row.setting in Settings.model_fields for row in EMBEDDED)


def test_what_runs_inside_another_is_wanted_of_that_one():
    rows = {row.name: row for row in PROCESSES}
    inside = [row for row in PROCESSES if row.inside]
    assert [row.name for row in inside] == ["beat"]
    assert all(f"--with-{row.name}" in rows[str(row.inside)].alone for row in inside)


def test_no_command_holds_more_than_paths_and_options():
    text = " ".join(word for row in OURS for word in command(row, "/home-of-toygres"))
    assert not any(secret in text for secret in ("password", "token", "basic_auth", "redis://", "postgresql://"))
