"""`toygres stop`: end an instance's server and keep its data."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from toygres.cli import app
from toygres.cli.client import Client, instance_path
from toygres.cli.outcome import WaitOption, conclude
from toygres.cli.output import Form, OutputOption

Json = dict[str, Any]


@app.command()
def stop(
    instance: Annotated[str, typer.Argument(help="Its name or ID.")],
    *,
    wait: WaitOption = True,
    output: OutputOption = Form.TABLE,
) -> None:
    """Stop an instance and keep its data."""
    client = Client.find()
    conclude(client, client.post(instance_path(instance, "stop")), wait=wait, form=output, tell=_tell)


def _tell(instance: Json) -> None:
    typer.echo(f"{instance['name']} is {instance['status']['state']}")
