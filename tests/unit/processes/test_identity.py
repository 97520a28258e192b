from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from toygres.processes import identity, leftovers

DEAF = "import signal; signal.signal(15, signal.SIG_IGN); print(flush=True); signal.pause()"


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-S", "-c", DEAF], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def started(process: subprocess.Popen[bytes]) -> str:
    since = identity.started(process.pid)
    assert since is not None
    return since


def test_a_process_is_known_by_its_pid_and_its_start(stranger: subprocess.Popen[bytes]):
    assert identity.lives(stranger.pid, started(stranger))
    assert not identity.lives(stranger.pid, "another start")
    assert started(stranger) != identity.started(os.getpid())


def test_a_process_that_ended_lives_no_longer_even_unreaped(stranger: subprocess.Popen[bytes]):
    since = started(stranger)
    os.kill(stranger.pid, signal.SIGKILL)
    os.waitid(os.P_PID, stranger.pid, os.WEXITED | os.WNOWAIT)
    assert not identity.lives(stranger.pid, since)
    assert identity.wait_gone(stranger.pid, since, 0.0)


def test_waiting_for_the_end_of_a_process_that_goes_on_is_bounded(stranger: subprocess.Popen[bytes]):
    assert not identity.wait_gone(stranger.pid, started(stranger), 0.05)


def test_a_pid_that_belongs_to_another_process_by_now_is_left_alone(stranger: subprocess.Popen[bytes]):
    leftovers.end([(stranger.pid, "another start")])
    assert stranger.poll() is None


def test_a_leftover_that_does_not_listen_is_killed(stranger: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(leftovers, "_POLITE_SECONDS", 0.1)
    since = started(stranger)
    leftovers.end([(stranger.pid, since)])
    assert not identity.lives(stranger.pid, since)
