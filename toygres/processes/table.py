"""The one table of processes: what `up` starts, what the Procfile and docker-compose.yml must say."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from signal import Signals

from toygres.home import Home


class Stage(IntEnum):
    """When a process starts; they stop in the opposite order."""

    STORES = 0
    ANSWERING = 1
    REST = 2


@dataclass(frozen=True, kw_only=True)
class ProcessRow:
    """One process. `setting` names what replaces an embedded one; its command is then None.

    Under `up`, which has one of each, a process may run `inside` another, which gets `alone` as more words then.
    """

    name: str
    does: str
    stage: Stage
    command: Callable[[Home], tuple[str, ...]] | None = None
    setting: str | None = None
    inside: str | None = None
    alone: tuple[str, ...] = ()
    stop_signal: Signals = signal.SIGTERM
    death_signal: Signals = signal.SIGTERM


def _web(_: Home) -> tuple[str, ...]:
    return ("gunicorn", "--config", "python:web.gunicorn", "web.app:create_app()")


def _worker(_: Home) -> tuple[str, ...]:
    # Mingling waits a second for other workers' answers; nobody here needs them.
    return ("celery", "-A", "worker", "worker", "--without-mingle", "--without-gossip")


def _beat(home: Home) -> tuple[str, ...]:
    return ("celery", "-A", "worker", "beat", f"--schedule={home.path}/beat-schedule")


def _flower(home: Home) -> tuple[str, ...]:
    return ("celery", "-A", "worker.monitor", "flower", f"--conf={home.flower_config}")


PROCESSES: tuple[ProcessRow, ...] = (
    ProcessRow(
        name="metadata",
        does="The metadata DB: a PostgreSQL of `up`'s own, on a Unix socket.",
        stage=Stage.STORES,
        setting="database_url",
        stop_signal=signal.SIGINT,
        death_signal=signal.SIGQUIT,
    ),
    ProcessRow(
        name="broker",
        does="The broker: a Valkey of `up`'s own, on a Unix socket.",
        stage=Stage.STORES,
        setting="redis_url",
    ),
    ProcessRow(name="web", does="The API and the page.", stage=Stage.ANSWERING, command=_web),
    ProcessRow(
        name="worker",
        does="Runs steps; sweeps and observes.",
        stage=Stage.ANSWERING,
        command=_worker,
        alone=("--with-beat",),
    ),
    ProcessRow(name="beat", does="One more caller of the sweep.", stage=Stage.REST, command=_beat, inside="worker"),
    ProcessRow(name="flower", does="Flower: shows steps as Celery sees them.", stage=Stage.REST, command=_flower),
)


def row(name: str) -> ProcessRow:
    """The row called `name`. Raises KeyError."""
    return {process.name: process for process in PROCESSES}[name]
