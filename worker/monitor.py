"""The Celery application for those who only look on, such as Flower: no tasks, and nothing of what they import."""

from __future__ import annotations

from typing import Any

import kombu.transport.redis  # noqa: F401 (else imported when the broker is first met, after `rest`)
from celery import Celery
from celery.signals import import_modules

from toygres import memory
from worker.app import configuration

celery = Celery("toygres")
celery.add_defaults(configuration)


@import_modules.connect(sender=celery)
def rest(**_: Any) -> None:
    """Whoever looks on has imported all that it needs."""
    memory.give_back()
