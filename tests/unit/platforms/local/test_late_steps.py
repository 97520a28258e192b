"""A worker that is frozen in the middle of a step and thawed after the delete leaves nothing behind."""

from __future__ import annotations

import pickle
import queue
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from making import PATIENCE, Subject

from toygres.platforms.local import processes
from toygres.platforms.local.folder_events import folder_events
from toygres.platforms.local.layout import LOG, PARTIAL, Layout
from toygres.platforms.local.platform import LocalPlatform
from toygres.platforms.protocol import ServerPhase, Target

_WORKER = """
import pickle, sys
from pathlib import Path
from toygres.config import load
from toygres.errors import ToygresError
from toygres.platforms.local.platform import LocalPlatform
home, step, target = pickle.load(sys.stdin.buffer)
try:
    getattr(LocalPlatform("local", load(home=home)), step)(target)
except (ToygresError, OSError) as failed:
    sys.exit(type(failed).__name__)
"""


@contextmanager
def _worker(local: LocalPlatform, subject: Subject, step: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that takes `step`; killed at the end if it still runs."""
    home = local.place.control
    process = subprocess.Popen([sys.executable, "-c", _WORKER], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    there = subject.target
    # Without what asks a ledger, which isn't needed there and can't be sent.
    bare = Target(
        instance=there.instance,
        fence=there.fence,
        operation_id=there.operation_id,
        installation_id=there.installation_id,
    )
    pickle.dump((home, step, bare), process.stdin)
    process.stdin.flush()
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_one_that_copied_the_data_writes_none(local: LocalPlatform, subject: Subject, layout: Layout) -> None:
    subject.platform.apply_credentials(subject.target, lambda: subject.credentials)
    with _appearing(layout, PARTIAL) as appeared, _worker(local, subject, "apply_storage") as worker:
        appeared.get(timeout=PATIENCE)
        worker.send_signal(signal.SIGSTOP)
        subject.with_fence(2).remove()
        assert subject.objects == []
        worker.send_signal(signal.SIGCONT)
        assert worker.wait(PATIENCE) != 0
    assert subject.objects == []


def test_one_that_is_killed_while_it_copies_is_followed_by_another(
    local: LocalPlatform, subject: Subject, layout: Layout
) -> None:
    subject.platform.apply_credentials(subject.target, lambda: subject.credentials)
    with _appearing(layout, PARTIAL) as appeared, _worker(local, subject, "apply_storage") as worker:
        appeared.get(timeout=PATIENCE)
        worker.kill()
    subject.with_fence(2).bring_up()
    assert [path.name for path in layout.anchor.iterdir() if path.name.startswith("data")] == ["data"]


def test_one_that_is_killed_once_it_has_launched_leaves_a_server_that_is_found(
    local: LocalPlatform, subject: Subject, layout: Layout
) -> None:
    subject.store()
    with _appearing(layout, LOG) as appeared, _worker(local, subject, "apply_server") as worker:
        appeared.get(timeout=PATIENCE)
        worker.kill()
    subject.until(ServerPhase.UP)
    before = processes.postmaster(layout)
    subject.with_fence(2).make()
    assert processes.postmaster(layout) == before


@contextmanager
def _appearing(layout: Layout, beginning: str) -> Iterator[queue.Queue[str]]:
    """Names that appear in the instance's folder and begin so."""
    names: queue.Queue[str] = queue.Queue()
    events = folder_events()
    events.add(layout.anchor, lambda name: names.put(name) if name.startswith(beginning) else None)
    try:
        yield names
    finally:
        events.close()
