"""Why a server ended, read from the last lines of its log: a cause that a person can act on."""

from __future__ import annotations

import re
from collections.abc import Sequence

from toygres.errors import Cause, CauseCode
from toygres.platforms.parameters.written import parameter_rejected

_ADDRESS_TAKEN = re.compile(r'could not bind \S+ address "[^"]*": Address already in use')
_PARAMETERS = (
    re.compile(r'invalid value for parameter "(\w+)"'),
    re.compile(r'unrecognized configuration parameter "(\w+)"'),
    re.compile(r'is outside the valid range for parameter "(\w+)"'),
    re.compile(r'parameter "(\w+)" requires'),
    re.compile(r'must be less than "?(max_connections)"?'),
)
# What the size of the shared memory hangs on first of all, so what a person should look at.
_MEMORY = re.compile(
    r"could not (?:map anonymous shared memory|create shared memory segment|resize shared memory segment)"
    r"|requested shared memory size overflows|out of memory|Cannot allocate memory"
)
_DISK_FULL = re.compile(r"No space left on device|Disk quota exceeded")
_DENIED = re.compile(r"Permission denied|has wrong ownership|has invalid permissions")
_LAST_WORDS = re.compile(r"(?:FATAL|PANIC):\s+(.*)")
_SHUT_DOWN = "database system is shut down"


def why_ended(lines: Sequence[str], port: int | None) -> Cause:
    """The cause in `lines`, which go into it as evidence."""
    evidence = tuple(lines)
    return (
        _port_taken(evidence, port)
        or _parameter(evidence)
        or _files(evidence)
        or _shut_down(evidence)
        or _exited(evidence)
    )


def _port_taken(evidence: tuple[str, ...], port: int | None) -> Cause | None:
    if not _first(_ADDRESS_TAKEN, evidence):
        return None
    return Cause(
        code=CauseCode.PORT_TAKEN,
        message=f"Port {port} is taken by another program.",
        remedy=f"End the program that listens on port {port}, or delete the instance and order it again.",
        evidence=evidence,
    )


def _parameter(evidence: tuple[str, ...]) -> Cause | None:
    for pattern in _PARAMETERS:
        if found := _first(pattern, evidence):
            return parameter_rejected(found[1].lower(), _words(found.string), evidence)
    # Shared memory has a file system of its own, so it comes before a full disk.
    if found := _first(_MEMORY, evidence):
        return parameter_rejected("shared_buffers", _words(found.string), evidence)
    return None


def _files(evidence: tuple[str, ...]) -> Cause | None:
    if found := _first(_DISK_FULL, evidence):
        return Cause(
            code=CauseCode.DISK_FULL,
            message=f"The disk is full: {_words(found.string)}",
            remedy="Free some space on the disk that holds the instances, then start the instance again.",
            evidence=evidence,
        )
    if found := _first(_DENIED, evidence):
        return Cause(
            code=CauseCode.FILES_DENIED,
            message=f"The server may not use its files: {_words(found.string)}",
            remedy="Give the files back to the servers' user, then start the instance again.",
            evidence=evidence,
        )
    return None


def _shut_down(evidence: tuple[str, ...]) -> Cause | None:
    if not evidence or _SHUT_DOWN not in evidence[-1] or any(_LAST_WORDS.search(line) for line in evidence[-3:]):
        return None
    return Cause(
        code=CauseCode.SERVER_STOPPED,
        message="The server was shut down properly, but not by an operation.",
        remedy="Start it again: no data are lost.",
        evidence=evidence,
    )


def _exited(evidence: tuple[str, ...]) -> Cause:
    last = [found[1] for found in map(_LAST_WORDS.search, evidence) if found]
    why = f"it said: {last[-1]}" if last else "it said nothing about it, so it was probably killed"
    return Cause(
        code=CauseCode.SERVER_EXITED,
        message=f"The server's process ended; {why}.",
        remedy="Read the log lines; start the instance again once what they name is mended.",
        evidence=evidence,
    )


def _first(pattern: re.Pattern[str], evidence: tuple[str, ...]) -> re.Match[str] | None:
    return next((found for found in map(pattern.search, evidence) if found), None)


def _words(line: str) -> str:
    """What a log line says, without its time, process and level."""
    return re.sub(r"^.*?(?:FATAL|PANIC|ERROR|LOG|WARNING|HINT|DETAIL):\s+", "", line)
