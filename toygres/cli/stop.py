"""`toygres stop`: end an instance's server and keep its data."""

from __future__ import annotations

from toygres.cli import app
from toygres.cli.outcome import InstanceArgument, WaitOption, change
from toygres.cli.output import Form, OutputOption


@app.command()
def stop(instance: InstanceArgument, *, wait: WaitOption = True, output: OutputOption = Form.TABLE) -> None:
    """Stop an instance and keep its data."""
    change(instance, "stop", wait=wait, form=output)
