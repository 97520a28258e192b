"""A password from a file or from stdin: never from an argument, which every process can read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

PasswordFileOption = Annotated[
    str | None, typer.Option(metavar="FILE", help="Holds the password on its first line; `-` reads stdin.")
]


def read_password(source: str) -> str:
    """The one line in the file `source`. Raises typer.BadParameter when it can't be read or holds another number."""
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text()
    except (OSError, UnicodeDecodeError) as trouble:
        reason = getattr(trouble, "strerror", None) or "it isn't text"
        raise typer.BadParameter(f"{source} can't be read: {reason}", param_hint="--password-file") from None
    password, _, rest = text.partition("\n")
    password = password.removesuffix("\r")
    if not password or rest.strip():
        raise typer.BadParameter("it must hold one line", param_hint="--password-file")
    return password
