"""`toygres platforms`: where instances can live, and what each place offers."""

from __future__ import annotations

from typing import Any

from toygres.cli import app
from toygres.cli.client import Client
from toygres.cli.output import Form, OutputOption, write_json, write_table

Json = dict[str, Any]

TITLES = ("NAME", "KIND", "DEFAULT", "VERSIONS", "DEFAULT SIZES", "TLS", "ENFORCED")


@app.command()
def platforms(*, output: OutputOption = Form.TABLE) -> None:
    """List the platforms."""
    found = Client.find().get("/v1/platforms")
    if output is Form.JSON:
        write_json(found)
        return
    write_table(TITLES, (_row(platform) for platform in found["items"]))


def _row(platform: Json) -> tuple[str, ...]:
    versions = [
        f"{version} (default)" if version == platform["default_version"] else version
        for version in platform["versions"]
    ]
    return (
        platform["name"],
        platform["kind"],
        "yes" if platform["default"] else "no",
        ", ".join(versions),
        ", ".join(f"{limit} {platform[limit]['default']}" for limit in ("storage", "cpu", "memory")),
        "yes" if platform["tls"] else "no",
        ", ".join(platform["enforced"]) or "nothing",
    )
