"""What `up` makes or uses outside its home and its servers' places: written down in the home before it is used."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from toygres.home import Home, write_private

BROKER = "broker_folder"
DATABASE = "database"
REDIS = "redis"
REDIS_PREFIX = "redis_prefix"


def read(home: Home) -> dict[str, str]:
    """What was written down; empty when there is nothing, or nothing that can be read."""
    try:
        found = json.loads(home.outside.read_text())
    except (OSError, ValueError):
        return {}
    return {name: text for name, text in found.items() if isinstance(text, str)} if isinstance(found, dict) else {}


def note(home: Home, **more: str) -> None:
    """Write down more of it."""
    before = read(home)
    if before != (after := {**before, **more}):
        write_private(home.outside, json.dumps(after, indent=1))


def broker_folder(home: Home) -> Path:
    """A folder with a short name for the broker's socket, always the same; not made here."""
    found = read(home).get(BROKER)
    if found is None:
        found = f"/tmp/toygres-{secrets.token_hex(4)}"  # noqa: S108
        note(home, **{BROKER: found})
    return Path(found)


def without_secrets(url: str) -> str:
    """Which server and database `url` names, and nothing that a password could be in."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
