"""The data directory: whole and on disk, or not there."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from making import PATIENCE, MakeSubject, Subject

from toygres.domain.instance import Credentials, Login
from toygres.errors import CauseCode, Refused
from toygres.platforms.local.commands import run
from toygres.platforms.local.layout import PARTIAL, Layout
from toygres.platforms.local.place import identity_kwargs
from toygres.platforms.local.platform import LocalPlatform


def test_both_roles_are_what_they_should_be(subject: Subject) -> None:
    subject.bring_up()
    with subject.connect() as connection:
        roles = connection.execute(
            "SELECT rolname, rolsuper, rolconnlimit, left(rolpassword, 14) FROM pg_authid"
            " WHERE rolcanlogin ORDER BY rolname"
        ).fetchall()
    assert roles == [("postgres", True, -1, "SCRAM-SHA-256$"), ("toygres_monitor", False, 5, "SCRAM-SHA-256$")]
    with subject.connect(subject.credentials.monitor) as connection:
        assert connection.execute("SELECT pg_has_role('pg_monitor', 'member')").fetchone() == (True,)


def test_the_servers_promises_hold(subject: Subject) -> None:
    subject.bring_up()
    with subject.connect() as connection:
        for name, value in (
            ("fsync", "on"),
            ("full_page_writes", "on"),
            ("synchronous_commit", "on"),
            ("max_connections", "100"),
            ("data_checksums", "on"),
            ("server_encoding", "UTF8"),
            ("listen_addresses", "127.0.0.1"),
        ):
            assert connection.execute("SELECT current_setting(%s)", [name]).fetchone() == (value,)


@pytest.mark.parametrize("where", ["127.0.0.1", "socket"])
def test_nobody_gets_in_without_the_password(subject: Subject, layout: Layout, where: str) -> None:
    subject.bring_up()
    host = str(layout.sockets) if where == "socket" else where
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        subject.connect(Login(user="postgres", password="guessed"), host=host)
    subject.connect(host=host).close()


def test_a_user_and_a_database_of_any_name_are_made(make_subject: MakeSubject) -> None:
    subject = make_subject()
    user = Login(user="Odd \"na'me\\", password="pässwörd ' \\ \u2168")
    subject.credentials = Credentials(user=user, monitor=subject.credentials.monitor)
    spec = replace(subject.instance.spec, user=user.user, database='da"ta; base')
    subject.instance = replace(subject.instance, spec=spec)
    subject.bring_up()
    with subject.connect() as connection:
        assert connection.execute("SELECT current_user, current_database()").fetchone() == (user.user, spec.database)
    with pytest.raises(psycopg.OperationalError):
        subject.connect(Login(user="postgres", password=""))


def test_what_a_killed_attempt_left_is_ended_and_removed(
    subject: Subject, layout: Layout, local: LocalPlatform
) -> None:
    subject.platform.apply_credentials(subject.target, lambda: subject.credentials)
    partial = layout.anchor / f"{PARTIAL}0-dead"
    run(local.place, ["mkdir", partial], seconds=PATIENCE)
    copying = subprocess.Popen(
        ["/bin/sh", "-c", "read x; #", str(partial)],
        stdin=subprocess.PIPE,
        **identity_kwargs(local.place),
    )
    assert f"process {copying.pid}" in " ".join(subject.objects)
    subject.platform.apply_storage(subject.target)
    assert copying.wait(10) != 0
    copying.communicate()
    assert [path.name for path in layout.anchor.iterdir()] == ["data"]


def test_a_full_disk_is_refused_with_its_remedy_and_leaves_nothing(
    subject: Subject, layout: Layout, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.chmod(0o755)
    copy = folder / "cp"
    # The kernel's own answer to a write on a full disk, half way through the copy.
    copy.write_text('#!/bin/sh\nfor target; do :; done\nmkdir "$target"\nexec /bin/cp /etc/passwd /dev/full\n')
    copy.chmod(0o755)
    subject.platform.apply_credentials(subject.target, lambda: subject.credentials)
    with monkeypatch.context() as patched:
        patched.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        with pytest.raises(Refused) as refused:
            subject.platform.apply_storage(subject.target)
    assert refused.value.cause.code is CauseCode.DISK_FULL
    assert "Free some space" in refused.value.cause.remedy
    assert "No space left" in refused.value.cause.evidence[-1]
    assert list(layout.anchor.iterdir()) == []
    subject.platform.apply_storage(subject.target)


def test_without_credentials_there_is_no_storage(subject: Subject) -> None:
    with pytest.raises(Refused) as refused:
        subject.platform.apply_storage(subject.target)
    assert refused.value.cause.code is CauseCode.CREDENTIALS_MISSING
    assert subject.objects == []


def test_a_version_that_is_not_here_is_refused(subject: Subject) -> None:
    subject.instance = replace(subject.instance, spec=replace(subject.instance.spec, version="7"))
    subject.platform.apply_credentials(subject.target, lambda: subject.credentials)
    with pytest.raises(Refused) as refused:
        subject.platform.apply_storage(subject.target)
    assert refused.value.cause.code is CauseCode.VERSION_MISSING
