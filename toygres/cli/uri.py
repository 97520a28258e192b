"""`toygres uri`: the connection URI and nothing else, ready for a program's variable."""

from __future__ import annotations

import signal
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from toygres.cli import app
from toygres.cli.client import Client, instance_path
from toygres.cli.output import Form, OutputOption, say, write_json
from toygres.cli.reaching import reached

Json = dict[str, Any]

# The last is what a terminal says that was closed.
_ENDS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


@app.command()
def uri(
    instance: Annotated[str, typer.Argument(help="Its name or ID.")],
    *,
    forward: Annotated[
        bool, typer.Option("--forward", help="Hold a way from this machine to it, until Ctrl-C; for Kubernetes.")
    ] = False,
    output: OutputOption = Form.TABLE,
) -> None:
    """Print the connection URI, password included."""
    client = Client.find()
    credentials = client.get(instance_path(instance, "credentials"))
    if forward:
        _hold(client.get(instance_path(instance)), credentials, output)
    else:
        _print(credentials, output)


def _hold(instance: Json, credentials: Json, output: Form) -> None:
    # Before any thread begins: one of those would be interrupted in our place.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    with reached(instance, credentials) as way:
        _print({**credentials, "port": int(way["port"]), "uri": _with(credentials, way)}, output)
        say("The way is open until Ctrl-C.")
        signal.sigwait(_ENDS)


def _with(credentials: Json, way: dict[str, str]) -> str:
    """The URI by which libpq goes that way, and checks the server's own name."""
    user, password, database = (quote(credentials[key], safe="") for key in ("user", "password", "database"))
    more = urlencode({name: value for name, value in way.items() if name != "port"})
    return f"postgresql://{user}:{password}@{credentials['host']}:{way['port']}/{database}" + (
        f"?{more}" if more else ""
    )


def _print(credentials: Json, output: Form) -> None:
    if output is Form.JSON:
        write_json(credentials)
    else:
        typer.echo(credentials["uri"])
