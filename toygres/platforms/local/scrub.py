"""Takes secrets out of what a server wrote, before anybody else reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable

_HIDDEN = "[hidden]"
_LONGEST_LINE = 500
_PATTERNS = (
    # PASSWORD 'x', password = 'x', also with quotes doubled inside; an unfinished one reaches to the line's end.
    re.compile(r"(?i)(password\s*(?:=|:|to)?\s*(?:[eE]|U&)?)'(?:[^']|'')*(?:'|$)"),
    re.compile(r"(?i)(password=)[^\s'&]+"),
    re.compile(r"(://[^\s:/@]*:)[^\s@]+(?=@)"),
    re.compile(r"()(?:SCRAM-SHA-256\$\S+|\bmd5[0-9a-f]{32}\b)"),
)


def scrubbed(lines: Iterable[str], secrets: Iterable[str] = ()) -> tuple[str, ...]:
    """The lines, shortened to 500 characters, without `secrets` and whatever else looks like a password."""
    known = sorted((secret for secret in secrets if secret), key=len, reverse=True)
    return tuple(_scrub(line, known)[:_LONGEST_LINE] for line in lines)


def _scrub(line: str, known: list[str]) -> str:
    for secret in known:
        line = line.replace(secret, _HIDDEN)
    for pattern in _PATTERNS:
        line = pattern.sub(rf"\g<1>{_HIDDEN}", line)
    return line
