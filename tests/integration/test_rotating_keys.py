"""The secret keys are changed under a worker that runs: what is on its way arrives all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from making_stack import Stack

from toygres import rotation
from toygres.domain.operation import OperationState
from toygres.keyring import KeyFile


def rotate(stack: Stack, **variables: str) -> subprocess.CompletedProcess[str]:
    """What an operator types, with the stack's home and metadata DB."""
    return subprocess.run(
        [sys.executable, "-m", "toygres", "keys", "rotate"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_is_on_its_way_arrives_and_a_process_with_a_key_that_was_dropped_is_refused(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = stack.start_worker()
    keys = KeyFile(stack.home.secret_keys)
    (oldest,) = keys.read()
    # It has read its keys, and reads no message before they are others.
    worker.send_signal(signal.SIGSTOP)
    first = stack.order("first")
    rotated = rotate(stack)
    assert rotated.returncode == 0, rotated.stderr
    assert "1 password on the way" in rotated.stdout
    second = stack.order("second")
    assert rotation.rotate(stack.services.settings, stack.services.store).dropped == 1
    assert oldest not in keys.read()
    worker.send_signal(signal.SIGCONT)
    for order in (first, second):
        assert stack.ended(order).state is OperationState.SUCCEEDED

    monkeypatch.setenv("TOYGRES_SECRET_KEYS", oldest)
    assert stack.start_worker(ready="worker_cannot_start").wait(30) == 78
    log = (stack.home.logs / "worker1.log").read_text()
    assert "Set TOYGRES_SECRET_KEYS to the installation's keys" in log
    refused = rotate(stack, TOYGRES_SECRET_KEYS=f"{keys.read()[0]},{oldest}")
    assert refused.returncode == 0, refused.stderr
    assert "take the others out of the variable" in refused.stdout
    assert all(key not in log + refused.stdout + rotated.stdout for key in (oldest, *keys.read()))
