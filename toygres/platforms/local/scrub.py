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

# As log_line_prefix has it; what doesn't begin so goes on with the entry before.
_ENTRY = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \S+ \[\d+\] (?:(?P<writer>[^:]+) )?(?P<level>[A-Z0-9]+): +(?P<words>.*)"
)
# Who runs nothing of users' and speaks to none of them. What is FATAL to a session ends that, not the server, and an
# autovacuum worker calls users' functions.
_OWN = frozenset(
    {"postmaster", "startup", "checkpointer", "background writer", "walwriter", "archiver", "standalone backend"}
)
_OF_STATEMENTS = re.compile(r"statement: |execute |parse |bind |duration: |fastpath function call: ")
_MORE = frozenset({"DETAIL", "HINT", "CONTEXT", "QUERY", "LOCATION", "BACKTRACE"})


def without_statements(lines: Iterable[str], *, from_the_start: bool = True) -> list[str]:
    """The server's own lines: without its users' statements, which may hold passwords, and what users were told.

    Unless they come from the start of a log, those before the first whole entry may be anybody's, and are left out.
    """
    kept: list[str] = []
    keeping = from_the_start
    for line in lines:
        if entry := _ENTRY.match(line):
            keeping = _is_the_servers(entry["writer"], entry["level"], entry["words"], keeping)
        if keeping:
            kept.append(line)
    return kept


def _is_the_servers(writer: str | None, level: str, words: str, before: bool) -> bool:
    if level in _MORE:
        return before and not words.startswith("Failed process was running: ")
    if writer is not None and writer not in _OWN and level != "PANIC":
        return False
    return level not in ("ERROR", "STATEMENT") and not (level == "LOG" and _OF_STATEMENTS.match(words))


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
