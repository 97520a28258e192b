"""Flower's options: where it listens and its generated password, in a file that only we can read."""

from __future__ import annotations

import re
import secrets

from toygres.config import Settings
from toygres.home import Home, write_private

USER = "toygres"

_CONFIGURATION = """\
# Written by Toygres. The password stays when this file stays.
address = {address!r}
port = {port}
basic_auth = [{login!r}]
persistent = False

from worker.flower import refuse_foreign_hosts
refuse_foreign_hosts({names!r})
"""
_LOGIN = re.compile(r"^basic_auth = \['toygres:([A-Za-z0-9_-]{32,})'\]$", re.MULTILINE)


def write_options(home: Home, settings: Settings) -> None:
    """Write Flower's configuration file, unless it says so already; a password that it holds is kept."""
    login = f"{USER}:{password(home) or secrets.token_urlsafe(32)}"
    names = (settings.bind, *settings.allowed_hosts)
    options = _CONFIGURATION.format(address=settings.bind, port=settings.flower_port, login=login, names=names)
    if not home.flower_config.exists() or home.flower_config.read_text() != options:
        write_private(home.flower_config, options)


def password(home: Home) -> str | None:
    """Flower's password, or None when none was made yet."""
    try:
        found = _LOGIN.search(home.flower_config.read_text())
    except FileNotFoundError:
        return None
    return found[1] if found else None
