"""`toygres retry`: try again what failed or was cancelled, as a new operation."""

from __future__ import annotations

from typing import Annotated

import typer

from toygres.cli import app, given_password
from toygres.cli.client import Client, operation_path
from toygres.cli.outcome import WaitOption, conclude, tell_state
from toygres.cli.output import Form, OutputOption
from toygres.cli.password import PasswordFileOption, read_password


@app.command()
def retry(
    operation: Annotated[str, typer.Argument(metavar="ID", help="The operation's ID, op_….")],
    *,
    password_file: PasswordFileOption = None,
    wait: WaitOption = True,
    output: OutputOption = Form.TABLE,
) -> None:
    """Try an operation again that failed or was cancelled; a create makes a new password unless one is given."""
    client = Client.find()
    password = read_password(password_file) if password_file else _given(client, operation)
    body = {"password": password} if password else None
    conclude(client, client.post(operation_path(operation, "retry"), body), wait=wait, form=output, tell=tell_state)


def _given(client: Client, operation: str) -> str | None:
    """What POSTGRES_PASSWORD holds when the operation is a create: nothing else takes a password."""
    password = given_password.given()
    return password if password and client.get(operation_path(operation))["kind"] == "create" else None
