"""`toygres parameters`: which of PostgreSQL's parameters may be set, to what, and what a change of each needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any
from urllib.parse import quote

import typer

from toygres.cli import app
from toygres.cli.client import Client
from toygres.cli.output import Form, OutputOption, write_fields, write_json, write_table
from toygres.errors import NotFound

Json = dict[str, Any]

TITLES = ("NAME", "TYPE", "VALUES", "DEFAULT", "RESTART", "DESCRIPTION")


@app.command()
def parameters(
    name: Annotated[str | None, typer.Argument(help="One parameter, or a part of names.", show_default=False)] = None,
    *,
    version: Annotated[str | None, typer.Option(help="PostgreSQL's major version.")] = None,
    platform: Annotated[str | None, typer.Option(help="Where; see `toygres platforms`.")] = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List the parameters that `create --parameter` takes."""
    client = Client.find()
    where = platform or _default_platform(client)
    found = client.get(f"/v1/platforms/{quote(where, safe='')}/parameters", version=version)
    items = found["items"] if name is None else _named(name, found, where)
    if output is Form.JSON:
        write_json({**found, "items": items})
    elif name is not None and len(items) == 1:
        write_fields(_fields(items[0], found["version"]))
    else:
        write_table(TITLES, (_row(item) for item in items))


def _default_platform(client: Client) -> str:
    return next(str(platform["name"]) for platform in client.get("/v1/platforms")["items"] if platform["default"])


def _named(name: str, found: Json, platform: str) -> list[Json]:
    """The parameter called `name`, or else all that have it in their names. Raises NotFound."""
    from toygres.platforms.parameters.near import refusal

    wanted = name.lower().replace("-", "_")
    items: Sequence[Json] = found["items"]
    chosen = [item for item in items if item["name"] == wanted] or [item for item in items if wanted in item["name"]]
    if not chosen:
        message, allowed = refusal(wanted, [item["name"] for item in items], found["version"], platform)
        raise NotFound(f"{name} {message}.", f"Take {allowed}.")
    return chosen


def _fields(item: Json, version: str) -> Iterator[tuple[str, str]]:
    yield "name", item["name"]
    yield "version", version
    yield "type", _kind(item)
    yield "values", item["allowed"]
    yield "default", item["default"]
    yield "a change needs", "a restart" if item["restart"] else "no restart"
    yield "category", item["category"]
    yield "description", item["description"]
    yield "note", item["note"]


def _row(item: Json) -> tuple[str, ...]:
    restart = "yes" if item["restart"] else "no"
    return item["name"], _kind(item), _values(item), item["default"], restart, item["description"]


def _kind(item: Json) -> str:
    return f"{item['type']}, {item['unit']}" if item["unit"] else str(item["type"])


def _values(item: Json) -> str:
    if item["type"] == "enum":
        return ", ".join(item["choices"])
    if item["type"] not in ("integer", "real"):
        return str(item["allowed"])
    return "".join(f"{value} or " for value in item["also"]) + f"{item['minimum']} to {item['maximum']}"
