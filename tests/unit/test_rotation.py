"""Changing the secret keys: safe when it is killed anywhere, when it runs twice at once, and while others work."""

from __future__ import annotations

import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from driving import CALLER
from pydantic import SecretStr

from toygres import rotation
from toygres.config import Settings
from toygres.errors import Misconfigured
from toygres.home import Home
from toygres.keyring import KeyFile, new_key
from toygres.provisioning import InstanceRequest, request_instance
from toygres.rotation import rotate
from toygres.secrets import Cipher, new_credentials
from toygres.services import Services, connect
from toygres.store import credentials, installation


@pytest.fixture
def keys(home: Home) -> KeyFile:
    return KeyFile(home.secret_keys)


class Killed(Exception):
    """Stands for the end of the process."""


def ordered(services: Services, name: str = "demo") -> UUID:
    return request_instance(services, CALLER, InstanceRequest(name=name, password="the-password")).operation.id


def without_password(services: Services) -> UUID:
    """An order whose password is gone."""
    operation = ordered(services, "bare")
    services.store.run("DELETE FROM toygres.credentials WHERE operation_id = %(id)s", id=operation)
    return operation


def reads(services: Services, operation: UUID, cipher: Cipher) -> str:
    found = credentials.get(services.store, operation)
    assert found is not None
    return cipher.open(found).user.password


def test_the_new_key_is_first_the_previous_one_is_kept_and_older_ones_go(
    services: Services, settings: Settings, keys: KeyFile, home: Home
):
    (first,) = keys.read()
    operation = ordered(services)
    assert rotate(settings, services.store) == rotation.Rotation(passwords=1, dropped=0)
    second, kept = keys.read()
    assert kept == first != second
    assert reads(services, operation, Cipher([second])) == "the-password"
    Cipher([second]).require_same_keys(services.store)
    with pytest.raises(Misconfigured):
        Cipher([first]).require_same_keys(services.store)

    assert rotate(settings, services.store) == rotation.Rotation(passwords=1, dropped=1)
    third, kept = keys.read()
    assert kept == second
    assert reads(services, operation, Cipher([third])) == "the-password"
    assert stat.S_IMODE(home.secret_keys.stat().st_mode) == 0o600
    assert [path.name for path in home.path.glob("*secret-keys*")] == ["secret-keys"]


def test_who_runs_takes_the_new_keys_up_and_encrypts_with_the_newest(
    services: Services, settings: Settings, keys: KeyFile
):
    other = connect(settings)
    before = ordered(services, "before")
    for number in range(3):
        rotate(settings, services.store)
        operation = ordered(services, f"after-{number}")
        assert reads(services, operation, Cipher(keys.read()[:1])) == "the-password"
        assert reads(services, operation, other.cipher) == "the-password"
    assert reads(services, before, other.cipher) == "the-password"
    other.close()


@pytest.mark.parametrize("passwords", [0, 1])
def test_a_rotation_killed_before_it_encrypts_is_gone_on_with(
    services: Services, settings: Settings, keys: KeyFile, monkeypatch: pytest.MonkeyPatch, passwords: int
):
    rotate(settings, services.store)
    operations = [ordered(services, f"demo-{number}") for number in range(passwords)]
    previous, _ = keys.read()

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(credentials, "renew", die)
        with pytest.raises(Killed):
            rotate(settings, services.store)
    new = keys.read()[0]
    assert new != previous
    late = ordered(services, "late")
    assert reads(services, late, services.cipher) == "the-password"
    connect(settings).close()

    assert rotate(settings, services.store).passwords == passwords + 1
    assert keys.read() == [new, previous]
    assert {reads(services, operation, Cipher([new])) for operation in [*operations, late]} == {"the-password"}


def test_a_rotation_killed_after_it_encrypted_has_lost_nothing(
    services: Services, settings: Settings, keys: KeyFile, monkeypatch: pytest.MonkeyPatch
):
    operation = ordered(services)
    write = KeyFile.write
    written: list[int] = []

    def die_at_the_second(file: KeyFile, lines: list[str]) -> None:
        written.append(len(lines))
        if len(written) == 2:
            raise Killed
        write(file, lines)

    with monkeypatch.context() as patched:
        patched.setattr(KeyFile, "write", die_at_the_second)
        with pytest.raises(Killed):
            rotate(settings, services.store)
    connect(settings).close()
    assert reads(services, operation, Cipher(keys.read()[:1])) == "the-password"
    rotate(settings, services.store)
    assert len(keys.read()) == 2
    assert reads(services, operation, Cipher(keys.read()[:1])) == "the-password"


def test_all_or_nothing_is_encrypted_anew(services: Services, settings: Settings, keys: KeyFile):
    operation = ordered(services)
    with services.store.transaction() as connection:
        credentials.put(connection, without_password(services), lambda: b"not ours")
    before = credentials.get(services.store, operation), installation.key_check(services.store)
    with pytest.raises(Misconfigured):
        rotate(settings, services.store)
    assert (credentials.get(services.store, operation), installation.key_check(services.store)) == before
    assert reads(services, operation, services.cipher) == "the-password"


def test_rotations_at_once_and_orders_between_them_leave_all_readable(
    services: Services, settings: Settings, keys: KeyFile
):
    with ThreadPoolExecutor(4) as pool:
        rotations = [pool.submit(rotate, settings, services.store) for _ in range(4)]
        operations = [ordered(services, f"demo-{number}") for number in range(8)]
        assert sum(rotation.result().dropped for rotation in rotations) == 3
    assert len(keys.read()) == 2
    newest = Cipher(keys.read())
    assert {reads(services, operation, newest) for operation in operations} == {"the-password"}


def test_an_order_in_the_middle_of_being_written_is_waited_for(services: Services, settings: Settings, keys: KeyFile):
    operation = without_password(services)
    rotated = threading.Event()

    def change() -> None:
        rotate(settings, services.store)
        rotated.set()

    thread = threading.Thread(target=change)
    sealed = services.cipher.seal(new_credentials("postgres", "the-password"))
    with services.store.transaction() as connection:
        credentials.put(connection, operation, lambda: sealed)
        thread.start()
        _await_lock_waiter(services)
        assert not rotated.is_set()
    thread.join(20)
    assert rotated.is_set()
    assert reads(services, operation, Cipher(keys.read()[:1])) == "the-password"


def _await_lock_waiter(services: Services) -> None:
    waits = """SELECT count(*) AS n FROM pg_locks
        WHERE relation = 'toygres.credentials'::regclass AND NOT granted AND mode = 'ShareRowExclusiveLock'"""
    for _ in range(2000):
        found = services.store.one(waits)
        assert found is not None
        if found.n:
            return
        threading.Event().wait(0.01)
    raise AssertionError("the rotation doesn't wait")


def test_given_keys_are_changed_to_the_first_of_them(services: Services, settings: Settings, keys: KeyFile):
    (first,) = keys.read()
    operation = ordered(services)
    second = new_key()
    given = settings.model_copy(update={"secret_keys": SecretStr(f"{second},{first}")})
    assert rotate(given, services.store).passwords == 1
    assert reads(services, operation, Cipher([second])) == "the-password"
    assert keys.read() == [first]
    connect(settings.model_copy(update={"secret_keys": SecretStr(second)})).close()


def test_with_one_given_key_the_order_of_things_is_said(services: Services, settings: Settings, keys: KeyFile):
    given = settings.model_copy(update={"secret_keys": SecretStr(keys.read()[0])})
    with pytest.raises(Misconfigured, match="holds one key") as refused:
        rotate(given, services.store)
    assert "Put a new one before it" in refused.value.remedy
    assert keys.read()[0] not in str(refused.value)


def test_keys_of_another_installation_change_nothing(services: Services, settings: Settings, keys: KeyFile):
    keys.write([new_key()])
    before = keys.read()
    with pytest.raises(Misconfigured, match="aren't those"):
        rotate(settings, services.store)
    assert keys.read() == before


@pytest.mark.parametrize("text", ["", "not-a-key\n"])
def test_a_file_that_is_being_mended_does_not_stop_who_runs(services: Services, home: Home, text: str):
    operation = ordered(services)
    kept = home.secret_keys.read_text()
    home.secret_keys.write_text(text)
    assert reads(services, operation, services.cipher) == "the-password"
    home.secret_keys.unlink()
    assert reads(services, operation, services.cipher) == "the-password"
    home.secret_keys.write_text(f"{new_key()}\n{kept}")
    assert reads(services, operation, services.cipher) == "the-password"
