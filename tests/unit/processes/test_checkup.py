"""What `toygres doctor` says of the home, the metadata DB, the keys, the broker and the platforms."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from pydantic import SecretStr

from toygres.config import Settings, load
from toygres.domain.findings import Finding, Standing
from toygres.errors import Unavailable
from toygres.home import Home
from toygres.keyring import new_key
from toygres.platforms.local import place
from toygres.processes import checkup, running
from toygres.processes.broker import Broker
from toygres.secrets import Cipher
from toygres.store import directness, installation
from toygres.store.directness import Directness
from toygres.store.session import Store
from toygres.store.workers import Presence

NOWHERE = "postgresql://nobody:made-up-password@/postgres?host=/nonexistent"


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """A Valkey that runs."""
    home = Home(Path(tempfile.mkdtemp(prefix="tg-broker-")))
    home.make()
    valkey = Broker(home)
    command = valkey.prepare()
    process = subprocess.Popen(command.arguments, cwd=command.folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process, process.stdout as said:
        assert any("Ready to accept connections" in line for line in said)
        yield valkey
        process.terminate()
    valkey.clear()
    shutil.rmtree(home.path)


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of somebody who has just installed Toygres."""
    monkeypatch.setenv("TOYGRES_HOME", str(tmp_path / "home"))
    return load()


def examined(settings: Settings) -> dict[str, Finding]:
    found = list(checkup.examine(settings))
    by_name = {finding.about: finding for finding in found}
    assert len(by_name) == len(found)
    assert [finding for finding in found if finding.standing is Standing.WRONG and not finding.remedy] == []
    assert "made-up-password" not in str(found)
    return by_name


def with_(settings: Settings, **changes: Any) -> Settings:
    return settings.model_copy(update=changes)


def test_on_a_new_machine_nothing_is_wrong_and_nothing_is_made(bare: Settings) -> None:
    assert {about: finding.standing.value for about, finding in examined(bare).items()} == {
        "home": "noted",
        "metadata DB": "unchecked",
        "broker": "unchecked",
        "platform local": "noted",
    }
    assert not bare.home.exists()


def test_where_all_runs_all_is_fine(settings: Settings, broker: Broker, store: Store) -> None:
    Cipher.of(settings).require_same_keys(store)
    place.find(settings.home_folder)
    presence = Presence(store, "here", 1)
    presence.arrive()
    found = examined(with_(settings, redis_url=SecretStr(broker.url)))
    presence.leave()
    assert {about: finding.standing.value for about, finding in found.items()} == dict.fromkeys(
        ("home", "metadata DB", "sessions", "keys", "workers", "broker", "platform local"), "fine"
    )
    assert found["sessions"].message == "The metadata DB is reached directly: session locks hold, and LISTEN hears."
    assert found["workers"].message.startswith("1 of them live")


def test_a_running_up_is_told_with_its_address(home: Home, settings: Settings) -> None:
    running.write(home, settings, url="http://127.0.0.1:1234", flower_url="", pids={})
    told = examined(settings)["home"]
    assert told.standing is Standing.FINE
    assert "http://127.0.0.1:1234" in told.message


def test_an_up_that_was_killed_is_wrong(home: Home, settings: Settings) -> None:
    running.write(home, settings, url="http://127.0.0.1:1234", flower_url="", pids={})
    written = json.loads(home.running.read_text())
    home.running.write_text(json.dumps({**written, "started": "another time"}))
    told = examined(settings)["home"]
    assert told.standing is Standing.WRONG
    assert "toygres up" in told.remedy


def test_a_metadata_db_that_does_not_answer_is_wrong_and_why_is_told(bare: Settings) -> None:
    found = examined(with_(bare, database_url=SecretStr(NOWHERE)))
    told = found["metadata DB"]
    assert told.standing is Standing.WRONG
    assert "doesn't answer: " in told.message
    assert "/nonexistent" in told.message
    assert "keys" not in found


def test_a_pooler_that_lets_our_options_not_through_is_told_as_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        said = psycopg.OperationalError("connection failed: FATAL:  unsupported startup parameter: options\n")
        raise Unavailable("The metadata database doesn't answer.") from said

    monkeypatch.setattr(Store, "transaction", refuse)
    told = examined(settings)["metadata DB"]
    assert told.message.endswith("connection failed: FATAL: unsupported startup parameter: options.")
    assert "ignore_startup_parameters" in told.remedy


def test_a_metadata_db_without_our_schema_is_wrong_and_nothing_more_is_asked_of_it(
    settings: Settings, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("DROP SCHEMA toygres CASCADE")
    found = examined(settings)
    assert found["metadata DB"].standing is Standing.WRONG
    assert "it has no schema yet" in found["metadata DB"].message
    assert found["metadata DB"].remedy == "Run `toygres migrate`."
    assert found["sessions"].standing is Standing.FINE
    assert "keys" not in found


@pytest.mark.parametrize(
    ("version", "standing", "words"), [("0001", "wrong", "is at 0001"), ("9999", "noted", "newer")]
)
def test_a_schema_of_another_release_is_told(
    settings: Settings, database_url: str, version: str, standing: str, words: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE toygres.schema_version SET version_num = %s", (version,))
    told = examined(settings)["metadata DB"]
    assert told.standing.value == standing
    assert words in told.message


def test_behind_a_pooler_that_takes_sessions_away_it_is_said_what_is_lost(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directness, "try_out", lambda _store: Directness(pooled=True, locks=False, listens=False))
    told = examined(settings)["sessions"]
    assert told.standing is Standing.NOTED
    assert "by its row alone" in told.message
    assert "LISTEN hears nothing" in told.message
    monkeypatch.setattr(directness, "try_out", lambda _store: Directness(pooled=True, locks=True, listens=True))
    told = examined(settings)["sessions"]
    assert told.standing is Standing.FINE
    assert "keeps sessions apart" in told.message


def test_keys_that_are_not_the_installations_are_wrong(settings: Settings, store: Store) -> None:
    assert "nothing was encrypted yet" in examined(settings)["keys"].message
    assert installation.key_check(store) is None
    Cipher.of(settings).require_same_keys(store)
    assert examined(settings)["keys"].standing is Standing.FINE
    told = examined(with_(settings, secret_keys=SecretStr(f"{new_key()},{new_key()}")))["keys"]
    assert told.standing is Standing.WRONG
    assert told.message.startswith("2 keys in TOYGRES_SECRET_KEYS")


def test_keys_that_are_missing_or_no_keys_are_wrong(settings: Settings) -> None:
    settings.home_folder.secret_keys.unlink()
    assert examined(settings)["keys"].message == "There are no secret keys."
    settings.home_folder.secret_keys.write_text("none\n")
    assert "isn't a Fernet key" in examined(settings)["keys"].message


def test_without_a_worker_nothing_that_is_ordered_is_carried_out(settings: Settings) -> None:
    assert examined(settings)["workers"].standing is Standing.NOTED


def test_a_broker_that_is_not_there_is_wrong(bare: Settings) -> None:
    url = SecretStr("redis://:made-up-password@127.0.0.1:1/0")
    told = examined(with_(bare, redis_url=url))["broker"]
    assert told.standing is Standing.WRONG
    assert told.message == "The broker doesn't answer: redis://127.0.0.1:1/0."


def test_a_broker_that_refuses_to_write_or_the_login_is_wrong(bare: Settings, broker: Broker) -> None:
    there = with_(bare, redis_url=SecretStr(broker.url))
    with redis.Redis(unix_socket_path=str(broker.socket)) as client:
        client.config_set("maxmemory", 1)
        try:
            told = examined(there)["broker"]
        finally:
            client.config_set("maxmemory", 0)
        assert told.standing is Standing.WRONG
        assert "refuses to write (OutOfMemoryError)" in told.message
        assert examined(there)["broker"].standing is Standing.FINE
        client.config_set("requirepass", "made-up-password")
        try:
            told = examined(there)["broker"]
        finally:
            client.config_set("requirepass", "")
    assert told.standing is Standing.WRONG
    assert "refuses the login" in told.message


def test_looking_leaves_nothing_in_the_broker(bare: Settings, broker: Broker) -> None:
    examined(with_(bare, redis_url=SecretStr(broker.url)))
    with redis.Redis(unix_socket_path=str(broker.socket)) as client:
        assert client.keys() == []


def test_a_local_platform_of_another_machine_is_left_alone(settings: Settings, store: Store) -> None:
    place.find(settings.home_folder)
    installation.meet_platform(store, "local", "local", "another machine:/home")
    told = examined(settings)["platform local"]
    assert told.standing is Standing.NOTED
    assert "on another machine" in told.message


def test_a_platform_that_there_is_not_is_wrong(bare: Settings) -> None:
    told = examined(with_(bare, platform="moon"))["platforms"]
    assert told.standing is Standing.WRONG
    assert "no platform 'moon'" in told.message


def test_a_cluster_is_looked_at_where_it_is_configured(
    bare: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    found = examined(with_(bare, platform="kubernetes", platforms=("kubernetes",)))
    assert found["cluster"].standing is Standing.WRONG
    assert "platform local" not in found
