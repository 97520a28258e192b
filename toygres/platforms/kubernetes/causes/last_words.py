"""PostgreSQL's last words: the cause that the end of a container's log names (row 23)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from toygres.errors import DATA_OUT_FIRST, CauseCode
from toygres.platforms.kubernetes.causes.image import WRONG_ARCHITECTURE
from toygres.platforms.kubernetes.causes.verdict import Kind, Verdict, sentence_end
from toygres.platforms.local.scrub import without_statements

DISK_FULL = Kind(
    code=CauseCode.DISK_FULL,
    sentence="The instance's volume is full: {words}.",
    remedy="Order an instance with more storage, or have the volume grown where its storage class can.",
    sign="`No space left on device`, `Disk quota exceeded`",
)
DATA_DIRECTORY_NOT_EMPTY = Kind(
    code=CauseCode.DATA_DIRECTORY_NOT_EMPTY,
    sentence="The volume holds something else where the data should be: {words}.",
    remedy="See whether anybody needs what is there, and take it out; then have the volume emptied, or delete the "
    "instance and order it again with a new one.",
    sign="`exists but is not empty`",
)
VOLUME_NOT_WRITABLE = Kind(
    code=CauseCode.VOLUME_NOT_WRITABLE,
    sentence="The volume isn't writable for PostgreSQL's user (uid 999): {words}.",
    remedy="Use a storage class whose volumes honour fsGroup (host-path ones don't); name it in "
    "TOYGRES_KUBE_STORAGE_CLASS, and order again.",
    sign="`Permission denied`, `Read-only file system`, `has wrong ownership`, `invalid permissions`",
)
TLS_KEY_UNUSABLE = Kind(
    code=CauseCode.TLS_KEY_UNUSABLE,
    sentence="PostgreSQL can't use its TLS key or certificate: {words}.",
    remedy=f"{DATA_OUT_FIRST} If it stays so, please report this as a bug.",
    sign="`private key file … has group or world access`, `could not load server certificate file`",
)
PARAMETERS_REJECTED = Kind(
    code=CauseCode.PARAMETERS_REJECTED,
    sentence="The server can't run with this value of {parameter}: {words}.",
    remedy="Order the instance with another value of {parameter}, or without it.",
    sign="`invalid value for parameter`, `unrecognized configuration parameter`, `could not access file`, …",
)
DATA_VERSION_MISMATCH = Kind(
    code=CauseCode.DATA_VERSION_MISMATCH,
    sentence="The data on the volume are of another PostgreSQL version than the image: {words}.",
    remedy="Run the version that made the data; another one needs the data dumped and restored.",
    sign="`database files are incompatible with server`",
)
CREDENTIALS_MISSING = Kind(
    code=CauseCode.CREDENTIALS_MISSING,
    sentence="PostgreSQL was given no password to begin with: {words}.",
    remedy=f"{DATA_OUT_FIRST} If it stays so, please report this as a bug.",
    sign="`superuser password is not specified`",
)

KINDS = (
    DISK_FULL,
    DATA_DIRECTORY_NOT_EMPTY,
    VOLUME_NOT_WRITABLE,
    TLS_KEY_UNUSABLE,
    PARAMETERS_REJECTED,
    DATA_VERSION_MISMATCH,
    CREDENTIALS_MISSING,
)

# Kubernetes keeps the last 2 kB of a log: what is longer than this begins in the midst of something.
_WHOLE_BYTES = 1900
# The official image tries this at every start, may not in a restricted pod, and goes on.
_NOISE = re.compile(r"^chmod: .*/var/run/postgresql\b")
_LEVEL = re.compile(r"^.*?(?:FATAL|PANIC|ERROR|LOG|WARNING|HINT|DETAIL):\s+")
_FINAL = re.compile(r"(?:FATAL|PANIC):\s+(.*)")
_TOOL = re.compile(r"^(?:initdb|mkdir|chmod|chown|find|postgres|pg_ctl|exec|/usr/local/bin/\S+|popen failure)\b.*:")
_PARAMETERS = tuple(
    re.compile(pattern)
    for pattern in (
        r'invalid value for parameter "([\w.]+)"',
        r'unrecognized configuration parameter "([\w.]+)"',
        r'is outside the valid range for parameter "([\w.]+)"',
        r'parameter "([\w.]+)" (?:requires|cannot be set)',
        r'must be less than "?(max_connections)"?',
    )
)
_LIBRARY = re.compile(r'could not (?:access file|load library) "')
_MEMORY = re.compile(
    r"could not (?:map anonymous shared memory|create shared memory segment|resize shared memory segment)"
    r"|requested shared memory size overflows|Cannot allocate memory"
)
# The first that is found decides. Shared memory has a file system of its own, so it comes before a full disk; a key
# that can't be read is told with the words of any other file, so it comes before the volume.
_BY_WORDS: tuple[tuple[re.Pattern[str], Kind], ...] = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"private key file \"[^\"]*\" (?:has group|must be owned)|could not load (?:server certificate|private key)",
         TLS_KEY_UNUSABLE),
        (r"No space left on device|Disk quota exceeded|could not write init file", DISK_FULL),
        (r"[Ee]xec format error", WRONG_ARCHITECTURE),
        (r"exists but is not empty", DATA_DIRECTORY_NOT_EMPTY),
        (r"not compatible with this version|database files are incompatible with server", DATA_VERSION_MISMATCH),
        (r"superuser password is not specified", CREDENTIALS_MISSING),
        (r"Permission denied|Read-only file system|has wrong ownership|has invalid permissions|not permitted",
         VOLUME_NOT_WRITABLE),
    )
)  # fmt: skip


class _Sign(NamedTuple):
    """The line that decides, and what it means."""

    kind: Kind
    line: str
    parameter: str = ""


def read(text: str, evidence: Sequence[str] = ()) -> Verdict | None:
    """The cause that the last lines of a server's log name; None when they name none that is known.

    `text` is a container's termination message, or the end of its log; `evidence` goes into the cause with its lines.
    """
    said = own_lines(text)
    sign = _parameter(said) or _memory(said) or _by_words(said)
    if sign is None:
        return None
    return sign.kind.found((*evidence, *said), words=_words(sign.line), parameter=sign.parameter)


def last(text: str) -> str:
    """What the server said when it gave up, in one line; empty when it said nothing."""
    lines = own_lines(text)
    final = [found[1] for found in map(_FINAL.search, lines) if found]
    return sentence_end((final or lines[-1:] or [""])[-1])


def own_lines(text: str) -> list[str]:
    """The lines that the server or the image wrote of themselves: without users' statements and what users were told.

    A log of which only the end is there may begin within a user's statement.
    """
    lines = [line for line in text.splitlines() if line.strip() and not _NOISE.match(line)]
    whole = len(text.encode()) <= _WHOLE_BYTES
    kept = without_statements(lines, from_the_start=whole)
    return kept or [line for line in lines if _TOOL.match(line)]


def _parameter(lines: Sequence[str]) -> _Sign | None:
    for pattern in _PARAMETERS:
        for line in reversed(lines):
            if found := pattern.search(line):
                return _Sign(PARAMETERS_REJECTED, line, found[1].lower())
    library = _last(_LIBRARY, lines)
    return _Sign(PARAMETERS_REJECTED, library, "shared_preload_libraries") if library else None


def _memory(lines: Sequence[str]) -> _Sign | None:
    line = _last(_MEMORY, lines)
    return _Sign(PARAMETERS_REJECTED, line, "shared_buffers") if line else None


def _by_words(lines: Sequence[str]) -> _Sign | None:
    signs = (_Sign(kind, line) for pattern, kind in _BY_WORDS if (line := _last(pattern, lines)))
    return next(signs, None)


def _last(pattern: re.Pattern[str], lines: Sequence[str]) -> str | None:
    return next((line for line in reversed(lines) if pattern.search(line)), None)


def _words(line: str) -> str:
    """What a log line says, without its time, process and level."""
    return sentence_end(_LEVEL.sub("", line))
