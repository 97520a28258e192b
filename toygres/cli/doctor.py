"""`toygres doctor`: looks at all that Toygres stands on, and says what is wrong and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from toygres.cli import OPERATORS_PANEL, app
from toygres.cli.exit_codes import ExitCode
from toygres.cli.output import Form, write_json
from toygres.domain.findings import Finding, Standing, all_well

_MARKS = {
    Standing.FINE: "ok",
    Standing.NOTED: "note",
    Standing.UNCHECKED: "?",
    Standing.WRONG: "WRONG",
}
_WIDTH = max(map(len, _MARKS.values()))


@app.command(rich_help_panel=OPERATORS_PANEL)
def doctor(
    *,
    web: Annotated[
        bool, typer.Option("--web", help="In a cluster, look at the web process' rights instead of the worker's.")
    ] = False,
    output: Annotated[Form, typer.Option("--output", "-o", help="`json` is for programs.")] = Form.TABLE,
) -> None:
    """Look at home, metadata DB, keys, broker and platforms; end with 1 when something is wrong.

    Nothing is changed. Whatever can't be looked at from here is said to be so, and counts as well.
    """
    # Half a second to import: only for the command that needs it.
    from toygres import logs
    from toygres.config import load
    from toygres.processes.checkup import examine

    settings = load()
    logs.quiet(settings)
    found = examine(settings, web=web)
    findings = list(found) if output is Form.JSON else _written(found)
    well = all_well(findings)
    if output is Form.JSON:
        write_json({"well": well, "findings": [finding.to_json() for finding in findings]})
    raise typer.Exit(ExitCode.OK if well else ExitCode.FAILED)


def _written(found: Iterable[Finding]) -> list[Finding]:
    """The same, each written as soon as it is known."""
    findings = []
    for finding in found:
        typer.echo(f"{_MARKS[finding.standing].ljust(_WIDTH)}  {finding.about}: {finding.message}")
        if finding.remedy:
            typer.echo(f"{' ' * _WIDTH}  {finding.remedy}")
        findings.append(finding)
    return findings
