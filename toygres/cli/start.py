"""`toygres start`: run a stopped instance's server again."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from toygres.cli import app
from toygres.cli.client import Client, instance_path
from toygres.cli.outcome import WaitOption, conclude
from toygres.cli.output import Form, OutputOption

Json = dict[str, Any]


@app.command()
def start(
    instance: Annotated[str, typer.Argument(help="Its name or ID.")],
    *,
    wait: WaitOption = True,
    output: OutputOption = Form.TABLE,
) -> None:
    """Start a stopped instance; its data is as it was left."""
    client = Client.find()
    conclude(client, client.post(instance_path(instance, "start")), wait=wait, form=output, tell=_tell)


def _tell(instance: Json) -> None:
    typer.echo(f"{instance['name']} is {instance['status']['state']}")
