"""What `up` ends its start with: the instance that was named, and where everything is."""

from __future__ import annotations

from typing import Any

import typer

from toygres.cli import given_password
from toygres.cli.client import Client, instance_path, operation_path
from toygres.cli.outcome import require
from toygres.cli.output import say
from toygres.cli.steps import follow
from toygres.errors import Conflict, NotFound
from toygres.home import Home

Json = dict[str, Any]

# The name is free again, or still held by a cleanup, which a new order is told.
_GONE = frozenset({"failed", "deleted"})


def welcome(home: Home, name: str | None) -> None:
    """Have the instance `name` ready (when one is named), then tell where everything is.

    Raises typer.Exit, its reason told, when the instance couldn't be made ready.
    """
    client = Client.from_home(home)
    try:
        if name is not None:
            _make_ready(client, name)
            typer.echo(f"\n{name}: {client.get(instance_path(name, 'credentials'))['uri']}")
    finally:
        _tell_where(client, home)


def _make_ready(client: Client, name: str) -> None:
    operation = _ordered(client, name)
    if operation is not None:
        require(follow(client, operation), "succeeded")


def _ordered(client: Client, name: str) -> Json | None:
    """The operation that makes the instance ready; None when it is."""
    try:
        found = client.get(instance_path(name))
    except NotFound:
        found = None
    password = given_password.given()
    if found is None or found["status"]["state"] in _GONE:
        asked = {"name": name, "password": password}
        created: Json = client.post("/v1/instances", {key: value for key, value in asked.items() if value})["operation"]
        return created
    if password is not None:
        say(f"{name} exists and keeps its password: {given_password.VARIABLE} isn't used.")
    if found["operation"]:
        return client.get(operation_path(found["operation"]))
    if found["status"]["state"] == "ready" and found["available"]["value"]:
        return None
    return _started(client, name)


def _started(client: Client, name: str) -> Json:
    """The operation that starts the instance: ours, or one that was ordered just before it."""
    try:
        started: Json = client.post(instance_path(name, "start"))["operation"]
    except Conflict as refused:
        if refused.operation_id is None:
            raise
        started = client.get(operation_path(refused.operation_id))
    return started


def _tell_where(client: Client, home: Home) -> None:
    signin = client.post("/v1/signins")
    typer.echo(
        f"""
  Page    {signin["url"]}
          (signs a browser in, once, within five minutes; `toygres signin` makes another)
  API     {client.url}/v1  (token in {home.token})
  Flower  {home.read_running().get("flower_url")}  (user toygres, password in {home.flower_config})"""
    )
