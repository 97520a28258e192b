"""`toygres signin`: a fresh link that opens the page in a browser."""

from __future__ import annotations

import typer

from toygres.cli import app
from toygres.cli.client import Client
from toygres.cli.output import Form, OutputOption, say, write_json


@app.command()
def signin(*, output: OutputOption = Form.TABLE) -> None:
    """Print a link that signs a browser in, once, within five minutes."""
    made = Client.find().post("/v1/signins")
    if output is Form.JSON:
        write_json(made)
        return
    typer.echo(made["url"])
    say(f"It signs a browser in once, until {made['expires_at']}.")
