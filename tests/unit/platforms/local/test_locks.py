"""Locks between processes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from toygres.errors import Unavailable
from toygres.platforms.local.locks import locked

_HOLD = """
import fcntl, os, sys
descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(descriptor, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_one_holds_it_at_a_time(tmp_path: Path) -> None:
    inside, most = 0, 0

    def hold() -> None:
        nonlocal inside, most
        for _ in range(20):
            with locked(tmp_path / "lock", 20):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_who_waits_too_long_is_told_so_and_the_lock_is_free_afterwards(tmp_path: Path) -> None:
    with locked(tmp_path / "lock", 1):
        began = time.monotonic()
        with pytest.raises(Unavailable, match="Another process holds"), locked(tmp_path / "lock", 0.2):
            pass
        assert time.monotonic() - began < 5
    with locked(tmp_path / "lock", 5):
        pass


def test_who_waits_gets_it_as_soon_as_its_holder_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _HOLD, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        killer = threading.Timer(0.2, holder.kill)
        killer.start()
        with locked(tmp_path / "lock", 20):
            pass
        killer.join()


def test_a_lock_whose_file_was_removed_meanwhile_is_taken_anew(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path, 1):
        waiting = threading.Thread(target=lambda: _take_and_leave(path))
        waiting.start()
        path.unlink()
    waiting.join(10)
    assert not waiting.is_alive()
    assert path.exists()


def test_its_file_is_nobody_elses(tmp_path: Path) -> None:
    with locked(tmp_path / "lock", 1):
        assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def _take_and_leave(path: Path) -> None:
    with locked(path, 10):
        pass
