"""Reads postgresql.conf as PostgreSQL's own scanner (guc-file.l) does; written apart from what writes it."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"(?P<blank>[ \t\r]+|\#[^\n]*)"
    r"|(?P<end>\n)"
    r"|(?P<name>[A-Za-z_\x80-\U0010ffff][A-Za-z_0-9$.\x80-\U0010ffff]*)"
    r"|(?P<equals>=)"
    r"|'(?P<string>(?:[^'\\\n]|\\.|'')*)'"
    r"|(?P<bare>[^\s='#]+)"
)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def read(text: str) -> list[tuple[str, str]]:
    """Every setting and inclusion, in order. Raises ValueError at a syntax error."""
    found, line, position = [], [], 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise ValueError(f"syntax error at {text[position : position + 20]!r}")
        position = token.end()
        if token.lastgroup == "end":
            found += [_setting(line)] if line else []
            line = []
        elif token.lastgroup != "blank":
            line.append((str(token.lastgroup), token[str(token.lastgroup)]))
    if line:
        raise ValueError("the last line has no end")
    return found


def _setting(line: list[tuple[str, str]]) -> tuple[str, str]:
    kinds = [kind for kind, _ in line]
    if kinds[0] != "name" or kinds[1:-1] not in ([], ["equals"]) or kinds[-1] not in ("string", "name", "bare"):
        raise ValueError(f"syntax error in {line}")
    kind, value = line[-1]
    return line[0][1], _unescaped(value) if kind == "string" else value


def _unescaped(text: str) -> str:
    pattern = r"''|\\([0-7]{1,3})|\\(.)"
    return re.sub(
        pattern,
        lambda m: chr(int(m[1], 8)) if m[1] else _ESCAPES.get(m[2], m[2]) if m[2] else "'",
        text,
        flags=re.DOTALL,
    )
