"""Why a server ended, by what it wrote."""

from __future__ import annotations

import pytest

from toygres.errors import CauseCode
from toygres.platforms.local.causes import why_ended

PREFIX = "2026-01-01 00:00:00.000 UTC [1] "


@pytest.mark.parametrize(
    ("lines", "code", "word"),
    [
        (
            [
                'LOG:  could not bind IPv4 address "127.0.0.1": Address already in use',
                "FATAL:  could not create any TCP/IP sockets",
            ],
            CauseCode.PORT_TAKEN,
            "20001",
        ),
        (['FATAL:  invalid value for parameter "TimeZone": "Mars"'], CauseCode.PARAMETERS_REJECTED, "timezone"),
        (['FATAL:  unrecognized configuration parameter "wurk_mem"'], CauseCode.PARAMETERS_REJECTED, "wurk_mem"),
        (
            ['FATAL:  5 is outside the valid range for parameter "work_mem" (64 .. 2147483647)'],
            CauseCode.PARAMETERS_REJECTED,
            "work_mem",
        ),
        (
            ["FATAL:  could not map anonymous shared memory: Cannot allocate memory"],
            CauseCode.PARAMETERS_REJECTED,
            "shared_buffers",
        ),
        (
            ['FATAL:  could not resize shared memory segment "/x" to 1 bytes: No space left on device'],
            CauseCode.PARAMETERS_REJECTED,
            "shared_buffers",
        ),
        (
            ['FATAL:  "superuser_reserved_connections" (3) must be less than "max_connections" (1)'],
            CauseCode.PARAMETERS_REJECTED,
            "max_connections",
        ),
        (
            ['FATAL:  could not write lock file "postmaster.pid": No space left on device'],
            CauseCode.DISK_FULL,
            "postmaster.pid",
        ),
        (['FATAL:  could not open file "base": Permission denied'], CauseCode.FILES_DENIED, "Permission denied"),
        (['FATAL:  data directory "/x" has wrong ownership'], CauseCode.FILES_DENIED, "wrong ownership"),
        (["LOG:  shutting down", "LOG:  database system is shut down"], CauseCode.SERVER_STOPPED, "properly"),
        (["FATAL:  the moon is full"], CauseCode.SERVER_EXITED, "the moon is full"),
        (["PANIC:  first", "FATAL:  last", "LOG:  database system is shut down"], CauseCode.SERVER_EXITED, "last"),
        ([], CauseCode.SERVER_EXITED, "killed"),
    ],
)
def test_the_cause_is_read_from_the_last_lines(lines: list[str], code: CauseCode, word: str) -> None:
    written = [PREFIX + line for line in lines]
    cause = why_ended(written, 20001)
    assert cause.code is code
    assert word in cause.message
    assert cause.remedy
    assert cause.evidence == tuple(written)
