"""docker-compose.yml and the Dockerfile, read: that they are well-formed, and what they promise of each service."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import dockerfile
import pytest
import yaml
from compose_spec import PyCompose

from toygres.config import SECRETS, Settings, variable
from toygres.processes.table import PROCESSES

REPOSITORY = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
LINES = dockerfile.parse_file(str(REPOSITORY / "Dockerfile"))
LAST = [line for index, line in enumerate(LINES) if index > max(i for i, x in enumerate(LINES) if x.cmd == "FROM")]
OURS = sorted(name for name, service in SERVICES.items() if "build" in service)
LASTING = sorted(set(SERVICES) - {"prepare", "migrate"})

every_service = pytest.mark.parametrize("name", sorted(SERVICES))


def volumes(name: str) -> dict[str, str]:
    """A service's volumes, and whether it may write to them (``) or not (`ro`)."""
    found = (volume.split(":") for volume in SERVICES[name].get("volumes", []))
    return {volume: "".join(mode) for volume, _, *mode in found}


def test_the_compose_file_is_what_its_specification_allows():
    compose = PyCompose.from_yaml(yaml.safe_dump(COMPOSE))
    compose.validate()
    assert sorted(compose.service_names()) == sorted(SERVICES)


def test_the_linter_finds_nothing_in_the_dockerfile():
    hadolint = Path(sys.executable).with_name("hadolint")
    ran = subprocess.run([hadolint, "Dockerfile"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.returncode) == ("", 0)


def test_the_image_is_of_the_locked_packages_alone_on_a_pinned_base():
    bases = [line.value[0] for line in LINES if line.cmd == "FROM"]
    assert set(bases) == {"python:${PYTHON}"}
    assert re.fullmatch(r"PYTHON=\d+\.\d+\.\d+-slim-bookworm", next(x.value[0] for x in LINES if x.cmd == "ARG"))
    syncs = [line.value[0] for line in LINES if line.cmd == "RUN" and "uv sync" in line.value[0]]
    assert syncs
    assert all({"--frozen", "--no-dev"} <= set(sync.split()) for sync in syncs)
    assert "--no-editable" in syncs[-1].split()
    assert not any("pip" in line.value[0] or "uv " in line.value[0] for line in LAST if line.cmd == "RUN")


def test_the_image_runs_as_a_user_without_rights_and_tells_its_version():
    said = {line.cmd: line.value for line in LAST}
    assert said["USER"] == ("10001:10001",)
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    label = said["LABEL"][said["LABEL"].index("org.opencontainers.image.version") + 1]
    assert label.strip('"') == version


def test_the_image_is_built_from_nothing_that_the_ignore_file_leaves_out():
    copied = {source for line in LINES if line.cmd == "COPY" and not line.flags for source in line.value[:-1]}
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
    assert "*" in ignored
    packages = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert set(packages["packages"]) <= copied


@every_service
def test_a_service_can_write_nowhere_but_to_its_volumes_and_has_no_rights(name: str):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service.get("user", "10001:10001") in ("10001:10001", "999:999")
    assert service["mem_limit"]
    assert service["pids_limit"]


@every_service
def test_no_secret_is_written_in_the_file(name: str):
    environment = SERVICES[name].get("environment", {})
    assert not {variable(secret) for secret in SECRETS} & set(environment)
    assert not [value for value in environment.values() if "@" in str(value)]
    assert "requirepass" not in " ".join(SERVICES[name]["command"])


@every_service
def test_every_setting_that_is_given_exists(name: str):
    known = {variable(field) for field in Settings.model_fields} | {f"{variable(secret)}_FILE" for secret in SECRETS}
    known |= {"TOYGRES_URL", "TOYGRES_TOKEN_FILE"}
    if name in OURS:
        assert set(SERVICES[name].get("environment", {})) <= known


@pytest.mark.parametrize("name", LASTING)
def test_a_lasting_service_tells_its_health_and_is_stopped_as_the_table_says(name: str):
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert service["stop_signal"] == next(row.stop_signal.name for row in PROCESSES if row.name == name)
    assert re.fullmatch(r"\d+s", service["stop_grace_period"])


def test_services_start_once_what_they_need_is_there():
    assert {name: service.get("depends_on", {}) for name, service in SERVICES.items()} == {
        "prepare": {},
        "metadata": {"prepare": {"condition": "service_completed_successfully"}},
        "broker": {"prepare": {"condition": "service_completed_successfully"}},
        "migrate": {"metadata": {"condition": "service_healthy"}},
        **{
            name: {
                "migrate": {"condition": "service_completed_successfully"},
                "broker": {"condition": "service_healthy"},
            }
            for name in ("web", "worker", "beat", "flower")
        },
    }


def test_each_password_is_mounted_by_those_alone_who_need_it_and_written_by_prepare_alone():
    mounted = {volume: {name for name in SERVICES if volume in volumes(name)} for volume in COMPOSE["volumes"]}
    assert mounted == {
        "home": {"prepare", "web", "worker"},
        "metadata": {"metadata"},
        "broker": {"broker"},
        "metadata-server": {"prepare", "metadata"},
        "metadata-client": {"prepare", "migrate", "web", "worker"},
        "broker-server": {"prepare", "broker"},
        "broker-client": {"prepare", "web", "worker", "beat", "flower"},
        "flower": {"prepare", "flower"},
    }
    passwords = set(mounted) - {"home", "metadata", "broker"}
    writers = {name for name in SERVICES for volume, mode in volumes(name).items() if volume in passwords and not mode}
    assert writers == {"prepare"}


def test_who_needs_a_server_is_on_its_network_and_nobody_else():
    on = {
        network: {name for name in SERVICES if network in SERVICES[name].get("networks", [])}
        for network in COMPOSE["networks"]
    }
    assert on == {
        "metadata": {"metadata", "migrate", "web", "worker"},
        "broker": {"broker", "web", "worker", "beat", "flower"},
        "outside": {"web", "worker", "flower"},
    }
    assert {name for name in SERVICES if "ports" in SERVICES[name]} == on["outside"]
    assert SERVICES["prepare"]["network_mode"] == "none"


def test_the_worker_alone_has_local_servers_and_the_web_knows_where_they_are():
    local = COMPOSE["x-local"]
    assert {name for name in SERVICES if local.items() <= SERVICES[name].get("environment", {}).items()} == {
        "web",
        "worker",
    }
    ports = local["TOYGRES_INSTANCE_PORTS"]
    assert SERVICES["worker"]["ports"] == [f"{local['TOYGRES_INSTANCE_HOST']}:{ports}:{ports}"]
    assert SERVICES["worker"]["environment"]["TOYGRES_SERVERS_END_WITH_WORKER"] == "true"
    assert SERVICES["worker"]["init"] is True
    # The host's name is part of the platform's identity.
    assert SERVICES["worker"]["hostname"] == SERVICES["web"]["hostname"]
