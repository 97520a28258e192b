"""`toygres deploy`: one instance in one command, with nothing of Toygres running before or after it."""

from __future__ import annotations

from typing import Annotated

import typer

from toygres.cli import app, given_password
from toygres.cli.create import parameters_of
from toygres.cli.password import PasswordFileOption, read_password
from toygres.domain.names import NAME_RULE, is_name
from toygres.home import Home

_PANEL = "On Kubernetes"


def _checked(name: str) -> str:
    if not is_name(name):
        raise typer.BadParameter(f"{name!r} isn't a name: {NAME_RULE}")
    return name


@app.command()
def deploy(
    *,
    name: Annotated[
        str, typer.Option(envvar="INSTANCE_NAME", help="What the instance is called.", callback=_checked)
    ] = "test-pg-1",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the instance when it is ready.")] = False,
    remove: Annotated[
        bool, typer.Option("--remove", help="Only remove the instance, such as one that was kept.")
    ] = False,
    show_password: Annotated[bool, typer.Option("--show-password", help="Print the URI with the password.")] = False,
    password_file: PasswordFileOption = None,
    platform: Annotated[str | None, typer.Option(help="Where it shall live; else what TOYGRES_PLATFORM names.")] = None,
    version: Annotated[str | None, typer.Option(help="PostgreSQL's major version.")] = None,
    storage: Annotated[str | None, typer.Option(help="Room for data, such as 1Gi.")] = None,
    cpu: Annotated[str | None, typer.Option(help="CPU cores, such as 1 or 500m.")] = None,
    memory: Annotated[str | None, typer.Option(help="Memory, such as 512Mi.")] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="A server parameter; repeatable."),
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option(envvar="AKS_NAMESPACE", help="Its namespace; else TOYGRES_NAMESPACE.", rich_help_panel=_PANEL),
    ] = None,
    storage_class: Annotated[
        str | None, typer.Option(help="Its volume's storage class.", rich_help_panel=_PANEL)
    ] = None,
) -> None:
    """Create an instance, try it, print its URI, and remove it again; needs nothing else of Toygres to run.

    Without --password-file its password is what POSTGRES_PASSWORD holds, else a generated one. TOYGRES_LOG=debug shows
    each call to Kubernetes. Ctrl-C removes what was made.
    """
    # All of the control plane: only for the command that is one.
    from toygres.cli.deploying import Wanted
    from toygres.cli.deploying import deploy as carry_out
    from toygres.cli.interruptions import Interruptions, told_to_stop
    from toygres.offers import InstanceRequest
    from toygres.processes.child import leave_no_core

    request = InstanceRequest(
        name=name,
        version=version,
        storage=storage,
        cpu=cpu,
        memory=memory,
        parameters=parameters_of(parameter or []),
        password=read_password(password_file) if password_file else given_password.given(),
        platform=platform,
        storage_class=storage_class,
    )
    wanted = Wanted(request=request, namespace=namespace or None, keep=keep, remove=remove, show_password=show_password)
    leave_no_core()
    interruptions = Interruptions()
    with told_to_stop(interruptions):
        code = carry_out(Home.find(), wanted, interruptions)
    raise typer.Exit(code)
