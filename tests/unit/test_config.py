"""Settings: typed, each once, wrong ones named."""

from __future__ import annotations

import json

import pytest

from toygres.config import Settings, load, variable
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
