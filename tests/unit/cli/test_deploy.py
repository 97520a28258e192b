"""What `toygres deploy` refuses before it begins, and that it shows operations as the API does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from doubles import MemoryPlatform
from driving import Driver

from toygres.cli.shown import shown
from toygres.config import Settings
from toygres.secrets import Cipher
from toygres.services import Services
from toygres.store import installation
from toygres.store.session import Store
from web import present


def _deploy(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "toygres", "deploy", *arguments],
        env={**os.environ, "TOYGRES_HOME": str(home), "COLUMNS": "200", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "told"),
    [
        (("--name", "Wrong"), {}, 2, "isn't a name"),
        ((), {"INSTANCE_NAME": "9lives"}, 2, "isn't a name"),
        ((), {"POSTGRES_PASSWORD": "short"}, 2, "POSTGRES_PASSWORD can't be used"),
        (("-p", "shared_buffers"), {}, 2, "isn't NAME=VALUE"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_made(
    tmp_path: Path, arguments: tuple[str, ...], variables: dict[str, str], code: int, told: str
) -> None:
    ran = _deploy(tmp_path / "home", *arguments, **variables)
    assert (ran.returncode, ran.stdout) == (code, "")
    assert told in ran.stderr
    assert "short" not in ran.stderr
    assert not (tmp_path / "home").exists()


def test_a_metadata_db_of_others_needs_its_keys(tmp_path: Path, database_url: str) -> None:
    ran = _deploy(tmp_path / "home", DATABASE_URL=database_url)
    assert ran.returncode == 78
    assert "TOYGRES_SECRET_KEYS" in ran.stderr


def test_a_metadata_db_that_does_not_answer_is_an_error_of_its_own(tmp_path: Path) -> None:
    keys = "2pQ0yK1vX7m9b3c5d7e9f1g3h5i7j9k1l3m5n7o9p1E="
    ran = _deploy(
        tmp_path / "home", DATABASE_URL="postgresql://nobody:secret-1@127.0.0.1:1/none", TOYGRES_SECRET_KEYS=keys
    )
    assert ran.returncode == 5
    assert "metadata database" in ran.stderr
    assert "secret-1" not in ran.stderr


@pytest.mark.parametrize(
    ("variables", "code", "told"),
    [
        ({"TOYGRES_LOG": "loud"}, 78, "TOYGRES_LOG: 'loud' isn't a level."),
        ({"TOYGRES_PLATFORM": "moon"}, 78, "There is no platform 'moon'."),
        ({"TOYGRES_PLATFORM": "kubernetes", "KUBECONFIG": "/nonexistent"}, 78, "KUBECONFIG names /nonexistent"),
    ],
)
def test_what_the_environment_has_wrong_is_told_by_its_name(
    tmp_path: Path, database_url: str, variables: dict[str, str], code: int, told: str
) -> None:
    keys = "2pQ0yK1vX7m9b3c5d7e9f1g3h5i7j9k1l3m5n7o9p1E="
    ran = _deploy(tmp_path / "home", DATABASE_URL=database_url, TOYGRES_SECRET_KEYS=keys, **variables)
    assert ran.returncode == code
    assert told in ran.stderr


def test_a_cluster_that_does_not_answer_is_told_with_its_reason(tmp_path: Path, database_url: str) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        "{apiVersion: v1, kind: Config, current-context: c, users: [{name: u, user: {}}],"
        " clusters: [{name: k, cluster: {server: 'http://127.0.0.1:1'}}],"
        " contexts: [{name: c, context: {cluster: k, user: u}}]}"
    )
    keys = "2pQ0yK1vX7m9b3c5d7e9f1g3h5i7j9k1l3m5n7o9p1E="
    ran = _deploy(
        tmp_path / "home",
        DATABASE_URL=database_url,
        TOYGRES_SECRET_KEYS=keys,
        TOYGRES_PLATFORM="kubernetes",
        KUBECONFIG=str(kubeconfig),
    )
    assert ran.returncode == 5
    assert "The Kubernetes API doesn't answer" in ran.stderr


def test_an_operation_is_shown_as_the_api_answers_it(settings: Settings, store: Store) -> None:
    platform = MemoryPlatform()
    installation.meet_platform(store, platform.name, "memory", platform.identity())
    services = Services(
        settings=settings.model_copy(update={"platform": "memory"}),
        store=store,
        platforms={"memory": platform},
        cipher=Cipher.of(settings),
        installation_id=installation.identity(store),
    )
    driver = Driver.arrive(services)
    ended = driver.drain(driver.order().operation.id)
    answered = present.operation(ended).model_dump(mode="json")
    ours = shown(ended)
    for step, same in zip(ours["steps"], answered["steps"], strict=True):
        assert step.items() <= same.items()
    assert {name: value for name, value in ours.items() if name != "steps"}.items() <= answered.items()
