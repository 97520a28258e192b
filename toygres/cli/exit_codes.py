"""What each exit code of `toygres` means; scripts may rely on them."""

from __future__ import annotations

from enum import IntEnum

from toygres.errors import Conflict, Invalid, Misconfigured, NotFound, Rejected, ToygresError, Unauthorized, Unavailable


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    CONFLICT = 4
    UNAVAILABLE = 5
    MISSING = 69
    MISCONFIGURED = 78
    INTERRUPTED = 130


_CODES: tuple[tuple[type[ToygresError], ExitCode], ...] = (
    (Invalid, ExitCode.USAGE),
    (NotFound, ExitCode.NOT_FOUND),
    (Conflict, ExitCode.CONFLICT),
    (Unauthorized, ExitCode.MISCONFIGURED),
    (Rejected, ExitCode.USAGE),
    (Unavailable, ExitCode.UNAVAILABLE),
    (Misconfigured, ExitCode.MISCONFIGURED),
)


def exit_code_of(error: ToygresError) -> ExitCode:
    """The code that `error` ends a command with."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.FAILED)
