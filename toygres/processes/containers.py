"""The passwords of docker-compose.yml's two servers, made once, each in folders that only those mount who need it.

A folder's group is who may read the files in it beside us: the server's group, where a server has one of its own.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from toygres.errors import Misconfigured
from toygres.home import write_private

METADATA_PASSWORD = Path("metadata-server", "password")
METADATA_URL = Path("metadata-client", "url")
BROKER_CONFIGURATION = Path("broker-server", "valkey.conf")
BROKER_PING = Path("broker-server", "ping")
BROKER_URL = Path("broker-client", "url")
FLOWER = Path("flower")

_DATABASE_AT = "postgresql://toygres:{password}@metadata:5432/toygres"
_BROKER_AT = "redis://:{password}@broker:6379/0"
_CONFIGURATION = """\
# Written by `toygres prepare`. The password stays when this file stays.
requirepass {password}
bind * -::*
port 6379
dir /data
save ""
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
"""
# What valkey-cli reads from its standard input: a password among its arguments could be seen by others.
_PING = "AUTH {password}\nPING\n"
_REQUIREPASS = re.compile(r"^requirepass (\S+)$", re.MULTILINE)


def files(folder: Path) -> list[Path]:
    """Every file that `make` writes."""
    names = (METADATA_PASSWORD, METADATA_URL, BROKER_CONFIGURATION, BROKER_PING, BROKER_URL)
    return [folder / name for name in names]


def make(folder: Path) -> None:
    """Write what is missing or out of date; a password that is known already is kept.

    Raises Misconfigured when a folder can't be written to, or when two files tell different passwords.
    """
    try:
        for path in (*files(folder), folder / FLOWER / "any"):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, text in _texts(folder):
            _keep(path, text)
    except PermissionError as denied:
        raise Misconfigured(
            f"{denied.filename} can't be read or written.", f"Give its folder to the user with the uid {os.geteuid()}."
        ) from None


def _texts(folder: Path) -> Iterator[tuple[Path, str]]:
    """What each file is to say, the server's first: whoever is killed in between goes on from it."""
    server, client = folder / METADATA_PASSWORD, folder / METADATA_URL
    password = _password(_read(server).strip(), client)
    yield server, password
    yield client, _DATABASE_AT.format(password=password)
    server, client = folder / BROKER_CONFIGURATION, folder / BROKER_URL
    found = _REQUIREPASS.search(_read(server))
    password = _password(found[1] if found else "", client)
    yield server, _CONFIGURATION.format(password=password)
    yield folder / BROKER_PING, _PING.format(password=password)
    yield client, _BROKER_AT.format(password=password)


def _password(of_server: str, client: Path) -> str:
    """The password that one side or both know, else a new one of 192 bits."""
    of_client = urlsplit(_read(client)).password or ""
    if of_server and of_client and of_server != of_client:
        raise Misconfigured(
            f"{client} tells another password than its server's.", "Delete the one that the server doesn't know."
        )
    return of_server or of_client or secrets.token_urlsafe(24)


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _keep(path: Path, text: str) -> None:
    """Have `text` in the file, readable by its folder's group where that may enter."""
    if _read(path) != text:
        write_private(path, text)
    found, folder = path.stat(), path.parent.stat()
    mode = 0o400 if folder.st_mode & 0o050 == 0 else 0o440
    if (stat.S_IMODE(found.st_mode), found.st_gid) != (mode, folder.st_gid):
        os.chown(path, -1, folder.st_gid)
        path.chmod(mode)
