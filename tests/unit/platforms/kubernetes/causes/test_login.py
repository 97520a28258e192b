"""Why nobody can log in, by the words of the client library."""

from __future__ import annotations

import pytest

from toygres.errors import CauseCode
from toygres.platforms.kubernetes.causes.login import cause, verdict

TO = 'connection failed: connection to server at "10.89.0.23", port 5432 failed: '


@pytest.mark.parametrize(
    ("said", "code", "heals"),
    [
        (f'{TO}FATAL:  password authentication failed for user "postgres"', CauseCode.WRONG_PASSWORD, False),
        (f'{TO}FATAL:  database "shop" does not exist', CauseCode.DATABASE_MISSING, False),
        (
            f'{TO}FATAL:  no pg_hba.conf entry for host "10.1.2.3", user "a", database "b", no encryption',
            CauseCode.LOGIN_NOT_ALLOWED,
            False,
        ),
        (
            f'{TO}server certificate for "demo" (and 3 other names) does not match host name "other"',
            CauseCode.TLS_UNTRUSTED,
            False,
        ),
        (f"{TO}SSL error: certificate verify failed", CauseCode.TLS_UNTRUSTED, False),
        (f"{TO}server does not support SSL, but SSL was required", CauseCode.TLS_UNTRUSTED, False),
        (
            "failed to resolve host 'demo.toygres.svc.cluster.local': [Errno -2] Name or service not known",
            CauseCode.NAME_UNRESOLVED,
            True,
        ),
        ("connection timeout expired", CauseCode.NETWORK_BLOCKED, True),
        (f"{TO}No route to host", CauseCode.NETWORK_BLOCKED, True),
        (f"first line\n{TO}Connection timed out\n\tIs the server running?", CauseCode.NETWORK_BLOCKED, True),
    ],
)
def test_the_cause_is_read_from_what_was_said(said: str, code: CauseCode, heals: bool) -> None:
    found = verdict(said)
    assert found is not None
    assert (found.cause.code, found.heals) == (code, heals)
    assert found.cause == cause(said)


def test_the_servers_own_words_are_told_without_addresses() -> None:
    found = cause(f'{TO}FATAL:  database "shop" does not exist')
    assert found is not None
    assert 'database "shop" does not exist' in found.message
    assert "10.89.0.23" not in found.message


@pytest.mark.parametrize(
    "said",
    [
        f"{TO}Connection refused",
        f"{TO}FATAL:  the database system is starting up",
        f"{TO}server closed the connection unexpectedly",
        "",
    ],
)
def test_what_anybody_else_knows_as_well_is_left_to_them(said: str) -> None:
    assert cause(said) is None
