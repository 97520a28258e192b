"""The `toygres` command: one module for each command; what is dear to import is imported where it is used."""

from __future__ import annotations

import importlib
import sys
from typing import Annotated, NoReturn

import typer

from toygres.cli import given_password
from toygres.cli.exit_codes import exit_code_of
from toygres.cli.output import sentences
from toygres.errors import FieldError, Invalid, ToygresError

# In the order in which `toygres --help` lists them. Each module decorates its functions with `@app.command(…)`.
COMMAND_MODULES = (
    "up",
    "down",
    "create",
    "deploy",
    "list",
    "get",
    "uri",
    "psql",
    "start",
    "stop",
    "restart",
    "delete",
    "operations",
    "cancel",
    "retry",
    "platforms",
    "parameters",
    "signin",
    "keys",
    "doctor",
    "prepare",
    "migrate",
    "destroy_everything",
)

# In `toygres --help`: what nobody needs who starts everything with `up`.
OPERATORS_PANEL = "For operators"

app = typer.Typer(
    name="toygres",
    help="Order a PostgreSQL, and use it.",
    no_args_is_help=True,
    # A traceback with local variables would print passwords.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _write_version(wanted: bool) -> None:
    if wanted:
        import importlib.metadata

        typer.echo(f"toygres {importlib.metadata.version('toygres')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_write_version, is_eager=True, help="Write the version and end.")
    ] = False,
) -> None:
    pass


def load_commands() -> typer.Typer:
    """The application with every command registered."""
    for name in COMMAND_MODULES:
        importlib.import_module(f"{__name__}.{name}")
    return app


def main() -> None:
    """Run one command; an error that Toygres foresaw is a sentence and a documented exit code."""
    try:
        given_password.take()
        load_commands()()
    except ToygresError as error:
        _end(error)
    except OSError as error:
        from toygres.home import Home
        from toygres.processes.disk import trouble

        told = trouble(Home.find(), error)
        if told is None:
            raise
        _end(told)


def _end(error: ToygresError) -> NoReturn:
    typer.echo(_sentence(error), err=True)
    sys.exit(exit_code_of(error))


def _sentence(error: ToygresError) -> str:
    if isinstance(error, Invalid):
        return "\n".join(f"toygres: {_refusal(field)}" for field in error.errors)
    message = getattr(error, "message", "") or str(error)
    return f"toygres: {sentences(message, getattr(error, 'remedy', ''))}"


def _refusal(field: FieldError) -> str:
    # A value that may be a secret isn't told by the API.
    value = "" if field.value is None else f" {field.value!r}"
    # What a message lists needn't be listed again; nothing may be told as allowed either.
    allowed = "" if field.allowed in field.message else f": {field.allowed}"
    return f"{field.field}{value} {field.message}{allowed}"
