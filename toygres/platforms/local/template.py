"""An initialised data directory for each PostgreSQL version: copying one is ten times as fast as making one."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from toygres.errors import Unavailable
from toygres.platforms.local.binaries import major, release
from toygres.platforms.local.commands import CommandFailed, run
from toygres.platforms.local.locks import locked
from toygres.platforms.local.place import Place

_SECONDS = 60.0
# Changes whenever a template is to be made anew.
_RECIPE = 2

HBA = """\
# Written by Toygres: a password, checked by SCRAM, for every role on every way in. What listens where is said when the
# server is started, and can't be changed from within.
local  all  all       scram-sha-256
host   all  all  all  scram-sha-256
"""
# initdb wants a way in; nobody uses its `trust`, since the rules are replaced before the template is taken for whole.
_MAKE = """
set -e
folder=$1
shift
rm -rf "$folder.partial"
mkdir -p "${folder%/*}"
"$@" -D "$folder.partial"
cat >"$folder.partial/pg_hba.conf"
mv "$folder.partial" "$folder"
"""


def ensure(place: Place, binaries: Path) -> Path:
    """The template for the PostgreSQL in the `bin` folder `binaries`; made at the first call.

    Its one superuser, `postgres`, has no password, so nobody can log in to a copy that wasn't given one.
    Raises Unavailable when it can't be made.
    """
    folder = place.root / "templates" / name_of(place, binaries)
    if not folder.is_dir():
        with locked(place.control / "template.lock", _SECONDS):
            if not folder.is_dir():
                _make(place, binaries, folder)
    return folder


def name_of(place: Place, binaries: Path) -> str:
    """What tells the template from those of every other PostgreSQL, and of every other recipe."""
    build = hashlib.sha256(os.fsencode(binaries)).hexdigest()[:8]
    return f"{release(place, binaries)}-{build}-{_RECIPE}"


def _make(place: Place, binaries: Path, folder: Path) -> None:
    command = ["sh", "-c", _MAKE, "sh", folder, *_initdb(binaries, major(release(place, binaries)))]
    try:
        run(place, command, stdin=HBA, seconds=_SECONDS)
    except CommandFailed as failed:
        raise Unavailable(f"No data directory can be initialised in {folder.parent}: {failed}") from failed


def _initdb(binaries: Path, version: int) -> list[str | Path]:
    # A collation of PostgreSQL's own can't change under the data when the system is upgraded.
    collation = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if version >= 17 else []
    return [
        binaries / "initdb",
        "--username=postgres",
        "--encoding=UTF8",
        "--locale=C" if version >= 17 else "--locale=C.UTF-8",
        *collation,
        "--auth=trust",
        "--wal-segsize=1",
        "--data-checksums",
        "--no-instructions",
        "--no-sync",
    ]
