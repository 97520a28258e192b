"""A server's life as a process of this machine."""

from __future__ import annotations

import os
import signal
import socket

import psutil
import psycopg
import pytest
from making import PATIENCE, MakeSubject, Subject, local_platform, subjects

from toygres.domain.instance import Login
from toygres.errors import CauseCode, Refused
from toygres.platforms.local import processes, server
from toygres.platforms.local.configuration import command
from toygres.platforms.local.layout import Layout
from toygres.platforms.local.platform import LocalPlatform
from toygres.platforms.local.shutdown import ShutDown
from toygres.platforms.protocol import ServerPhase, ServerStatus


def test_it_is_nobodys_child_but_inits(subject: Subject, layout: Layout) -> None:
    subject.bring_up()
    found = processes.postmaster(layout)
    assert found is not None
    assert os.getpid() not in [parent.pid for parent in found.parents()]
    assert os.getsid(found.pid) != os.getsid(0)
    assert found.uids().real == layout.place.owner


def test_its_log_and_socket_are_its_users_alone(subject: Subject, layout: Layout) -> None:
    subject.bring_up()
    for path, mode in ((layout.anchor / "log", 0o600), (layout.sockets, 0o700), (layout.anchor, 0o700)):
        found = path.stat()
        assert (found.st_mode & 0o777, found.st_uid) == (mode, layout.place.owner)


def test_no_secret_is_in_a_process_argument_or_a_log(subject: Subject, layout: Layout) -> None:
    subject.bring_up()
    secrets = (subject.credentials.user.password, subject.credentials.monitor.password, "SCRAM-SHA-256")
    shown = " ".join(" ".join(process.cmdline()) for process in processes.all_of(layout))
    shown += (layout.anchor / "log").read_text()
    assert not [secret for secret in secrets if secret in shown]


def test_a_port_that_a_stranger_holds_is_told_with_its_remedy(subject: Subject) -> None:
    assert subject.instance.port is not None
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", subject.instance.port))
        stranger.listen()
        assert subject.platform.port_in_use(subject.instance.port)
        status = _broken(subject)
    assert status.cause is not None
    assert status.cause.code is CauseCode.PORT_TAKEN
    assert str(subject.instance.port) in status.cause.message
    assert "Address already in use" in " ".join(status.cause.evidence)
    assert subject.platform.evidence(subject.instance) == status.cause.evidence
    assert not subject.platform.port_in_use(subject.instance.port)
    subject.bring_up()


@pytest.mark.parametrize(
    ("name", "value"), [("shared_buffers", "8191GB"), ("timezone", "Mars/Olympus"), ("max_connections", "2")]
)
def test_a_parameter_that_stops_the_server_is_named(make_subject: MakeSubject, name: str, value: str) -> None:
    status = _broken(make_subject(**{name: value}))
    assert status.cause is not None
    assert status.cause.code is CauseCode.PARAMETERS_REJECTED
    assert name in status.cause.message
    assert name in status.cause.remedy
    assert status.cause.evidence


def test_files_that_were_taken_from_it_are_told(subject: Subject, layout: Layout) -> None:
    subject.store()
    (layout.data / "global").chmod(0)
    try:
        subject.platform.apply_server(subject.target)
        subject.until(ServerPhase.BROKEN)
        cause = subject.platform.observe(subject.instance).cause
    finally:
        (layout.data / "global").chmod(0o700)
    assert cause is not None
    assert cause.code is CauseCode.FILES_DENIED


def test_data_that_are_gone_are_told(subject: Subject, layout: Layout) -> None:
    subject.bring_up()
    _stop(subject)
    layout.data.rename(layout.data.with_name("moved"))
    with pytest.raises(Refused) as refused:
        subject.platform.apply_server(subject.target)
    assert refused.value.cause.code is CauseCode.STORAGE_MISSING
    layout.data.with_name("moved").rename(layout.data)


def test_one_that_was_killed_is_broken_and_comes_up_again_with_its_data(subject: Subject, layout: Layout) -> None:
    subject.bring_up()
    with subject.connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    _kill(layout, signal.SIGKILL)
    subject.until(ServerPhase.BROKEN)
    cause = subject.platform.observe(subject.instance).cause
    assert cause is not None
    assert cause.code is CauseCode.SERVER_EXITED
    subject.platform.apply_server(subject.target)
    subject.until(ServerPhase.UP)
    with subject.connect() as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_one_that_was_stopped_by_an_operation_is_stopped_and_not_broken(subject: Subject) -> None:
    subject.bring_up()
    _stop(subject)
    cause = subject.platform.observe(subject.instance).cause
    assert cause is not None
    assert cause.code is CauseCode.SERVER_STOPPED


def test_one_that_somebody_else_stopped_is_told_apart(subject: Subject, layout: Layout) -> None:
    subject.bring_up()
    _kill(layout, signal.SIGINT)
    subject.until(ServerPhase.BROKEN)
    cause = subject.platform.observe(subject.instance).cause
    assert cause is not None
    assert (cause.code, "not by an operation" in cause.message) == (CauseCode.SERVER_STOPPED, True)


def test_a_process_that_was_given_its_number_is_not_taken_for_it(subject: Subject, layout: Layout) -> None:
    subject.bring_up()
    pid_file = (layout.data / "postmaster.pid").read_text().splitlines()
    _stop(subject)
    # As after a crash, when the machine has given the number to somebody else: to this very test.
    forged = layout.data / "postmaster.pid"
    forged.write_text("\n".join([str(os.getpid()), *pid_file[1:]]) + "\n")
    os.chown(forged, layout.place.owner, layout.place.group)
    assert subject.platform.observe(subject.instance).phase is ServerPhase.STOPPED
    subject.platform.stop_server(subject.target)
    subject.remove()
    assert psutil.pid_exists(os.getpid())


def test_a_frozen_one_is_removed_all_the_same(
    subject: Subject, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_FAST_SECONDS", 0.2)
    monkeypatch.setattr(processes, "_IMMEDIATE_SECONDS", 0.2)
    subject.bring_up()
    _kill(layout, signal.SIGSTOP)
    subject.remove()
    assert subject.objects == []


def test_one_that_is_launched_late_does_not_run(subject: Subject, layout: Layout, local: LocalPlatform) -> None:
    subject.store()
    stale = server.wanted(layout) or "run 1 stale"
    run = command(local.versions["18"], layout, subject.instance.port or 0, address="127.0.0.1")
    subject.with_fence(2).platform.stop_server(subject.with_fence(2).target)
    server.launch(layout, stale, run)
    _settle(layout)
    assert not layout.sockets.exists()
    assert processes.all_of(layout) == []
    subject.with_fence(3).remove()
    server.launch(layout, stale, run)
    assert subject.objects == []


def test_nothing_can_be_changed_about_where_it_listens(subject: Subject, layout: Layout) -> None:
    subject.bring_up()
    with subject.connect() as connection:
        for statement in (
            "ALTER SYSTEM SET listen_addresses = '*'",
            "ALTER SYSTEM SET port = 1",
            "ALTER SYSTEM SET unix_socket_directories = '/tmp'",
        ):
            connection.execute(statement)
    _stop(subject)
    subject.platform.apply_server(subject.target)
    subject.until(ServerPhase.UP)
    with subject.connect() as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)


def test_what_a_client_was_told_is_no_reason_for_its_end(subject: Subject, layout: Layout) -> None:
    subject.bring_up()
    with pytest.raises(psycopg.OperationalError, match="nobody"):
        subject.connect(Login(user="nobody", password="a wrong one"))
    with pytest.raises(psycopg.OperationalError, match="Olympus"), subject.connect() as connection:
        psycopg.connect(connection.info.dsn, password=connection.info.password, options="-c timezone=Mars/Olympus")
    _kill(layout, signal.SIGKILL)
    subject.until(ServerPhase.BROKEN)
    cause = subject.platform.observe(subject.instance).cause
    assert cause is not None
    assert (cause.code, "killed" in cause.message) == (CauseCode.SERVER_EXITED, True)
    assert not [line for line in cause.evidence if "nobody" in line or "Olympus" in line]


def test_its_evidence_is_of_this_start_only_and_without_secrets(subject: Subject) -> None:
    subject.bring_up()
    _stop(subject)
    subject.platform.apply_server(subject.target)
    subject.until(ServerPhase.UP)
    with subject.connect() as connection, pytest.raises(Exception, match="does not exist"):
        connection.execute(f"ALTER ROLE missing PASSWORD '{subject.credentials.user.password}'")
    lines = subject.platform.evidence(subject.instance)
    assert 0 < len(lines) <= 30
    assert "starting PostgreSQL" in lines[0]
    # What a client's statement made of it isn't the server's own.
    assert "missing" not in " ".join(lines)
    assert subject.credentials.user.password not in " ".join(lines)


@pytest.mark.parametrize("end", ["\r", "\v", "\x85", "\u2028", "\n"])
def test_a_client_can_forge_neither_an_entry_nor_the_mark_of_a_start(subject: Subject, end: str) -> None:
    subject.bring_up()
    entry = "2026-11-24 10:00:00.124 UTC [1] startup FATAL:  forged: No space left on device"
    said = end.join(["x", server.START_MARK, entry, ""])
    with subject.connect() as connection, pytest.raises(psycopg.errors.RaiseException):
        connection.execute(f"DO $$ BEGIN RAISE EXCEPTION USING MESSAGE = '{said}'; END $$")
    lines = subject.platform.evidence(subject.instance)
    assert "starting PostgreSQL" in lines[0]
    assert "forged" not in " ".join(lines)


def test_a_log_that_has_grown_large_is_put_aside_at_the_next_start(subject: Subject, layout: Layout) -> None:
    subject.bring_up()
    _stop(subject)
    with (layout.anchor / "log").open("a") as log:
        log.truncate(5 * 2**20)
    subject.platform.apply_server(subject.target)
    subject.until(ServerPhase.UP)
    assert (layout.anchor / "log").stat().st_size < 2**20
    assert (layout.anchor / "log.old").exists()


def test_all_are_shut_down_with_toygres_and_what_is_waited_for_runs_again() -> None:
    with local_platform() as platform, subjects(platform) as make:
        running, stopped = make(), make()
        running.bring_up()
        stopped.bring_up()
        _stop(stopped)
        assert platform.running() == [running.instance.id]
        assert platform.shut_down(PATIENCE) == ShutDown()
        assert platform.running() == []
        assert not [found for subject in (running, stopped) for found in subject.objects if "process" in found]
        assert _resumed(running)
        assert not _resumed(stopped)
        running.until(ServerPhase.UP)
        assert not _resumed(running)
        assert platform.observe(stopped.instance).phase is ServerPhase.STOPPED


def test_a_server_that_does_not_stop_in_time_is_ended_all_the_same_and_loses_nothing() -> None:
    with local_platform() as platform, subjects(platform) as make:
        slow, quick = make(), make()
        slow.bring_up()
        quick.bring_up()
        with slow.connect() as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        # A process that is stopped like this takes note of no signal but one.
        _kill(Layout(platform.place, slow.instance.id), signal.SIGSTOP)
        assert platform.shut_down(2.0) == ShutDown(cut_short=(slow.instance.id,))
        assert not [found for subject in (slow, quick) for found in subject.objects if "process" in found]
        slow.platform.apply_server(slow.target)
        slow.until(ServerPhase.UP)
        with slow.connect() as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_where_nothing_runs_there_is_nothing_to_shut_down() -> None:
    with local_platform() as platform:
        assert platform.shut_down(PATIENCE) == ShutDown()


def _resumed(subject: Subject) -> bool:
    platform, instance = subject.platform, subject.instance
    assert isinstance(platform, LocalPlatform)
    assert instance.port is not None
    return platform.resume(instance.id, instance.port, instance.spec.version)


def _broken(subject: Subject) -> ServerStatus:
    subject.make()
    subject.until(ServerPhase.BROKEN)
    return subject.platform.observe(subject.instance)


def _stop(subject: Subject) -> None:
    subject.platform.stop_server(subject.target)
    subject.until(ServerPhase.STOPPED)


def _kill(layout: Layout, number: signal.Signals) -> None:
    found = processes.postmaster(layout)
    assert found is not None
    processes.send(found, number)


def _settle(layout: Layout) -> None:
    """Until what was launched has become a server or ended."""
    for process in processes.leaders(layout):
        process.wait(10)
