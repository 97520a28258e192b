"""What wakes the observer."""

from __future__ import annotations

import gc
import queue
import signal
import threading
from uuid import UUID

import psutil
import pytest
from making import PATIENCE, Subject, watching

from toygres.platforms.local import process_ends, processes
from toygres.platforms.local.layout import Layout
from toygres.platforms.local.platform import LocalPlatform
from toygres.platforms.protocol import ServerPhase


def test_every_instance_is_told_once_when_it_begins(subject: Subject) -> None:
    subject.bring_up()
    with watching(subject.platform) as changes:
        _until_told(changes, subject.instance.id)


def test_a_server_that_starts_stops_or_is_killed_is_told(subject: Subject, layout: Layout) -> None:
    subject.store()
    with watching(subject.platform) as changes:
        _until_told(changes, subject.instance.id)
        subject.platform.apply_server(subject.target)
        _until(changes, subject, ServerPhase.UP)
        found = processes.postmaster(layout)
        assert found is not None
        processes.send(found, signal.SIGKILL)
        _until(changes, subject, ServerPhase.BROKEN)
        subject.platform.apply_server(subject.target)
        _until(changes, subject, ServerPhase.UP)
        subject.platform.stop_server(subject.target)
        _until(changes, subject, ServerPhase.STOPPED)
        subject.remove()
        _until(changes, subject, ServerPhase.ABSENT)


def test_one_whose_start_fails_at_once_is_told(subject: Subject, layout: Layout) -> None:
    subject.store()
    (layout.data / "PG_VERSION").unlink()
    with watching(subject.platform) as changes:
        _until_told(changes, subject.instance.id)
        subject.platform.apply_server(subject.target)
        _until(changes, subject, ServerPhase.BROKEN)


def test_what_the_told_one_raises_ends_the_watch(local: LocalPlatform, subject: Subject) -> None:
    subject.platform.apply_credentials(subject.target, lambda: subject.credentials)

    def fail(_instance_id: UUID) -> None:
        raise LookupError("on purpose")

    with pytest.raises(LookupError, match="on purpose"):
        local.watch(fail, threading.Event())


def test_it_gives_back_every_descriptor_and_thread(local: LocalPlatform, subject: Subject) -> None:
    subject.bring_up()
    with watching(local):
        pass
    gc.collect()
    before = psutil.Process().num_fds()
    for _ in range(3):
        with watching(local) as changes:
            _until_told(changes, subject.instance.id)
    assert psutil.Process().num_fds() <= before


def test_systems_without_pidfds_are_told_by_a_thread(subject: Subject, layout: Layout) -> None:
    subject.bring_up()
    found = processes.postmaster(layout)
    assert found is not None
    end = process_ends.by_thread(found)
    processes.send(found, signal.SIGINT)
    assert process_ends.readable(end, PATIENCE)
    end.close()


def _until_told(changes: queue.Queue[UUID | None], instance_id: UUID) -> None:
    while (told := changes.get(timeout=PATIENCE)) != instance_id:
        assert told is not None


def _until(changes: queue.Queue[UUID | None], subject: Subject, phase: ServerPhase) -> None:
    while subject.platform.observe(subject.instance).phase is not phase:
        _until_told(changes, subject.instance.id)
