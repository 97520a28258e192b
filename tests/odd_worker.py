"""A real worker whose steps do as a test says; `celery worker -I odd_worker` loads it beside the real tasks.

ODD_GATES       a folder: the step `x` waits at the pipe `x` in it, if there is one, before it begins
ODD_PLATFORM    `memory`: the platform has no servers, all of them are up, and nobody logs in
ODD_UNKNOWN     a step that this worker, an older one, doesn't know
ODD_DEAF        seconds after which it minds that it takes nothing
ODD_SECONDS     how long each step takes
ODD_IMPATIENT   seconds after which it gives up a call to Kubernetes, and judges by what hasn't happened: it judges
                again after a tenth of that, and at each look whether a certificate is about to end
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery.signals import worker_init
from celery.worker.control import control_command
from doubles import MemoryPlatform
from driving import without_login

from toygres.platforms.kubernetes import observing, watching
from toygres.platforms.kubernetes.causes import readiness, volume_claim
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.protocol import ServerPhase, ServerStatus
from worker import keeper, selfcheck
from worker.app import celery
from worker.runtime import runtime

GATES = Path(os.environ.get("ODD_GATES", "/nonexistent"))
SECONDS = float(os.environ.get("ODD_SECONDS", "0"))


def _gated(name: str, step: Callable[[Any], None]) -> Callable[[Any], None]:
    def run(ctx: Any) -> None:
        wait_at(name)
        time.sleep(SECONDS)
        step(ctx)

    return run


def wait_at(name: str) -> None:
    """Wait until a test opens the pipe of this name; pass when there is none."""
    with contextlib.suppress(FileNotFoundError):
        # Open for writing, too, so that opening doesn't wait, and what waits is one read whatever the gate is called.
        gate = os.open(GATES / name, os.O_RDWR)
        os.read(gate, 1)
        os.close(gate)


@worker_init.connect
def be_odd(**_: Any) -> None:
    """Change what this worker runs, before it takes anything."""
    here = runtime()
    steps = dict(here.engine.steps)
    if os.environ.get("ODD_PLATFORM") == "memory":
        platforms: Any = here.services.platforms
        platforms["local"] = MemoryPlatform(name="local", status=ServerStatus(phase=ServerPhase.UP))
        steps = without_login(steps)
    here.engine.steps = {name: _gated(name, step) for name, step in steps.items()}
    celery.tasks.pop(os.environ.get("ODD_UNKNOWN", ""), None)
    if patience := os.environ.get("ODD_IMPATIENT"):
        _be_impatient(float(patience))
    selfcheck.NEGLECTED_SECONDS = float(os.environ.get("ODD_DEAF", selfcheck.NEGLECTED_SECONDS))


def _be_impatient(seconds: float) -> None:
    readiness._PATIENCE_SECONDS = volume_claim._SILENT_SECONDS = watching._LIST_SECONDS = seconds
    observing._JUDGE_AGAIN_SECONDS = seconds / 10
    Cluster.send.__kwdefaults__["read_seconds"] = seconds
    keeper._RENEWAL_SECONDS = 0.0


@control_command()
def block(state: Any) -> None:
    """Keep the thread that receives messages."""
    wait_at("main_thread")
