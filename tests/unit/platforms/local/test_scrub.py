"""Secrets in log lines."""

from __future__ import annotations

import pytest

from toygres.platforms.local.scrub import scrubbed, without_statements


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


def entry(level: str, words: str, writer: str = "") -> str:
    return f"2026-11-24 10:00:00.123 UTC [4711] {writer and f'{writer} '}{level}:  {words}"


def test_what_users_said_is_left_out_and_what_the_server_says_of_itself_stays():
    kept = [
        entry("LOG", "database system is ready to accept connections"),
        entry("LOG", "server process (PID 4711) was terminated by signal 9: Killed"),
        entry("FATAL", "could not write lock file: No space left on device"),
        entry("HINT", "Free some space."),
    ]
    canary = "CREATE ROLE shop"
    of_users = [
        entry("ERROR", 'syntax error at or near "canary" at character 27'),
        entry("DETAIL", "canary"),
        entry("STATEMENT", canary),
        "\tPASSWORD",
        "\t'canary'",
        entry("LOG", f"statement: {canary}"),
        "\tPASSWORD 'canary'",
        entry("LOG", f"duration: 1.2 ms  statement: {canary} PASSWORD 'canary'"),
    ]
    died = entry("DETAIL", "Failed process was running: ALTER ROLE shop PASSWORD 'canary'")
    assert without_statements([kept[0], *of_users, kept[1], died, "\t'canary'", *of_users, *kept[2:]]) == kept


def test_what_it_told_its_clients_is_left_out_unless_it_ended_by_it():
    kept = [
        entry("LOG", "database system is ready to accept connections", "postmaster"),
        entry("LOG", "checkpoint starting: time", "checkpointer"),
        entry("FATAL", "could not locate a valid checkpoint record", "startup"),
        entry("PANIC", "could not write to file: No space left on device", "client backend"),
        entry("CONTEXT", "while it wrote: WAL", "client backend"),
    ]
    told = [
        entry("FATAL", 'role "canary" does not exist', "client backend"),
        entry("DETAIL", "canary", "client backend"),
        entry("FATAL", "the database system is starting up", "dead-end client backend"),
        entry("FATAL", "unsupported frontend protocol", "not initialized"),
        entry("LOG", "could not receive data from client", "walsender"),
        entry("LOG", "a user's function says: No space left on device", "autovacuum worker"),
    ]
    assert without_statements([kept[0], *told, *kept[1:], *told]) == kept


def test_lines_that_no_server_wrote_stay():
    assert without_statements(["postgres: could not find the file", "  canary"]) == [
        "postgres: could not find the file",
        "  canary",
    ]


def test_of_a_log_that_begins_anywhere_only_whole_entries_count():
    lines = ['nt backend FATAL:  password authentication failed for user "canary"', "\t'canary'"]
    kept = entry("LOG", "database system is shut down", "postmaster")
    assert without_statements([*lines, kept], from_the_start=False) == [kept]
