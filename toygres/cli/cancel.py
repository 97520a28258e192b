"""`toygres cancel`: end an operation at its next boundary and undo what it did."""

from __future__ import annotations

from typing import Annotated

import typer

from toygres.cli import app
from toygres.cli.client import Client, operation_path
from toygres.cli.outcome import WaitOption, followed, require
from toygres.cli.output import Form, OutputOption, say, write_json


@app.command()
def cancel(
    operation: Annotated[str, typer.Argument(metavar="ID", help="The operation's ID, op_….")],
    *,
    wait: WaitOption = True,
    output: OutputOption = Form.TABLE,
) -> None:
    """Cancel an operation; what it did is undone."""
    client = Client.find()
    found = client.post(operation_path(operation, "cancel"))
    if wait:
        found = followed(client, found)
    if output is Form.JSON:
        write_json(found)
    if wait:
        require(found, "cancelled")
    say(f"{found['id']} is cancelled" if wait else f"{found['id']} will be cancelled")
