"""`toygres uri`: the connection URI and nothing else, ready for a program's variable."""

from __future__ import annotations

from typing import Annotated

import typer

from toygres.cli import app
from toygres.cli.client import Client, instance_path
from toygres.cli.output import Form, OutputOption, write_json


@app.command()
def uri(
    instance: Annotated[str, typer.Argument(help="Its name or ID.")],
    *,
    output: OutputOption = Form.TABLE,
) -> None:
    """Print the connection URI, password included."""
    credentials = Client.find().get(instance_path(instance, "credentials"))
    if output is Form.JSON:
        write_json(credentials)
        return
    typer.echo(credentials["uri"])
