"""The container as its manifest has it, run with a real PostgreSQL: its first start, however often that is cut off."""

from __future__ import annotations

import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from making import reserved_port
from manifest_subject import LOGINS, NAMESPACE, OWNER, all_manifests, plain, target
from pod_stand_in import Pod
from psycopg import sql

from toygres import postgres
from toygres.domain.instance import Credentials, Endpoint, Login, Way
from toygres.errors import Cause
from toygres.platforms.kubernetes import manifests
from toygres.platforms.kubernetes.certificates import issue, make_authority
from toygres.platforms.kubernetes.names import hosts
from toygres.platforms.protocol import Target

# A name with a quote, a dollar or a backslash is refused by initdb itself.
USER, DATABASE = "the owner", "a \"b\" & 'c' $PGDATA"
LOGIN = Credentials(user=Login(user=USER, password="pa:ss $(word)'"), monitor=LOGINS.monitor)
HOSTS = hosts("demo", NAMESPACE)
AUTHORITY = make_authority("default", datetime.now(UTC))
ISSUED = issue(AUTHORITY, HOSTS, (), now=datetime.now(UTC), days=1)
# Nothing of all this may keep the roles and the database from being made, or show in the log how they are.
HOSTILE = {
    "statement_timeout": "1ms",
    "lock_timeout": "1ms",
    "log_statement": "all",
    "log_min_duration_statement": "0",
    "log_min_error_statement": "debug5",
}


@pytest.fixture(scope="module")
def programs() -> Path:
    """The newest PostgreSQL with TLS, which the system's own package has."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parent.parent.name))
    if not found:
        pytest.skip("no PostgreSQL with TLS is installed here (Debian's postgresql)")
    return found[-1].parent


@pytest.fixture
def pod(programs: Path) -> Iterator[Pod]:
    """An instance that never ran."""
    with never_run(programs) as made:
        yield made


@pytest.fixture(scope="module")
def started(programs: Path) -> Iterator[Pod]:
    """An instance that has begun, and runs."""
    with never_run(programs) as made, made.running() as process:
        up(made, process)
        yield made


@contextmanager
def never_run(programs: Path) -> Iterator[Pod]:
    """An instance, whose volumes are removed afterwards."""
    asked = target(version=programs.parent.name, user=USER, database=DATABASE, parameters=HOSTILE, memory_bytes=2**26)
    with reserved_port() as port:
        made = Pod(_made(asked), programs, port)
        try:
            yield made
        finally:
            made.remove()


def _made(asked: Target) -> dict[str, dict[str, object]]:
    where = (asked, NAMESPACE, OWNER, plain())
    return {
        **all_manifests(asked, plain()),
        "credentials": manifests.credentials(*where, LOGIN, AUTHORITY),
        "monitor": manifests.monitor(*where, LOGIN, AUTHORITY),
        "tls": manifests.tls(*where, ISSUED, AUTHORITY),
    }


def way(pod: Pod) -> Way:
    """To the server under its name, as a port-forward would lead there."""
    return Way(
        endpoint=Endpoint(host=HOSTS[-1], port=5432),
        address="127.0.0.1",
        port=pod.port,
        authority=AUTHORITY.certificate,
    )


def eventually(ask: Callable[[], Cause | None], process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a login works."""
    until = time.monotonic() + 60
    while cause := ask():
        with suppress(subprocess.TimeoutExpired):
            pytest.fail(f"it ended with {process.wait(0.1)}: {log.read_text()}")
        assert time.monotonic() < until, (cause, log.read_text())


def up(pod: Pod, process: subprocess.Popen[bytes]) -> None:
    """Wait until both logins work, each with the certificate and the name checked."""
    eventually(lambda: postgres.test_connection(way(pod), DATABASE, LOGIN.user), process, pod.log)
    eventually(lambda: postgres.check_health(way(pod), DATABASE, LOGIN.monitor), process, pod.log)


def query(pod: Pod, statement: str) -> list[tuple[object, ...]]:
    """What the user gets for a statement."""
    with psycopg.connect(
        host="127.0.0.1",
        port=pod.port,
        dbname=DATABASE,
        user=USER,
        password=LOGIN.user.password,
        options="-c statement_timeout=0",
        autocommit=True,
    ) as connection:
        cursor = connection.execute(sql.SQL(statement))
        return cursor.fetchall() if cursor.description else []


def test_the_first_start_makes_both_roles_and_the_database_whatever_the_parameters_are(started: Pod) -> None:
    monitor = query(started, "SELECT rolsuper, rolconnlimit FROM pg_roles WHERE rolname = 'toygres_monitor'")
    assert monitor == [(False, 5)]
    assert query(started, "SELECT pg_has_role('toygres_monitor', 'pg_monitor', 'member')") == [(True,)]
    assert query(started, "SELECT count(*) FROM pg_authid WHERE rolpassword !~ '^SCRAM-SHA-256'") == [(0,)]
    assert query(started, "SHOW data_checksums") == [("on",)]
    assert query(started, "SHOW server_encoding") == [("UTF8",)]
    assert query(started, "SELECT setting FROM pg_settings WHERE name = 'shared_buffers'") == [("2048",)]
    assert not started.data.with_name(f"{started.data.name}.making").exists()


def test_the_log_holds_no_password_and_no_verifier_and_what_made_the_roles_is_forgotten(started: Pod) -> None:
    written = started.log.read_text()
    assert "PGOPTIONS is unset" in written
    for secret in ("SCRAM-SHA-256$", LOGIN.user.password, LOGIN.monitor.password):
        assert secret not in written


def test_a_wrong_password_is_refused_where_a_port_forward_arrives(started: Pod) -> None:
    wrong = replace(LOGIN.user, password="another one")
    cause = postgres.test_connection(way(started), DATABASE, wrong)
    assert cause is not None
    assert 'password authentication failed for user "the owner"' in cause.message + "".join(cause.evidence)


def test_nobody_comes_in_from_outside_without_tls(started: Pod) -> None:
    assert b"no encryption" in plain_hello(started.port, "127.0.0.5")
    # The same from the pod itself is asked for a password, by SCRAM.
    assert b"SCRAM-SHA-256" in plain_hello(started.port, "127.0.0.1")


def plain_hello(port: int, source: str) -> bytes:
    """What a server answers to a client that comes from `source` and doesn't ask for TLS."""
    said = b"user\0" + USER.encode() + b"\0database\0postgres\0\0"
    with socket.create_connection(("127.0.0.1", port), timeout=5, source_address=(source, 0)) as line:
        line.sendall(struct.pack("!ii", len(said) + 8, 3 << 16) + said)
        return line.recv(4096)


def test_a_next_start_has_the_data_and_nothing_said_from_within_turns_tls_off_or_moves_the_server(pod: Pod) -> None:
    with pod.running() as process:
        up(pod, process)
        query(pod, "CREATE TABLE kept AS SELECT 42 AS answer")
        for setting in ("ssl = off", "listen_addresses = ''", "hba_file = '/dev/null'", "port = 1"):
            query(pod, f"ALTER SYSTEM SET {setting}")
    assert process.returncode == 0
    with pod.running() as process:
        up(pod, process)
        assert query(pod, "SELECT answer FROM kept") == [(42,)]


@pytest.mark.parametrize("cut", ["first", "initdb", "role"])
def test_a_first_start_that_was_cut_off_is_begun_again(pod: Pod, cut: str) -> None:
    with pod.running(cut) as process:
        assert process.wait(timeout=60) != 0
    with pod.running() as process:
        up(pod, process)


def test_what_is_not_ours_is_not_removed(pod: Pod) -> None:
    pod.data.mkdir()
    (pod.data / "theirs").write_text("precious")
    with pod.running() as process:
        assert process.wait(timeout=60) != 0
    assert (pod.data / "theirs").read_text() == "precious"
    assert "exists but is not empty" in pod.log.read_text()
