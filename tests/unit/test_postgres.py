"""Logging in to a user's server, and telling why that failed."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from making import Subject, local_platform, reserved_port, subjects

from toygres import postgres
from toygres.domain.instance import Endpoint, Login, Way
from toygres.errors import Cause, CauseCode
from toygres.platforms.local import processes
from toygres.platforms.local.layout import Layout
from toygres.platforms.local.platform import LocalPlatform

WRONG = Login(user="postgres", password="a wrong password")


@pytest.fixture(scope="module")
def server() -> Iterator[Subject]:
    """One running server for all tests here: none of them changes it."""
    with local_platform() as platform, subjects(platform) as make:
        subject = make()
        subject.bring_up()
        yield subject


@pytest.fixture
def way(server: Subject) -> Way:
    assert server.instance.endpoint is not None
    return Way(endpoint=server.instance.endpoint)


def test_the_instances_user_can_write_and_read(server: Subject, way: Way) -> None:
    assert postgres.test_connection(way, "postgres", server.credentials.user) is None


def test_nothing_is_left_of_what_was_written(server: Subject, way: Way) -> None:
    postgres.test_connection(way, "postgres", server.credentials.user)
    with server.connect() as connection:
        assert connection.execute("SELECT count(*) FROM pg_class WHERE relname = 'toygres_check'").fetchone() == (0,)


def test_the_monitor_sees_a_healthy_server(server: Subject, way: Way) -> None:
    assert postgres.check_health(way, "postgres", server.credentials.monitor) is None


def test_a_wrong_password_is_a_refused_login(way: Way) -> None:
    cause = _cause(postgres.test_connection(way, "postgres", WRONG), CauseCode.LOGIN_REFUSED)
    assert 'password authentication failed for user "postgres"' in cause.message
    assert WRONG.password not in str(cause)


def test_a_database_that_is_missing_is_a_refused_login(server: Subject, way: Way) -> None:
    cause = _cause(postgres.test_connection(way, "missing", server.credentials.user), CauseCode.LOGIN_REFUSED)
    assert 'database "missing" does not exist' in cause.message


def test_where_nothing_listens_the_connection_is_refused() -> None:
    with reserved_port() as port:
        found = postgres.test_connection(Way(endpoint=Endpoint(host="127.0.0.1", port=port)), "postgres", WRONG)
    assert str(port) in _cause(found, CauseCode.CONNECTION_REFUSED).message


def test_who_may_not_write_has_a_failed_query(server: Subject, way: Way) -> None:
    with server.connect() as connection:
        connection.execute("REVOKE TEMPORARY ON DATABASE postgres FROM PUBLIC")
    try:
        found = postgres.test_connection(way, "postgres", server.credentials.monitor)
    finally:
        with server.connect() as connection:
            connection.execute("GRANT TEMPORARY ON DATABASE postgres TO PUBLIC")
    assert "permission denied" in _cause(found, CauseCode.QUERY_FAILED).message


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_CONNECT_SECONDS", 2)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        here = Way(endpoint=Endpoint(host="127.0.0.1", port=silent.getsockname()[1]))
        _cause(postgres.test_connection(here, "postgres", WRONG), CauseCode.NO_ANSWER)


def test_a_server_that_freezes_in_a_query_is_given_up(
    server: Subject, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_ANSWER_SECONDS", 0.5)
    with _frozen_after(way, b"CREATE TEMPORARY TABLE") as here:
        found = postgres.test_connection(here, "postgres", server.credentials.user)
    assert "no answer for 0.5 s" in _cause(found, CauseCode.NO_ANSWER).message


def test_a_server_that_asks_for_no_password_is_not_trusted(server: Subject) -> None:
    # AuthenticationOk at once, as a server with `trust` answers.
    with _answering(b"R\x00\x00\x00\x08\x00\x00\x00\x00") as here:
        found = postgres.test_connection(here, "postgres", server.credentials.user)
    _cause(found, CauseCode.LOGIN_REFUSED)


def test_no_password_is_sent_to_a_server_that_wants_it_in_clear(server: Subject) -> None:
    received = bytearray()
    with _answering(b"R\x00\x00\x00\x08\x00\x00\x00\x03", received) as here:
        found = postgres.test_connection(here, "postgres", server.credentials.user)
    _cause(found, CauseCode.LOGIN_REFUSED)
    assert server.credentials.user.password.encode() not in received


def test_a_server_that_is_killed_in_a_query_does_not_answer() -> None:
    with local_platform() as platform, subjects(platform) as make:
        subject = make()
        subject.bring_up()
        assert subject.instance.endpoint is not None
        _kill_when_asked(platform, subject)
        cause = postgres.test_connection(Way(endpoint=subject.instance.endpoint), "postgres", subject.credentials.user)
        assert cause is not None
        assert cause.code in (CauseCode.CONNECTION_REFUSED, CauseCode.NO_ANSWER)


def test_the_testers_own_settings_change_nothing(server: Subject, way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("PGSSLMODE", "require"), ("PGOPTIONS", "-c nonsense=1"), ("PGTARGETSESSIONATTRS", "standby")):
        monkeypatch.setenv(name, value)
    assert postgres.test_connection(way, "postgres", server.credentials.user) is None


def _cause(found: Cause | None, code: CauseCode) -> Cause:
    assert found is not None
    assert found.code is code
    assert found.remedy
    return found


def _kill_when_asked(platform: LocalPlatform, subject: Subject) -> None:
    found = processes.postmaster(Layout(platform.place, subject.instance.id))
    assert found is not None
    os.kill(found.pid, signal.SIGKILL)


@contextmanager
def _answering(answer: bytes, received: bytearray | None = None) -> Iterator[Way]:
    """A server that declines encryption, then says `answer` to whatever comes, and hears until the client leaves."""

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            if client.recv(8)[4:] == b"\x04\xd2\x16\x2f":
                client.sendall(b"N")
                client.recv(4096)
            client.sendall(answer)
            while heard := client.recv(4096):
                if received is not None:
                    received.extend(heard)

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield Way(endpoint=Endpoint(host="127.0.0.1", port=listener.getsockname()[1]))
        thread.join(10)
        assert not thread.is_alive()


@contextmanager
def _frozen_after(real: Way, words: bytes) -> Iterator[Way]:
    """A way to `real` on which the server's answers stop once the client has sent `words`."""
    frozen = threading.Event()

    def pass_on(source: socket.socket, target: socket.socket) -> None:
        try:
            while (heard := source.recv(4096)) and not frozen.is_set():
                if words in heard:
                    frozen.set()
                target.sendall(heard)
        except OSError:
            return

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        accepted: list[socket.socket] = []

        def serve() -> None:
            client, _ = listener.accept()
            server = socket.create_connection((real.endpoint.host, real.endpoint.port))
            accepted.extend((client, server))
            back = threading.Thread(target=pass_on, args=(server, client))
            back.start()
            pass_on(client, server)
            server.shutdown(socket.SHUT_RDWR)
            back.join()

        thread = threading.Thread(target=serve)
        thread.start()
        yield Way(endpoint=Endpoint(host="127.0.0.1", port=listener.getsockname()[1]))
        thread.join(10)
        assert not thread.is_alive()
        for line in accepted:
            line.close()
