"""How commands write what they found: aligned columns for people, the API's own JSON for programs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

Json = dict[str, Any]


class Form(StrEnum):
    """The two forms that every answer comes in."""

    TABLE = "table"
    JSON = "json"


OutputOption = Annotated[Form, typer.Option("--output", "-o", help="`json` is the API's own answer.")]


def say(text: str) -> None:
    """One line for the person who watches; stdout stays the answer's alone.

    Who watches may be gone, and the disk that it is written to full: nothing else must end with that.
    """
    with contextlib.suppress(OSError):
        typer.echo(text, err=True)


def sentences(message: str, remedy: str) -> str:
    """What is wrong and what to do, as sentences apart: a message from elsewhere may end without a full stop."""
    ended = message if message.endswith((".", "!", "?", ":", "…")) else f"{message}."
    return f"{ended} {remedy}" if remedy else message


def write_json(answer: Json) -> None:
    """`answer` on stdout, as the API gave it."""
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def write_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows under their titles, each column as wide as its widest cell; never cut off, so that it can be piped."""
    lines = [tuple(titles), *(tuple(row) for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def write_fields(fields: Iterable[tuple[str, str]]) -> None:
    """One field to a line, leaving out those that hold nothing."""
    shown = [(title, value) for title, value in fields if value]
    width = max((len(title) for title, _ in shown), default=0)
    for title, value in shown:
        typer.echo(f"{title.ljust(width)}  {value}")


def endpoint_text(instance: Json) -> str:
    """`HOST:PORT` of an instance, or nothing while it has no address."""
    endpoint = instance["status"]["endpoint"]
    return f"{endpoint['host']}:{endpoint['port']}" if endpoint else ""


def seconds_text(seconds: float) -> str:
    """A duration as a person reads it: `40 ms`, `1.2 s`, `95 s`, `12 min`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"
