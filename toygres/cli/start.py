"""`toygres start`: run a stopped instance's server again."""

from __future__ import annotations

from toygres.cli import app
from toygres.cli.outcome import InstanceArgument, WaitOption, change
from toygres.cli.output import Form, OutputOption


@app.command()
def start(instance: InstanceArgument, *, wait: WaitOption = True, output: OutputOption = Form.TABLE) -> None:
    """Start a stopped instance; its data is as it was left."""
    change(instance, "start", wait=wait, form=output)
