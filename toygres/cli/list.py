"""`toygres list`: every instance that isn't deleted."""

from __future__ import annotations

from typing import Annotated

import typer

from toygres.cli import app
from toygres.cli.client import Client
from toygres.cli.output import Form, OutputOption, endpoint_text, write_json, write_table
from toygres.domain.instance import InstanceState

TITLES = ("NAME", "STATE", "AVAILABLE", "VERSION", "ENDPOINT", "PLATFORM", "CREATED")


@app.command("list")
def list_instances(
    *,
    state: Annotated[InstanceState | None, typer.Option(help="Only those in this state.")] = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """List the instances."""
    instances = list(Client.find().items("/v1/instances", state=state))
    if output is Form.JSON:
        write_json({"items": instances, "next_cursor": None})
        return
    write_table(
        TITLES,
        (
            (
                instance["name"],
                instance["status"]["state"],
                "yes" if instance["available"]["value"] else "no",
                instance["spec"]["version"],
                endpoint_text(instance) or "-",
                instance["platform"],
                instance["created_at"],
            )
            for instance in instances
        ),
    )
