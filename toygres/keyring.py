"""Where the secret keys are: in TOYGRES_SECRET_KEYS, else in the home's file, which may change while we run."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from toygres.config import Settings
from toygres.errors import Misconfigured
from toygres.home import write_durable

_Version = tuple[int, int, int]


@dataclass
class KeyFile:
    """The home's keys, newest first, one to a line; replaced as a whole, so each version is another file."""

    path: Path
    _read: _Version | None = field(default=None, init=False)

    def read(self) -> list[str]:
        """The keys as they are now; none when there is no file."""
        try:
            with self.path.open() as file:
                self._read = _version(os.fstat(file.fileno()))
                return parse(file.read())
        except FileNotFoundError:
            return []

    def changed(self) -> bool:
        """Whether it is another one than was read; one that is gone isn't."""
        try:
            return _version(self.path.stat()) != self._read
        except OSError:
            return False

    def write(self, keys: Sequence[str]) -> None:
        """Replace the keys; they outlive a loss of power from here on."""
        write_durable(self.path, "".join(f"{key}\n" for key in keys))


def key_file(settings: Settings) -> KeyFile | None:
    """The home's keys; None when the settings hold the keys themselves."""
    return KeyFile(settings.home_folder.secret_keys) if settings.secret_keys is None else None


def load_keys(settings: Settings) -> list[str]:
    """The keys from TOYGRES_SECRET_KEYS, else from the home. Raises Misconfigured when there are none."""
    if settings.secret_keys is not None:
        return require_some(parse(settings.secret_keys.get_secret_value()))
    return require_some(KeyFile(settings.home_folder.secret_keys).read())


def require_some(keys: list[str]) -> list[str]:
    """The keys, of which there must be one. Raises Misconfigured."""
    if not keys:
        raise Misconfigured(
            "There are no secret keys.", "Set TOYGRES_SECRET_KEYS, or let `toygres up` make them in its home."
        )
    return keys


def parse(text: str) -> list[str]:
    """The keys in `text`, separated by commas or line ends."""
    return [key.strip() for key in text.replace(",", "\n").splitlines() if key.strip()]


def new_key() -> str:
    """A key in the form that Fernet's specification gives: 32 random bytes in URL-safe base 64."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def _version(found: os.stat_result) -> _Version:
    return found.st_ino, found.st_mtime_ns, found.st_size
