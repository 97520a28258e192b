"""Encryption of passwords on their way, and how new ones are made."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Sequence
from contextlib import suppress

import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from toygres.config import Settings
from toygres.domain.instance import Credentials, Login
from toygres.domain.names import MONITOR_USER
from toygres.errors import Misconfigured
from toygres.keyring import KeyFile, key_file, load_keys, require_some
from toygres.store import installation
from toygres.store.session import Store

log = structlog.get_logger(__name__)

_KNOWN_TEXT = b"toygres"


class Cipher:
    """The installation's keys: the first encrypts, all decrypt. Those of a `file` are looked at before each use."""

    def __init__(self, keys: Sequence[str], file: KeyFile | None = None) -> None:
        self._fernet = _fernet(keys)
        self._file = file
        self._reading = threading.Lock()

    @classmethod
    def of(cls, settings: Settings) -> Cipher:
        """The keys that the settings name, as they are at each use. Raises Misconfigured when there are none."""
        file = key_file(settings)
        return cls(load_keys(settings)) if file is None else cls(require_some(file.read()), file)

    def seal(self, credentials: Credentials) -> bytes:
        """The credentials, encrypted."""
        plain = {"user": credentials.user.user, "password": credentials.user.password}
        return self._newest().encrypt(json.dumps({**plain, "monitor": credentials.monitor.password}).encode())

    def open(self, ciphertext: bytes) -> Credentials:
        """The credentials that `seal` encrypted. Raises Misconfigured when the keys are others."""
        plain = json.loads(self._decrypt(ciphertext))
        return Credentials(
            user=Login(user=plain["user"], password=plain["password"]),
            monitor=Login(user=MONITOR_USER, password=plain["monitor"]),
        )

    def seal_bytes(self, plain: bytes) -> bytes:
        """Anything, encrypted."""
        return self._newest().encrypt(plain)

    def open_bytes(self, ciphertext: bytes) -> bytes:
        """What `seal_bytes` encrypted. Raises Misconfigured when the keys are others."""
        return self._decrypt(ciphertext)

    def renew(self, ciphertext: bytes) -> bytes:
        """The same under the first key. Raises Misconfigured when the keys are others."""
        return self._newest().encrypt(self._decrypt(ciphertext))

    def require_same_keys(self, store: Store) -> None:
        """Return when this installation's secrets can be read; raise Misconfigured when the keys are others."""
        check = installation.key_check(store)
        if check is None and installation.set_key_check(store, self._newest().encrypt(_KNOWN_TEXT)):
            return
        self._decrypt(check or installation.key_check(store) or b"")

    def reads_check(self, store: Store) -> bool:
        """Whether this installation's key check is under one of these keys."""
        try:
            self._decrypt(installation.key_check(store) or b"")
        except Misconfigured:
            return False
        return True

    def _newest(self, *, anew: bool = False) -> MultiFernet:
        """The keys as they are now; `anew` reads them even when their file seems to be the same."""
        with self._reading:
            if self._file is not None and (anew or self._file.changed()):
                self._read(self._file)
            return self._fernet

    def _read(self, file: KeyFile) -> None:
        try:
            self._fernet = _fernet(require_some(file.read()))
        except (Misconfigured, OSError, UnicodeDecodeError) as wrong:
            # What was read before is better than nothing: whoever wrote this one may be mending it.
            log.warning("secret_keys_not_taken_up", file=str(file.path), error=type(wrong).__name__)

    def _decrypt(self, ciphertext: bytes) -> bytes:
        # Keys are written before what is encrypted with them, so whoever has read that finds them in the file.
        for anew in (False, True):
            with suppress(InvalidToken):
                return self._newest(anew=anew).decrypt(ciphertext)
        raise Misconfigured(
            "The secret keys aren't those that this metadata DB's secrets were encrypted with.",
            "Set TOYGRES_SECRET_KEYS to the installation's keys, the newest first.",
        )


def new_credentials(user: str, password: str | None) -> Credentials:
    """Logins for a new instance: the password that was given, else a generated one of 192 bits."""
    return Credentials(
        user=Login(user=user, password=password or secrets.token_urlsafe(24)),
        monitor=Login(user=MONITOR_USER, password=secrets.token_urlsafe(24)),
    )


def _fernet(keys: Sequence[str]) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        raise Misconfigured(
            "A secret key isn't a Fernet key: 32 bytes, URL-safe base64.",
            "Make one with `python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key())'`.",
        ) from None
