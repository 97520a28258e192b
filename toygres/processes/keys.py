"""What `up` makes once for a home: the API's token, and the keys that encrypt passwords on their way."""

from __future__ import annotations

import secrets

from toygres.config import Settings, variable
from toygres.errors import Misconfigured
from toygres.home import Home, write_private
from toygres.keyring import KeyFile, new_key


def make_token(home: Home) -> None:
    """Make the token unless there is one."""
    if not home.token.exists():
        write_private(home.token, secrets.token_urlsafe(32) + "\n")


def make_secret_keys(home: Home, settings: Settings) -> None:
    """Make the keys unless there are some. Raises Misconfigured with a DB of somebody else's but no keys.

    A DB that outlives this home would hold what no other process can decrypt.
    """
    if settings.secret_keys is not None:
        return
    if settings.database_url is not None:
        raise Misconfigured(
            f"{variable('database_url')} is set, but {variable('secret_keys')} isn't.",
            "Set it to the Fernet keys that every process of this Toygres shares.",
        )
    make_keys_file(home)


def make_keys_file(home: Home) -> None:
    """Make the home's keys unless it has some."""
    if not home.secret_keys.exists():
        KeyFile(home.secret_keys).write([new_key()])
