"""Settings: typed, each once, wrong ones named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from toygres.config import SECRETS, Settings, load, variable
from toygres.errors import Misconfigured
from toygres.home import Home


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOYGRES_PORT", "eighty"),
        ("TOYGRES_PORT", "70000"),
        ("TOYGRES_INSTANCE_PORTS", "9-3"),
        ("TOYGRES_INSTANCE_PORTS", "80-90"),
        ("TOYGRES_INSTANCE_PORTS", "x"),
        ("TOYGRES_WORKER_SLOTS", "0"),
        ("DATABASE_URL", "host=a password=hunter2"),
        ("DATABASE_URL", "postgresql://u:sek@ret:hunter2@h:notaport/d"),
        ("REDIS_URL", "redis://:hunter2@h:notaport"),
        ("REDIS_URL", "amqp://u:hunter2@h"),
    ],
)
def test_a_wrong_value_is_refused_with_the_variables_name(
    monkeypatch: pytest.MonkeyPatch, home: Home, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured, match=name) as refused:
        load()
    assert "hunter2" not in str(refused.value)


def test_every_setting_has_a_sentence() -> None:
    for name, field in Settings.model_fields.items():
        assert (field.description or "").endswith("."), name


def test_a_running_up_is_found_without_a_variable_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, home: Home
) -> None:
    home.running.write_text(json.dumps({"settings": {"redis_url": "redis://a", "port": 1234}}))
    assert load().port == 1234
    monkeypatch.setenv("TOYGRES_PORT", "4321")
    found = load()
    assert found.port == 4321
    assert found.redis_url is not None
    assert found.redis_url.get_secret_value() == "redis://a"


def test_a_range_of_ports_and_a_single_one_are_read(monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    monkeypatch.setenv("TOYGRES_INSTANCE_PORTS", "21000-21002")
    assert list(load().instance_ports) == [21000, 21001, 21002]
    monkeypatch.setenv("TOYGRES_INSTANCE_PORTS", "21000")
    assert list(load().instance_ports) == [21000]


def test_urls_are_not_shown(home: Home) -> None:
    assert "hunter2" not in repr(load(database_url="postgresql://u:hunter2@h/d", redis_url="redis://:hunter2@h"))


def test_the_variables_of_the_urls_have_no_prefix() -> None:
    assert (variable("database_url"), variable("port")) == ("DATABASE_URL", "TOYGRES_PORT")


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "TOYGRES_SECRET_KEYS"])
def test_a_secret_can_be_given_as_a_file(
    monkeypatch: pytest.MonkeyPatch, home: Home, tmp_path: Path, name: str
) -> None:
    secret = {"DATABASE_URL": "postgresql://u:pw@h/d", "REDIS_URL": "redis://:pw@h"}.get(name, "a key")
    (tmp_path / "secret").write_text(f"{secret}\n")
    monkeypatch.setenv(f"{name}_FILE", str(tmp_path / "secret"))
    found = getattr(load(), next(field for field in SECRETS if variable(field) == name))
    assert found.get_secret_value() == secret


def test_a_secret_s_file_wins_over_a_running_up(monkeypatch: pytest.MonkeyPatch, home: Home, tmp_path: Path) -> None:
    home.running.write_text(json.dumps({"settings": {"redis_url": "redis://a"}}))
    (tmp_path / "secret").write_text("redis://b")
    monkeypatch.setenv("REDIS_URL_FILE", str(tmp_path / "secret"))
    found = load().redis_url
    assert found is not None
    assert found.get_secret_value() == "redis://b"


@pytest.mark.parametrize(
    ("content", "why"), [(None, "can't be read: No such file"), (b" \n", "is empty"), (b"\xff\xfe", "it isn't text")]
)
def test_a_secret_s_file_that_tells_nothing_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, home: Home, tmp_path: Path, content: bytes | None, why: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("DATABASE_URL_FILE", str(file))
    with pytest.raises(Misconfigured, match=why) as refused:
        load()
    assert f"DATABASE_URL_FILE names {file}" in str(refused.value)


def test_a_secret_given_in_both_forms_is_refused(monkeypatch: pytest.MonkeyPatch, home: Home, tmp_path: Path) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@h")
    monkeypatch.setenv("REDIS_URL_FILE", str(tmp_path / "secret"))
    with pytest.raises(Misconfigured, match="Both REDIS_URL and REDIS_URL_FILE are set") as refused:
        load()
    assert "hunter2" not in str(refused.value)


def test_a_wrong_value_in_a_secret_s_file_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, home: Home, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("host=a password=hunter2")
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "secret"))
    with pytest.raises(Misconfigured, match="DATABASE_URL") as refused:
        load()
    assert "hunter2" not in str(refused.value)
