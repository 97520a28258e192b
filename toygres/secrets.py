"""Encryption of passwords on their way, and how new ones are made."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from toygres.config import Settings
from toygres.domain.instance import Credentials, Login
from toygres.domain.names import MONITOR_USER
from toygres.errors import Misconfigured
from toygres.store import installation
from toygres.store.session import Store

_KNOWN_TEXT = b"toygres"


class Cipher:
    """The installation's keys: the first encrypts, all decrypt."""

    def __init__(self, keys: Sequence[str]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise Misconfigured(
                "A secret key isn't a Fernet key: 32 bytes, URL-safe base64.",
                "Make one with `python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key())'`.",
            ) from None

    def seal(self, credentials: Credentials) -> bytes:
        """The credentials, encrypted."""
        plain = {"user": credentials.user.user, "password": credentials.user.password}
        return self._fernet.encrypt(json.dumps({**plain, "monitor": credentials.monitor.password}).encode())

    def open(self, ciphertext: bytes) -> Credentials:
        """The credentials that `seal` encrypted. Raises Misconfigured when the keys are others."""
        plain = json.loads(self._decrypt(ciphertext))
        return Credentials(
            user=Login(user=plain["user"], password=plain["password"]),
            monitor=Login(user=MONITOR_USER, password=plain["monitor"]),
        )

    def require_same_keys(self, store: Store) -> None:
        """Return when this installation's secrets can be read; raise Misconfigured when the keys are others."""
        check = installation.key_check(store)
        if check is None and installation.set_key_check(store, self._fernet.encrypt(_KNOWN_TEXT)):
            return
        self._decrypt(check or installation.key_check(store) or b"")

    def _decrypt(self, ciphertext: bytes) -> bytes:
        try:
            return self._fernet.decrypt(ciphertext)
        except InvalidToken:
            raise Misconfigured(
                "The secret keys aren't those that this metadata DB's secrets were encrypted with.",
                "Set TOYGRES_SECRET_KEYS to the installation's keys, the newest first.",
            ) from None


def new_credentials(user: str, password: str | None) -> Credentials:
    """Logins for a new instance: the password that was given, else a generated one of 192 bits."""
    return Credentials(
        user=Login(user=user, password=password or secrets.token_urlsafe(24)),
        monitor=Login(user=MONITOR_USER, password=secrets.token_urlsafe(24)),
    )


def load_keys(settings: Settings) -> list[str]:
    """The keys from TOYGRES_SECRET_KEYS, else from the home. Raises Misconfigured when there are none."""
    if settings.secret_keys is not None:
        text = settings.secret_keys.get_secret_value().replace(",", "\n")
    else:
        try:
            text = settings.home_folder.secret_keys.read_text()
        except FileNotFoundError:
            text = ""
    keys = [line.strip() for line in text.splitlines() if line.strip()]
    if not keys:
        raise Misconfigured(
            "There are no secret keys.", "Set TOYGRES_SECRET_KEYS, or let `toygres up` make them in its home."
        )
    return keys
