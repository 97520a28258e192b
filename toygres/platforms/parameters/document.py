"""Writes docs/parameters.md from the lists: `python -m toygres.platforms.parameters.document > docs/parameters.md`."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator

from toygres.platforms.local.configuration import DEFAULTS
from toygres.platforms.parameters import catalogue
from toygres.platforms.parameters.values import allowed
from toygres.platforms.protocol import Parameter

HEAD = """\
# Parameters

<!-- Written from the lists: python -m toygres.platforms.parameters.document > docs/parameters.md -->

What `toygres create --parameter NAME=VALUE` and the API's `parameters` take. `toygres parameters` tells the same of a
running Toygres, for the versions that it has. Names may be written in any case, and values as PostgreSQL reads them:
numbers with units (`64MB`, `1.5h`), hexadecimal and octal ones, `on`, `yes`, `true` and their like.

Defaults are PostgreSQL's own. The local platform has others:
{defaults},
and as `shared_buffers` a quarter of the instance's memory, from 1MB up to 128MB.

The lists are made by `python -m tools.parameters` from what these servers say of themselves:
{servers}.
"""
TABLE = "| parameter | versions | values | default | restart |\n|---|---|---|---|---|"
WITHHELD = """\
## What may not be set

Nothing that runs commands, loads libraries, names files, sockets, ports or authentication, and nothing that would break
what Toygres promises. Everything else that PostgreSQL knows, with the reason:
"""


def page() -> str:
    """The whole page."""
    servers = "; ".join(", ".join(catalogue.made_from(version)) for version in catalogue.VERSIONS)
    return "\n".join([HEAD.format(servers=servers, defaults=_own_defaults()), *_sections(), WITHHELD, *_withheld(), ""])


def _own_defaults() -> str:
    known = catalogue.parameters(catalogue.VERSIONS[-1])
    own = [(name, value) for name, value in sorted(DEFAULTS.items()) if value != known[name].default]
    return ", ".join(f"`{name} = {value}`" for name, value in own)


def _sections() -> Iterator[str]:
    categories: dict[str, list[str]] = defaultdict(list)
    for name in sorted({name for version in catalogue.VERSIONS for name in catalogue.parameters(version)}):
        found = {v: catalogue.parameters(v)[name] for v in catalogue.VERSIONS if name in catalogue.parameters(v)}
        # Where the newest version has it: categories were renamed.
        categories[found[max(found, key=int)].category].extend(_rows(found))
    for category, rows in sorted(categories.items()):
        yield "\n".join([f"## {category}", "", TABLE, *rows, ""])


def _rows(found: dict[str, Parameter]) -> Iterator[str]:
    """A row for each run of versions that have the parameter alike, described as the newest of them does."""
    runs: list[list[str]] = []
    for version in sorted(found, key=int):
        if runs and _shape(found[version]) == _shape(found[runs[-1][-1]]):
            runs[-1].append(version)
        else:
            runs.append([version])
    for run in reversed(runs):
        known = found[run[-1]]
        versions = run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}"
        told = f"`{known.name}`<br>{known.description}"
        values = " ".join(filter(None, [f"{allowed(known)}.", known.note]))
        cells = (told, versions, values, known.default, "yes" if known.restart else "no")
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _shape(known: Parameter) -> tuple[object, ...]:
    return allowed(known), known.note, known.default, known.restart


def _withheld() -> Iterator[str]:
    reasons: dict[str, set[str]] = defaultdict(set)
    for version in catalogue.VERSIONS:
        for name, reason in catalogue.withheld(version).items():
            reasons[reason].add(name)
    for reason, names in sorted(reasons.items()):
        yield f"- {reason}: {', '.join(f'`{name}`' for name in sorted(names))}"


if __name__ == "__main__":
    sys.stdout.write(page())
