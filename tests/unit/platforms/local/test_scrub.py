"""Secrets in log lines."""

from __future__ import annotations

import pytest

from toygres.platforms.local.scrub import scrubbed


@pytest.mark.parametrize(
    "line",
    [
        "STATEMENT:  ALTER ROLE a PASSWORD 'hunter2'",
        "STATEMENT:  create user a with encrypted password E'hunter2' login",
        "STATEMENT:  ALTER ROLE a PASSWORD 'it''s hunter2'",
        "STATEMENT:  ALTER ROLE a PASSWORD 'hunter2 and no end",
        "DETAIL:  host=h password=hunter2 user=u",
        "LOG:  postgresql://user:hunter2@host/db",
        "STATEMENT:  SET x = 'SCRAM-SHA-256$4096:hunter2$a:b'",
    ],
)
def test_what_looks_like_a_password_is_hidden(line: str) -> None:
    assert "hunter2" not in scrubbed([line])[0]


def test_the_instances_own_passwords_are_hidden_wherever_they_stand() -> None:
    assert scrubbed(["FATAL:  syntax error near abc123xyz"], ["abc123", "abc123xyz", ""]) == (
        "FATAL:  syntax error near [hidden]",
    )


def test_other_lines_stay_as_they_are() -> None:
    lines = ("LOG:  listening on IPv4 address", 'FATAL:  password authentication failed for user "postgres"')
    assert scrubbed(lines) == lines


def test_long_lines_are_shortened() -> None:
    assert len(scrubbed(["x" * 10_000])[0]) == 500
