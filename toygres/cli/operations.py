"""`toygres operations`: what was ordered, newest first; or one operation, with its steps and evidence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from toygres.cli import app
from toygres.cli.client import PAGE_LIMIT, Client, operation_path
from toygres.cli.displays import detail
from toygres.cli.outcome import followed, require, write_trouble
from toygres.cli.output import Form, OutputOption, say, write_fields, write_json, write_table

Json = dict[str, Any]

TITLES = ("ID", "KIND", "INSTANCE", "STATE", "CREATED", "CAUSE")
STEP_TITLES = ("STEP", "STATE", "DETAIL")


@app.command()
def operations(
    which: Annotated[
        str | None, typer.Argument(metavar="INSTANCE|ID", help="An instance's name or ID, or one operation's ID.")
    ] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Watch one operation to its end.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_LIMIT, help="How many to list.")] = 20,
    output: OutputOption = Form.TABLE,
) -> None:
    """List operations, or show one with its steps."""
    # An instance's name can't hold an underscore.
    if which and which.startswith("op_"):
        _one(which, follow=follow, form=output)
        return
    if follow:
        raise typer.BadParameter("it takes one operation's ID", param_hint="--follow")
    page = Client.find().get("/v1/operations", instance=which, limit=limit)
    if output is Form.JSON:
        write_json(page)
        return
    write_table(TITLES, (_row(operation) for operation in page["items"]))
    if page["next_cursor"]:
        say(f"These are the newest {limit}; --limit shows more.")


def _one(operation_id: str, *, follow: bool, form: Form) -> None:
    client = Client.find()
    operation = client.get(operation_path(operation_id))
    if follow:
        operation = followed(client, operation)
    if form is Form.JSON:
        write_json(operation)
    else:
        write_fields(_fields(operation))
        write_table(STEP_TITLES, (_step_row(step) for step in operation["steps"]))
    if follow:
        require(operation, "succeeded")
    elif form is Form.TABLE:
        write_trouble(operation)


def _row(operation: Json) -> tuple[str, ...]:
    cause = operation["cause"]
    return (
        operation["id"],
        operation["kind"],
        operation["instance"]["name"],
        operation["state"],
        operation["created_at"],
        cause["code"] if cause else "",
    )


def _fields(operation: Json) -> Iterator[tuple[str, str]]:
    yield "id", operation["id"]
    yield "kind", operation["kind"]
    yield "instance", f"{operation['instance']['name']} ({operation['instance']['id']})"
    yield "state", operation["state"]
    yield "ordered by", operation["actor"]
    yield "request", operation["request_id"]
    yield "retry of", operation["retry_of"] or ""
    for moment in ("created", "started", "cancel_requested", "deadline", "ended"):
        yield moment.replace("_", " "), operation[f"{moment}_at"] or ""


def _step_row(step: Json) -> tuple[str, ...]:
    name = f"{step['name']} (undoes {step['undoes']})" if step["undoes"] else step["name"]
    return name, step["state"], detail(step)
