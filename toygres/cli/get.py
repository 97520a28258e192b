"""`toygres get`: one instance, and why it isn't available when it isn't."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from toygres.cli import app
from toygres.cli.client import Client, instance_path
from toygres.cli.output import Form, OutputOption, endpoint_text, seconds_text, sentences, write_fields, write_json

Json = dict[str, Any]


@app.command()
def get(
    instance: Annotated[str, typer.Argument(help="Its name or ID.")],
    *,
    output: OutputOption = Form.TABLE,
) -> None:
    """Show one instance."""
    found = Client.find().get(instance_path(instance))
    if output is Form.JSON:
        write_json(found)
        return
    write_fields(_fields(found))


def _fields(instance: Json) -> Iterator[tuple[str, str]]:
    spec, status = instance["spec"], instance["status"]
    yield "name", instance["name"]
    yield "id", instance["id"]
    yield "state", status["state"]
    yield "available", _availability(instance["available"])
    yield "endpoint", endpoint_text(instance)
    # A control plane of an older version doesn't say.
    if (seconds := status.get("login_seconds")) is not None:
        yield "login took", seconds_text(seconds)
    yield "platform", instance["platform"]
    yield "version", spec["version"]
    for limit in ("storage", "cpu", "memory"):
        yield limit, spec[limit] + (" (not enforced)" if limit in status["not_enforced"] else "")
    if spec["storage_class"]:
        yield "storage class", spec["storage_class"]
    if spec["service_type"] != "ClusterIP":
        yield "service", spec["service_type"]
    if allowed := [*spec["allowed_cidrs"], *spec["allowed_namespaces"]]:
        yield "also allowed", ", ".join(allowed)
    yield "parameters", ", ".join(f"{name}={value}" for name, value in sorted(spec["parameters"].items()))
    yield "operation", instance["operation"] or ""
    yield "created", instance["created_at"]


def _availability(available: Json) -> str:
    if available["value"]:
        return f"yes, since {available['since']}"
    cause = available["cause"]
    since = f", since {available['since']}" if available["since"] else ""
    return f"no{since}" + (f": {sentences(cause['message'], cause['remedy'])}" if cause else "")
