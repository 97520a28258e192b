"""A disk that is full when an instance is ordered."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from making_stack import Stack

from toygres.domain.operation import OperationState
from toygres.errors import CauseCode
from toygres.home import Home, write_private
from toygres.platforms.local import place

MIB = 2**20


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home on a small file system of its own: filling it harms nobody.

    The servers' user may pass through it, so that its servers live there too.
    """
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = Path(tempfile.mkdtemp(prefix="tg-disk-"))
    folder.chmod(0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m,mode=0755", "none", str(folder)], check=True)
    made = Home(folder / "home")
    made.path.mkdir(mode=0o711)
    made.make()
    write_private(made.secret_keys, Fernet.generate_key().decode())
    monkeypatch.setenv("TOYGRES_HOME", str(made.path))
    yield made
    place.forget(made)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
    folder.rmdir()


def test_a_full_disk_is_told_as_such_and_the_half_made_copy_is_gone(home: Home, stack: Stack) -> None:
    stack.start_worker()
    assert stack.create("first").state is OperationState.SUCCEEDED
    filler = home.path / "filler"
    filler.write_bytes(b"x" * (shutil.disk_usage(home.path).free - 8 * MIB))
    ended = stack.create("second")
    filler.unlink()
    stack.assert_nothing_left(ended)
    assert ended.cause.code is CauseCode.DISK_FULL


def test_a_full_disk_ends_no_worker_and_keeps_none_from_beginning(home: Home, stack: Stack) -> None:
    workers = [stack.start_worker(ODD_PLATFORM="memory", ODD_DEAF="3")]
    filler = home.path / "filler"
    _fill(filler)
    # The broker's file lies there, too: it refuses what is written, and still answers what is asked.
    operation = stack.order()
    workers.append(stack.spawn_worker(ODD_PLATFORM="memory", ODD_DEAF="3"))
    # One that is deaf leaves after twice its three seconds.
    with pytest.raises(subprocess.TimeoutExpired):
        workers[0].wait(timeout=10)
    filler.unlink()
    assert stack.ended(operation).state is OperationState.SUCCEEDED
    assert [worker.poll() for worker in workers] == [None, None]


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass
