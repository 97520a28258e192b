"""Data directories that are prepared ahead: taken once, made again, never half of one."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from making import PATIENCE, MakeSubject, Subject

from toygres.domain.instance import Credentials, Login
from toygres.platforms.local import spares, template
from toygres.platforms.local.commands import CommandFailed, Interrupt, run
from toygres.platforms.local.folder import opened
from toygres.platforms.local.folder_events import folder_events
from toygres.platforms.local.layout import SPARES, Layout
from toygres.platforms.local.locks import locked
from toygres.platforms.local.place import identity_kwargs
from toygres.platforms.local.platform import LocalPlatform


def _refill(local: LocalPlatform, count: int) -> None:
    programs = local.versions["18"]
    kinds = {template.name_of(local.place, programs)} if count else set()
    spares.refill(local.place, programs, count, kinds, Interrupt())


def _names(local: LocalPlatform) -> list[str]:
    with opened(local.place, SPARES) as folder:
        return folder.names()


@pytest.fixture
def one(local: LocalPlatform) -> Iterator[Path]:
    """One spare, and none after the test."""
    _refill(local, 1)
    (name,) = spares.ready(local.place)
    yield local.place.root / SPARES / name
    _refill(local, 0)


def test_a_create_takes_the_spare_itself(one: Path, local: LocalPlatform, subject: Subject, layout: Layout) -> None:
    inode = one.stat().st_ino
    subject.bring_up()
    assert layout.data.stat().st_ino == inode
    assert spares.ready(local.place) == []
    assert [path.name for path in layout.anchor.iterdir() if path.name.startswith("data")] == ["data"]
    with subject.connect(subject.credentials.monitor) as connection:
        assert connection.execute("SELECT pg_has_role('pg_monitor', 'member')").fetchone() == (True,)


def test_a_spare_gets_a_user_and_a_database_of_any_name(one: Path, make_subject: MakeSubject) -> None:
    subject = make_subject()
    user = Login(user='Odd "name', password="pässwörd '")
    subject.credentials = Credentials(user=user, monitor=subject.credentials.monitor)
    subject.instance = replace(subject.instance, spec=replace(subject.instance.spec, user=user.user, database="other"))
    subject.bring_up()
    with subject.connect() as connection:
        assert connection.execute("SELECT current_user, current_database()").fetchone() == (user.user, "other")
    assert not one.exists()


def test_no_role_of_a_spare_has_a_password_and_none_is_let_in_without(one: Path, local: LocalPlatform) -> None:
    statement = "SELECT count(*) AS having FROM pg_authid WHERE rolpassword IS NOT NULL\n"
    programs = local.versions["18"]
    said = run(local.place, [programs / "postgres", "--single", "-D", one, "postgres"], stdin=statement, seconds=30)
    assert 'having = "0"' in said
    rules = [line.split() for line in (one / "pg_hba.conf").read_text().splitlines() if not line.startswith("#")]
    assert {rule[-1] for rule in rules} == {"scram-sha-256"}


def test_of_many_that_take_at_once_each_gets_another_or_none(local: LocalPlatform, subject: Subject) -> None:
    subject.platform.apply_credentials(subject.target, lambda: subject.credentials)
    _refill(local, 2)
    begin = threading.Barrier(6)

    def take(number: int) -> bool:
        with opened(local.place, "instances", subject.instance.id.hex) as anchor:
            begin.wait(PATIENCE)
            return spares.take(local.place, local.versions["18"], anchor, f"taken-{number}")

    with ThreadPoolExecutor(6) as pool:
        taken = list(pool.map(take, range(6)))
    with opened(local.place, "instances", subject.instance.id.hex) as anchor:
        assert anchor.names() == [f"taken-{number}" for number, got in enumerate(taken) if got]
    assert sum(taken) == 2
    assert _names(local) == []


def test_several_that_refill_at_once_make_no_more_than_are_wanted(local: LocalPlatform) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(_refill, [local] * 3, [2] * 3))
    assert len(spares.ready(local.place)) == 2
    _refill(local, 1)
    assert len(_names(local)) == 1
    _refill(local, 0)
    assert _names(local) == []


def test_what_a_killed_one_left_is_ended_and_removed(one: Path, local: LocalPlatform) -> None:
    partial = one.with_name(f"partial-{one.name[:-1]}x")
    run(local.place, ["mkdir", partial], seconds=PATIENCE)
    copying = subprocess.Popen(
        ["/bin/sh", "-c", "read x; #", str(partial)], stdin=subprocess.PIPE, **identity_kwargs(local.place)
    )
    _refill(local, 1)
    assert copying.wait(PATIENCE) != 0
    copying.communicate()
    assert _names(local) == [one.name]


def test_one_of_another_recipe_is_never_taken_and_goes(one: Path, local: LocalPlatform, subject: Subject) -> None:
    old = one.with_name("18.6-00000000-0.0123abcd")
    run(local.place, ["mv", one, old], seconds=PATIENCE)
    subject.store()
    assert _names(local) == [old.name]
    _refill(local, 1)
    assert old.name not in _names(local)
    assert len(spares.ready(local.place)) == 1


def test_a_full_disk_leaves_none_behind_and_creates_go_on(
    local: LocalPlatform, subject: Subject, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake_copy(folder, "exec /bin/cp /etc/passwd /dev/full")
    with monkeypatch.context() as patched:
        patched.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        with pytest.raises(CommandFailed) as failed:
            _refill(local, 1)
    assert failed.value.disk_full
    assert _names(local) == []
    subject.store()


def test_whoever_is_frozen_while_refilling_holds_up_no_create(local: LocalPlatform, subject: Subject) -> None:
    with _refilling_elsewhere(local):
        subject.store()


def test_a_spare_that_was_taken_is_made_again(local: LocalPlatform, subject: Subject) -> None:
    with _making_ahead(local) as appeared:
        first = appeared.get(timeout=PATIENCE)
        subject.store()
        second = appeared.get(timeout=PATIENCE)
        assert spares.ready(local.place) == [second] != [first]
    _refill(local, 0)


def test_the_end_of_making_ahead_ends_the_copy_that_is_going_on(
    local: LocalPlatform, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = folder / "begun"
    os.mkfifo(begun)
    begun.chmod(0o666)
    _fake_copy(folder, f"echo $$ >{begun}\nexec sleep 60")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    with _making_ahead(local):
        pid = int(begun.read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert _names(local) == []


def _fake_copy(folder: Path, script: str) -> None:
    folder.chmod(0o755)
    copy = folder / "cp"
    copy.write_text(f"#!/bin/sh\n{script}\n")
    copy.chmod(0o755)


@contextmanager
def _refilling_elsewhere(local: LocalPlatform) -> Iterator[None]:
    """Within this block somebody else is refilling."""
    with locked(local.place.control / "spares.lock", PATIENCE):
        yield


@contextmanager
def _making_ahead(local: LocalPlatform) -> Iterator[queue.Queue[str]]:
    """The platform makes ahead meanwhile; the name of each spare that becomes ready."""
    with opened(local.place) as root:
        root.make(SPARES)
    names: queue.Queue[str] = queue.Queue()
    events = folder_events()
    events.add(
        local.place.root / SPARES,
        lambda name: names.put(name) if name in spares.ready(local.place) else None,
    )
    stop = threading.Event()
    thread = threading.Thread(target=local.make_ahead, args=(stop,))
    thread.start()
    try:
        yield names
    finally:
        stop.set()
        thread.join(PATIENCE)
        events.close()
        assert not thread.is_alive()
