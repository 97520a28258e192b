"""`toygres create`: order an instance, watch it come up, and learn where it is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from toygres.cli import app
from toygres.cli.client import Client
from toygres.cli.outcome import WaitOption, conclude
from toygres.cli.output import Form, OutputOption, endpoint_text, say

Json = dict[str, Any]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the instance is called.")],
    *,
    version: Annotated[str | None, typer.Option(help="PostgreSQL's major version.")] = None,
    storage: Annotated[str | None, typer.Option(help="Room for data, such as 1Gi.")] = None,
    cpu: Annotated[str | None, typer.Option(help="CPU cores, such as 1 or 500m.")] = None,
    memory: Annotated[str | None, typer.Option(help="Memory, such as 512Mi.")] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="A server parameter; repeatable."),
    ] = None,
    password_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Holds the password on its first line; `-` reads stdin.")
    ] = None,
    platform: Annotated[str | None, typer.Option(help="Where it shall live; see `toygres platforms`.")] = None,
    wait: WaitOption = True,
    output: OutputOption = Form.TABLE,
) -> None:
    """Order an instance, and watch its steps until a client has logged in to it."""
    asked = {
        "name": name,
        "version": version,
        "storage": storage,
        "cpu": cpu,
        "memory": memory,
        "parameters": _parameters(parameter or []) or None,
        "password": _password(password_file) if password_file else None,
        "platform": platform,
    }
    client = Client.find()
    accepted = client.post("/v1/instances", {key: value for key, value in asked.items() if value is not None})
    conclude(client, accepted, wait=wait, form=output, tell=_tell)


def _tell(instance: Json) -> None:
    name = instance["name"]
    typer.echo(f"{name} is {instance['status']['state']} at {endpoint_text(instance)}")
    limits = instance["status"]["not_enforced"]
    if limits:
        say(f"The platform {instance['platform']} doesn't enforce its limits of: {', '.join(limits)}.")
    say(f"Its URI: toygres uri {name}; a session: toygres psql {name}")


def _parameters(given: list[str]) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise typer.BadParameter(f"{text!r} isn't NAME=VALUE", param_hint="--parameter")
        if name in parameters:
            raise typer.BadParameter(f"{name} is set twice", param_hint="--parameter")
        parameters[name] = value
    return parameters


def _password(source: str) -> str:
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text()
    except (OSError, UnicodeDecodeError) as trouble:
        reason = getattr(trouble, "strerror", None) or "it isn't text"
        raise typer.BadParameter(f"{source} can't be read: {reason}", param_hint="--password-file") from None
    password, _, rest = text.partition("\n")
    password = password.removesuffix("\r")
    if not password or rest.strip():
        raise typer.BadParameter("it must hold one line", param_hint="--password-file")
    return password
