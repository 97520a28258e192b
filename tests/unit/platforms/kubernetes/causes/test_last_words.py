"""PostgreSQL's last words, as a container's termination message holds them."""

from __future__ import annotations

import pytest

from toygres.errors import CauseCode
from toygres.platforms.kubernetes.causes import last_words
from toygres.platforms.kubernetes.causes.verdict import Kind

AT = "2026-11-23 14:48:36.123 UTC [1] "
INITDB = 'The files belonging to this database system will be owned by user "postgres".\nfixing permissions ... ok\n'


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        (f'{AT}FATAL:  unrecognized configuration parameter "wurk_mem"', CauseCode.PARAMETERS_REJECTED, "wurk_mem"),
        (
            f'{AT}LOG:  invalid value for parameter "TimeZone": "Mars"\n{AT}FATAL:  configuration file contains errors',
            CauseCode.PARAMETERS_REJECTED,
            "timezone",
        ),
        (
            f'{AT}FATAL:  could not access file "no_such_lib": No such file or directory',
            CauseCode.PARAMETERS_REJECTED,
            "shared_preload_libraries",
        ),
        (
            f"{AT}FATAL:  could not map anonymous shared memory: Cannot allocate memory\n{AT}HINT:  reduce it",
            CauseCode.PARAMETERS_REJECTED,
            "shared_buffers",
        ),
        (
            f'{AT}FATAL:  could not resize shared memory segment "/P.1" to 9 bytes: No space left on device',
            CauseCode.PARAMETERS_REJECTED,
            "shared_buffers",
        ),
        (
            f"{INITDB}initdb: error: could not write to file: No space left on device\n"
            'initdb: removing contents of data directory "/var/lib/postgresql/data/pgdata"',
            CauseCode.DISK_FULL,
            "No space left",
        ),
        (f"{AT}FATAL:  could not write init file", CauseCode.DISK_FULL, "init file"),
        (
            "exec /usr/local/bin/docker-entrypoint.sh: exec format error",
            CauseCode.WRONG_ARCHITECTURE,
            "exec format error",
        ),
        (
            'initdb: error: directory "/var/lib/postgresql/data" exists but is not empty\n'
            "initdb: hint: lost+found is a mount point's",
            CauseCode.DATA_DIRECTORY_NOT_EMPTY,
            "not empty",
        ),
        (
            "mkdir: cannot create directory '/var/lib/postgresql/data/pgdata': Permission denied",
            CauseCode.VOLUME_NOT_WRITABLE,
            "cannot create directory",
        ),
        (f'{AT}FATAL:  data directory "/d" has wrong ownership', CauseCode.VOLUME_NOT_WRITABLE, "wrong ownership"),
        (
            f'{AT}FATAL:  could not create lock file "/var/run/postgresql/.s.PGSQL.5432.lock": Read-only file system',
            CauseCode.VOLUME_NOT_WRITABLE,
            "Read-only",
        ),
        (
            f'{AT}FATAL:  private key file "/tls/tls.key" has group or world access',
            CauseCode.TLS_KEY_UNUSABLE,
            "tls.key",
        ),
        (
            f'{AT}FATAL:  could not load server certificate file "/tls/tls.crt": Permission denied',
            CauseCode.TLS_KEY_UNUSABLE,
            "tls.crt",
        ),
        (
            f"{AT}FATAL:  database files are incompatible with server\n{AT}DETAIL:  The data directory was initialized "
            "by PostgreSQL version 15, which is not compatible with this version 16.4.",
            CauseCode.DATA_VERSION_MISMATCH,
            "version 15",
        ),
        (
            "Error: Database is uninitialized and superuser password is not specified.\n  You must specify one.",
            CauseCode.CREDENTIALS_MISSING,
            "no password",
        ),
    ],
)
def test_the_cause_is_read_from_the_words(text: str, code: CauseCode, word: str) -> None:
    found = last_words.read(text, ("Pod demo-0: ended",))
    assert found is not None
    assert found.cause.code is code
    assert word in found.cause.message
    assert "FATAL" not in found.cause.message
    assert found.cause.evidence[0] == "Pod demo-0: ended"
    assert found.cause.evidence[1:] == tuple(text.splitlines())
    assert not found.heals


@pytest.mark.parametrize("kind", [last_words.TLS_KEY_UNUSABLE, last_words.CREDENTIALS_MISSING])
def test_nobody_is_sent_to_delete_data_that_may_still_be_there(kind: Kind) -> None:
    remedy = kind.found(words="", parameter="").cause.remedy
    assert remedy.index("take them out first") < remedy.index("delete it")


def test_words_that_name_no_cause_are_told_as_they_are() -> None:
    text = f"{AT}LOG:  starting\n{AT}FATAL:  the moon is full\n{AT}LOG:  database system is shut down"
    assert last_words.read(text) is None
    assert last_words.last(text) == "the moon is full"
    assert last_words.last("") == ""


def test_what_the_image_may_not_do_at_any_start_is_no_cause() -> None:
    tried = "chmod: changing permissions of '/var/run/postgresql': Operation not permitted"
    assert last_words.read(f"{tried}\n{AT}LOG:  starting PostgreSQL") is None
    assert last_words.own_lines(f"{tried}\n{AT}FATAL:  the moon is full") == [f"{AT}FATAL:  the moon is full"]
    denied = last_words.read(f"{tried}\nmkdir: cannot create directory '/data/pgdata': Operation not permitted")
    assert denied is not None
    assert denied.cause.code is CauseCode.VOLUME_NOT_WRITABLE
    assert "pgdata" in denied.cause.message


def test_the_words_of_users_decide_nothing_and_are_kept_from_everybody() -> None:
    text = "\n".join(
        [
            f'{AT}client backend ERROR:  invalid value for parameter "x": "hunter2"',
            f"{AT}client backend STATEMENT:  ALTER ROLE a PASSWORD 'hunter2'; -- No space left on device",
            f"{AT}client backend FATAL:  password authentication failed, hunter2",
            f"{AT}postmaster FATAL:  the moon is full",
            f"{AT}postmaster DETAIL:  Failed process was running: ALTER ROLE a PASSWORD 'hunter2'",
        ]
    )
    assert last_words.read(text) is None
    assert last_words.last(text) == "the moon is full"
    assert "hunter2" not in "".join(last_words.own_lines(text))


def test_what_a_cut_log_begins_with_may_be_anybodys() -> None:
    statement = "x" * 1900 + " hunter2\nPermission denied"
    text = f"{statement}\n{AT}postmaster FATAL:  the moon is full"
    assert last_words.read(text) is None
    assert last_words.own_lines(text) == [f"{AT}postmaster FATAL:  the moon is full"]


def test_a_cut_log_of_a_tool_still_names_its_cause() -> None:
    text = "creating\n" * 250 + "initdb: error: could not write: No space left on device"
    found = last_words.read(text)
    assert found is not None
    assert found.cause.code is CauseCode.DISK_FULL
