"""`toygres restart`: end an instance's server and run it again."""

from __future__ import annotations

from toygres.cli import app
from toygres.cli.outcome import InstanceArgument, WaitOption, change
from toygres.cli.output import Form, OutputOption


@app.command()
def restart(instance: InstanceArgument, *, wait: WaitOption = True, output: OutputOption = Form.TABLE) -> None:
    """Restart an instance; open sessions are ended, its data stays."""
    change(instance, "restart", wait=wait, form=output)
