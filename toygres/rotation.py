"""Changing the secret keys: a new one first, all that is encrypted under it, the previous one kept.

The new key is in the file, for good, before anything is encrypted with it, and an old one leaves it only after
nothing is: a rotation that is killed anywhere leaves all readable, and the next one goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass

from toygres.config import Settings
from toygres.errors import Misconfigured
from toygres.keyring import KeyFile, key_file, load_keys, new_key, require_some
from toygres.platforms.local.locks import locked
from toygres.secrets import Cipher
from toygres.store import credentials
from toygres.store.session import Store

_LOCK_SECONDS = 60.0
_KEPT = 2


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """What a rotation came to: how many passwords were on their way, and how many old keys are gone."""

    passwords: int
    dropped: int = 0


def rotate(settings: Settings, store: Store) -> Rotation:
    """Encrypt all that the metadata DB holds anew: with a new key of the home's, or with the first of the settings'.

    Raises Misconfigured when the keys are others than the DB's, or when the settings hold only one.
    """
    file = key_file(settings)
    if file is None:
        return _rotate_given(load_keys(settings), store)
    lock = file.path.with_name("secret-keys.lock")
    with locked(lock, _LOCK_SECONDS):
        rotation = _rotate_file(file, store)
        # While it is held, so that nobody's lock can be on a file that is gone.
        lock.unlink(missing_ok=True)
        return rotation


def _rotate_given(keys: list[str], store: Store) -> Rotation:
    if len(keys) == 1:
        raise Misconfigured(
            "TOYGRES_SECRET_KEYS holds one key, so there is none to change to.",
            "Put a new one before it for every process, separated by a comma, and start them again; then run this; "
            "then take the old one out and start them once more.",
        )
    return Rotation(passwords=_renew(Cipher(keys), store))


def _rotate_file(file: KeyFile, store: Store) -> Rotation:
    keys = require_some(file.read())
    Cipher(keys).require_same_keys(store)
    if Cipher(keys[:1]).reads_check(store):
        keys = [new_key(), *keys]
        file.write(keys)
    passwords = _renew(Cipher(keys), store)
    file.write(keys[:_KEPT])
    return Rotation(passwords=passwords, dropped=len(keys[_KEPT:]))


def _renew(cipher: Cipher, store: Store) -> int:
    cipher.require_same_keys(store)
    return credentials.renew(store, cipher.renew)
