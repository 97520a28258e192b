"""A file that tells from outside that this process does its rounds; touched only when one has succeeded."""

from __future__ import annotations

from typing import Any

from celery.signals import after_task_publish, beat_init

from toygres.config import settings


def touch(**_: Any) -> None:
    """Touch the file that TOYGRES_PULSE_FILE names, if it names one. Raises OSError."""
    file = settings().pulse_file
    if file is not None:
        file.touch(mode=0o600)


@beat_init.connect
def watch_beat(**_: Any) -> None:
    """Beat's round is done once the broker has what it sent."""
    after_task_publish.connect(touch)
