"""The parts of making a data directory: a copy of the template, its roles with their passwords, all of it on disk."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toygres.domain.instance import Login
from toygres.platforms.local import scram, template
from toygres.platforms.local.binaries import major, release
from toygres.platforms.local.commands import Interrupt, run
from toygres.platforms.local.place import Place

_COPY_SECONDS = 100.0
_SETUP_SECONDS = 20.0
_SYNC_SECONDS = 60.0
_FIRST_WITH_SYNCFS = 17
# Without a server that listens, no template's role can be used before it has its own password, and no statement may
# show up in an error.
_SINGLE = (
    *("--single", "-c", "exit_on_error=on", "-c", "log_min_error_statement=panic", "-c", "log_checkpoints=off"),
    *("-c", "shared_buffers=1MB", "-c", "max_connections=10", "-c", "password_encryption=scram-sha-256"),
)


@dataclass(frozen=True, kw_only=True, repr=False)
class Role:
    """A role that can log in, and what else it may, in the words of CREATE ROLE."""

    login: Login
    attributes: str = ""


def superuser(login: Login) -> Role:
    """The role of an instance's user."""
    return Role(login=login, attributes="SUPERUSER")


def monitor(login: Login) -> Role:
    """The role of the health checks: sees statistics, changes nothing, takes few connections."""
    return Role(login=login, attributes="IN ROLE pg_monitor CONNECTION LIMIT 5")


def copy(
    place: Place, binaries: Path, folder: Path, *, lowly: bool = False, interrupt: Interrupt | None = None
) -> None:
    """Copy the template into `folder`, which is there and empty. Raises CommandFailed and Unavailable.

    `lowly` lets everything else on the machine go first.
    """
    source = template.ensure(place, binaries)
    reflink = ["--reflink=auto"] if sys.platform == "linux" else []
    command: list[str | Path] = ["cp", "-a", *reflink, f"{source}/.", folder]
    run(place, [*(_low() if lowly else []), *command], seconds=_COPY_SECONDS, interrupt=interrupt)


def set_up(place: Place, binaries: Path, folder: Path, roles: Sequence[Role], database: str, *, durably: bool) -> None:
    """Give a copy its roles and its database, which the first role owns. Raises CommandFailed.

    `durably` brings to the disk what this changes: for a copy that is there already.
    """
    statements = "\n".join(_statements(roles, database)) + "\n"
    options = _SINGLE if durably else (*_SINGLE, "-F")
    run(place, [binaries / "postgres", *options, "-D", folder, "postgres"], stdin=statements, seconds=_SETUP_SECONDS)


def sync(place: Place, binaries: Path, folder: Path, *, interrupt: Interrupt | None = None) -> None:
    """Bring all of a data directory to the disk. Raises CommandFailed."""
    command: list[str | Path] = [binaries / "initdb", "--sync-only", *_sync_method(place, binaries), "-D", folder]
    run(place, command, seconds=_SYNC_SECONDS, interrupt=interrupt)


def _low() -> list[str]:
    """What makes a command wait for everything else that wants the processor or the disk."""
    disk = ["ionice", "-c", "3"] if shutil.which("ionice") else []
    return ["nice", "-n", "19", *disk]


def _sync_method(place: Place, binaries: Path) -> list[str]:
    # One syncfs takes a quarter of the time of a thousand fsyncs, and still half of it while others write.
    known = sys.platform == "linux" and major(release(place, binaries)) >= _FIRST_WITH_SYNCFS
    return ["--sync-method=syncfs"] if known else []


def _statements(roles: Sequence[Role], database: str) -> list[str]:
    """One statement to a line, as the single-user mode reads them."""
    statements = [_role_statement(role) for role in roles]
    if database not in ("postgres", "template1"):
        statements.append(f"CREATE DATABASE {_identifier(database)} OWNER {_identifier(roles[0].login.user)}")
    return statements


def _role_statement(role: Role) -> str:
    # `postgres` is in every template, without a password.
    verb = "ALTER ROLE postgres" if role.login.user == "postgres" else f"CREATE ROLE {_identifier(role.login.user)}"
    return f"{verb} LOGIN {role.attributes} PASSWORD '{scram.verifier(role.login.password)}'"


def _identifier(name: str) -> str:
    if not name.isprintable():
        raise ValueError("a role's or database's name holds a character that can't be shown")
    return '"' + name.replace('"', '""') + '"'
