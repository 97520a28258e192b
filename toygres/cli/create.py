"""`toygres create`: order an instance, watch it come up, and learn where it is."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from toygres.cli import app, given_password
from toygres.cli.client import Client
from toygres.cli.outcome import WaitOption, conclude
from toygres.cli.output import Form, OutputOption, endpoint_text, say
from toygres.cli.password import PasswordFileOption, read_password

Json = dict[str, Any]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the instance is called.")],
    *,
    version: Annotated[str | None, typer.Option(help="PostgreSQL's major version.")] = None,
    storage: Annotated[str | None, typer.Option(help="Room for data, such as 1Gi.")] = None,
    cpu: Annotated[str | None, typer.Option(help="CPU cores, such as 1 or 500m.")] = None,
    memory: Annotated[str | None, typer.Option(help="Memory, such as 512Mi.")] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter", "-p", metavar="NAME=VALUE", help="A server parameter; repeatable; see `toygres parameters`."
        ),
    ] = None,
    password_file: PasswordFileOption = None,
    platform: Annotated[str | None, typer.Option(help="Where it shall live; see `toygres platforms`.")] = None,
    storage_class: Annotated[str | None, typer.Option(help="On Kubernetes: its volume's storage class.")] = None,
    service_type: Annotated[
        str | None, typer.Option(help="On Kubernetes: ClusterIP, or LoadBalancer with --allow-cidr.")
    ] = None,
    allow_cidr: Annotated[
        list[str] | None, typer.Option(metavar="NETWORK", help="On Kubernetes: who else may connect; repeatable.")
    ] = None,
    allow_namespace: Annotated[
        list[str] | None, typer.Option(metavar="NAMESPACE", help="On Kubernetes: who else may connect; repeatable.")
    ] = None,
    wait: WaitOption = True,
    output: OutputOption = Form.TABLE,
) -> None:
    """Order an instance, and watch its steps until a client has logged in to it.

    Without --password-file its password is what POSTGRES_PASSWORD holds, else a generated one.
    """
    asked = {
        "name": name,
        "version": version,
        "storage": storage,
        "cpu": cpu,
        "memory": memory,
        "parameters": parameters_of(parameter or []) or None,
        "password": read_password(password_file) if password_file else given_password.given(),
        "platform": platform,
        "storage_class": storage_class,
        "service_type": service_type,
        "allowed_cidrs": allow_cidr or None,
        "allowed_namespaces": allow_namespace or None,
    }
    client = Client.find()
    accepted = client.post("/v1/instances", {key: value for key, value in asked.items() if value is not None})
    conclude(client, accepted, wait=wait, form=output, tell=_tell)


def _tell(instance: Json) -> None:
    name = instance["name"]
    typer.echo(f"{name} is {instance['status']['state']} at {endpoint_text(instance)}")
    limits = instance["status"]["not_enforced"]
    if limits:
        say(f"The platform {instance['platform']} doesn't enforce its limits of: {', '.join(limits)}.")
    say(f"Its URI: toygres uri {name}; a session: toygres psql {name}")


def parameters_of(given: list[str]) -> dict[str, str]:
    """What `--parameter` was given, by name. Raises typer.BadParameter."""
    parameters: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise typer.BadParameter(f"{text!r} isn't NAME=VALUE", param_hint="--parameter")
        if name in parameters:
            raise typer.BadParameter(f"{name} is set twice", param_hint="--parameter")
        parameters[name] = value
    return parameters
