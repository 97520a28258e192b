"""Encryption of passwords on their way."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from toygres.config import load
from toygres.errors import Misconfigured
from toygres.home import Home
from toygres.keyring import load_keys
from toygres.secrets import Cipher, new_credentials
from toygres.store.session import Store

FIRST, SECOND = (Fernet.generate_key().decode() for _ in range(2))


def test_what_was_sealed_can_be_opened_and_does_not_show_the_password() -> None:
    sealed = Cipher([FIRST]).seal(new_credentials("postgres", "canary-password"))
    assert b"canary" not in sealed
    opened = Cipher([SECOND, FIRST]).open(sealed)
    assert (opened.user.user, opened.user.password) == ("postgres", "canary-password")
    assert opened.monitor.user == "toygres_monitor"


def test_the_repr_of_credentials_tells_nothing() -> None:
    made = new_credentials("postgres", "canary-password")
    assert "canary" not in repr(made) + repr(made.user)


def test_two_instances_get_different_passwords() -> None:
    first, second = new_credentials("postgres", None), new_credentials("postgres", None)
    assert len({first.user.password, first.monitor.password, second.user.password, second.monitor.password}) == 4


def test_a_process_with_other_keys_is_refused(store: Store) -> None:
    Cipher([FIRST]).require_same_keys(store)
    Cipher([SECOND, FIRST]).require_same_keys(store)
    with pytest.raises(Misconfigured, match="TOYGRES_SECRET_KEYS"):
        Cipher([SECOND]).require_same_keys(store)


def test_a_key_that_is_none_is_refused_without_showing_it() -> None:
    with pytest.raises(Misconfigured) as refused:
        Cipher(["not-a-key"])
    assert "not-a-key" not in str(refused.value)


def test_keys_come_from_the_environment_or_else_from_the_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_keys(load(home=home.path)) == [home.secret_keys.read_text().strip()]
    monkeypatch.setenv("TOYGRES_SECRET_KEYS", f"{SECOND},{FIRST}")
    assert load_keys(load(home=home.path)) == [SECOND, FIRST]


def test_without_any_key_the_remedy_is_said(home: Home) -> None:
    home.secret_keys.unlink()
    with pytest.raises(Misconfigured, match="TOYGRES_SECRET_KEYS"):
        load_keys(load(home=home.path))
