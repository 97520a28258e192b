"""What `up` makes or uses outside its home and its servers' places: written down in the home before it is used."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlsplit

from toygres.config import Settings
from toygres.home import Home, write_private
from toygres.platforms.local.locks import locked

BROKER = "broker_folder"
DATABASE = "database"
REDIS = "redis"
REDIS_PREFIX = "redis_prefix"
PLATFORMS = "platforms"
KUBECONFIG = "KUBECONFIG"
# Without these settings, which are often variables of one terminal, nobody finds the cluster again.
WAY = ("kube_context", "kube_namespace")
_LOCK_SECONDS = 30.0


def read(home: Home) -> dict[str, str]:
    """What was written down; empty when there is nothing, or nothing that can be read."""
    try:
        found = json.loads(home.outside.read_text())
    except (OSError, ValueError):
        return {}
    return {name: text for name, text in found.items() if isinstance(text, str)} if isinstance(found, dict) else {}


def note(home: Home, **more: str) -> None:
    """Write down more of it."""
    with _locked(home):
        _write(home, more)


def note_platforms(home: Home, settings: Settings, *, fresh: bool, way: bool = True) -> None:
    """Write down on which platforms, beside this machine, the home's own metadata DB may know instances.

    `fresh` says that there is no such DB yet: one that older versions made may know instances that no note tells of.
    Without `way` one there that is noted already stays.
    """
    names = {name for name in (*settings.platforms, settings.platform) if name != "local"}
    # An `up` and a `deploy` may begin at once: neither may lose what the other wrote.
    with _locked(home):
        before = platforms(home)
        if before is not None or names or fresh:
            noted = ",".join(sorted({*(before or ()), *names}))
            led = names and (way or KUBECONFIG not in read(home))
            _write(home, {PLATFORMS: noted, **(_way(settings) if led else {})})


def platforms(home: Home) -> frozenset[str] | None:
    """What `note_platforms` wrote down; None when that was never done."""
    noted = read(home).get(PLATFORMS)
    return None if noted is None else frozenset(filter(None, noted.split(",")))


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


def _locked(home: Home) -> AbstractContextManager[object]:
    return locked(home.path / "outside.lock", _LOCK_SECONDS)


def _write(home: Home, more: Mapping[str, str]) -> None:
    before = read(home)
    if before != (after := {**before, **more}):
        write_private(home.outside, json.dumps(after, indent=1))


def _way(settings: Settings) -> dict[str, str]:
    named = [part for part in os.environ.get(KUBECONFIG, "").split(os.pathsep) if part]
    paths = [str(Path(part).expanduser().absolute()) for part in named]
    return {KUBECONFIG: os.pathsep.join(paths), **{name: getattr(settings, name) or "" for name in WAY}}
