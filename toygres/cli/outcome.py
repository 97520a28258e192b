"""What every ordering command does after its order was accepted: follow it, tell how it ended, set the exit code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from toygres.cli.client import Client, instance_path
from toygres.cli.exit_codes import ExitCode
from toygres.cli.output import Form, say, write_json
from toygres.cli.steps import ENDED, follow
from toygres.errors import NotFound

Json = dict[str, Any]

EVIDENCE_LINES = 10
# How an operation ended, as the end of a sentence about it.
ENDINGS = {
    "succeeded": "succeeded",
    "failed": "failed",
    "cancelled": "was cancelled",
    "superseded": "was superseded",
}

# A delete and a cleanup go on until they succeed.
TRIED_AGAIN = frozenset({"create", "start", "stop", "restart"})

InstanceArgument = Annotated[str, typer.Argument(help="Its name or ID.")]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the operation's end, or return at once.")]


def change(instance: str, what: str, *, wait: bool, form: Form) -> None:
    """Order `what` (start, stop, restart) for an instance, and conclude."""
    client = Client.find()
    conclude(client, client.post(instance_path(instance, what)), wait=wait, form=form, tell=tell_state)


def tell_state(instance: Json) -> None:
    """Write how the instance stands."""
    typer.echo(f"{instance['name']} is {instance['status']['state']}")


def conclude(client: Client, accepted: Json, *, wait: bool, form: Form, tell: Callable[[Json], None]) -> None:
    """Follow what was `accepted` (unless not to `wait`), and write the instance and the operation as they end.

    `tell` writes the instance for a person once the operation succeeded.
    Raises typer.Exit with FAILED when it ended any other way, INTERRUPTED after Ctrl-C.
    """
    if wait:
        operation = followed(client, accepted["operation"])
        accepted = {"instance": _instance_now(client, accepted["instance"]), "operation": operation}
    operation = accepted["operation"]
    if form is Form.JSON:
        write_json(accepted)
    if operation["state"] not in ENDED:
        say(f"Accepted as {operation['id']}. {_where_to_look(operation)}")
        return
    require(operation, "succeeded")
    if form is Form.TABLE:
        tell(accepted["instance"])


def followed(client: Client, operation: Json) -> Json:
    """The operation as it ended. Raises typer.Exit after Ctrl-C, which leaves the operation going on."""
    try:
        return follow(client, operation)
    except KeyboardInterrupt:
        say(f"\nNo longer watching; {operation['id']} goes on. {_where_to_look(operation)}")
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def require(operation: Json, state: str) -> None:
    """Return when the operation ended in `state`; else tell why it didn't. Raises typer.Exit with FAILED."""
    if operation["state"] == state:
        return
    say(f"{operation['kind']} of {operation['instance']['name']} {ENDINGS[operation['state']]}.")
    write_trouble(operation)
    if operation["kind"] in TRIED_AGAIN and operation["state"] in ("failed", "cancelled"):
        as_before = ", with the same values" if operation["kind"] == "create" else ""
        say(f"Try again: toygres retry {operation['id']}{as_before}")
    raise typer.Exit(ExitCode.FAILED)


def write_trouble(operation: Json) -> None:
    """Why the operation isn't well: the cause, its remedy, the last of the evidence, and what is left behind."""
    cause = operation["cause"]
    if cause:
        say(f"{cause['code']}: {cause['message']}\n{cause['remedy']}")
        for line in cause["evidence"][-EVIDENCE_LINES:]:
            say(f"  | {line}")
    for leftover in operation["leftovers"]:
        say(f"Left behind, and being cleaned up: {leftover}")


def _instance_now(client: Client, instance: Json) -> Json:
    try:
        return client.get(instance_path(instance["id"]))
    except NotFound:
        return instance


def _where_to_look(operation: Json) -> str:
    return f"Watch it: toygres operations {operation['id']} --follow; end it: toygres cancel {operation['id']}."
