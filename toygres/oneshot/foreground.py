"""Carries out one operation after the other by the same engine as workers do, beside whoever else may be at work.

The row decides, as ever: a step that a worker takes meanwhile is waited for. Nothing is looked at by the clock alone;
what wakes is the platform's watch, a change of the operation's rows (LISTEN), and the time at which a step is due.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import TracebackType
from typing import Self
from uuid import UUID

import structlog

from toygres.domain.records import OperationRecord
from toygres.engine import Outcome
from toygres.errors import ToygresError, Unavailable
from toygres.oneshot.pulse import Pulse
from toygres.planning import DEFAULT_PROJECT
from toygres.platforms.protocol import EVERYTHING, Platform
from toygres.services import Services
from toygres.store import foreground, operations, sweeps
from toygres.store.changes import Changes

log = structlog.get_logger(__name__)

# Longer than a restart of the DB takes, short enough that nobody waits for one that is gone.
_PATIENCE_SECONDS = 60.0
_AGAIN_SECONDS = 0.2
_PAUSE_SECONDS = 0.5
_FOLLOW_SECONDS = 25.0
_ENDING_SECONDS = 2.0


class Interrupted(Exception):
    """Somebody wants to end this; the operation stands where it stood."""


# What whoever waits is told: the operation as it now is, that somebody wants to end this, or why it can't go on.
Told = OperationRecord | Interrupted | Exception


class _Bell:
    """Wakes one thread, early rings included."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def ring(self) -> None:
        self._rung.set()

    def wait(self, seconds: float) -> None:
        self._rung.wait(None if math.isinf(seconds) else seconds)
        self._rung.clear()


class Foreground:
    """One process's engine within a `with` block, for operations on instances of `platform`.

    `inbox` is where interruptions come from. `mend` is called when the metadata DB doesn't answer.
    """

    def __init__(
        self, services: Services, platform: Platform, inbox: SimpleQueue[Told], mend: Callable[[], None]
    ) -> None:
        self._services = services
        self._store = services.store
        self._platform = platform
        self._inbox = inbox
        self._mend = mend
        self._pulse = Pulse(services, self._away)
        self._changes = Changes(services.store)
        self._bell = _Bell()
        self._woken = threading.Event()
        self._stop = threading.Event()
        self._operation: UUID | None = None
        self._instance: UUID | None = None
        self._threads = [
            threading.Thread(target=self._deliver, name="engine", daemon=True),
            threading.Thread(target=self._watch, name="watch", daemon=True),
        ]

    @property
    def worker_id(self) -> int:
        """The number by which others know this process."""
        return self._pulse.worker_id

    def __enter__(self) -> Self:
        """Begin to live, and to watch."""
        self._pulse.start()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give back what is held."""
        self._operation = None
        self._stop.set()
        self._bell.ring()
        # It listens for two more seconds, which nobody need wait for.
        threading.Thread(target=self._changes.close, name="deafen", daemon=True).start()
        for thread in self._threads:
            thread.join(_ENDING_SECONDS)
        self._pulse.stop()

    def carry_out(self, operation: OperationRecord, show: Callable[[OperationRecord], None]) -> OperationRecord:
        """Carry the operation out, and `show` each change of it; the operation as it ended, whoever ended it.

        Raises Interrupted, after which it stands where it stood; Unavailable when the metadata DB is gone for long.
        """
        followed = threading.Event()
        follower = threading.Thread(target=self._follow, args=(operation.id, followed), name="follow", daemon=True)
        self._instance, self._operation = operation.instance_id, operation.id
        self._bell.ring()
        follower.start()
        try:
            while True:
                match self._inbox.get():
                    case OperationRecord() as found if found.id == operation.id:
                        show(found)
                        if found.ended_at is not None:
                            return found
                    case Exception() as trouble:
                        raise trouble
        finally:
            self._operation = None
            followed.set()

    def _follow(self, operation_id: UUID, stop: threading.Event) -> None:
        revision = -1
        while not stop.is_set():
            try:
                self._changes.wait(operation_id, revision, _FOLLOW_SECONDS)
                found = operations.find(self._store, DEFAULT_PROJECT, operation_id)
            except Unavailable:
                stop.wait(_PAUSE_SECONDS)
                continue
            except ToygresError as trouble:
                self._inbox.put(trouble)
                return
            if found.revision > revision:
                revision = found.revision
                self._inbox.put(found)
                self._bell.ring()
            if found.ended_at is not None:
                return

    def _deliver(self) -> None:
        while not self._stop.is_set():
            operation_id = self._operation
            try:
                pause = math.inf if operation_id is None else self._turn(operation_id)
            except Unavailable:
                pause = _PAUSE_SECONDS
            except Exception as trouble:
                pause = self._give_up(operation_id, trouble)
            if pause > 0:
                self._bell.wait(pause)

    def _give_up(self, operation_id: UUID | None, trouble: Exception) -> float:
        """Tell whoever waits for this operation, unless another has taken its place."""
        if operation_id is None or self._operation != operation_id:
            return 0.0
        self._operation = None
        self._inbox.put(trouble)
        return math.inf

    def _turn(self, operation_id: UUID) -> float:
        """Run the step whose turn it is, if it is time; the seconds until there is something to do again."""
        turn = foreground.turn(self._store, operation_id)
        if turn is None:
            return math.inf
        if turn.held or turn.pause_seconds > 0:
            # Whoever holds it may die: then it is freed, which changes a row.
            return max(turn.pause_seconds, turn.due_seconds if turn.held else 0.0, _AGAIN_SECONDS)
        if turn.waiting and turn.due_seconds > 0 and not self._woken.is_set():
            return turn.due_seconds
        self._woken.clear()
        outcome = self._pulse.engine.run_step(operation_id, turn.step)
        return _AGAIN_SECONDS if outcome is Outcome.DROPPED else 0.0

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self._platform.watch(self._changed, self._stop)
            except Exception as error:
                log.warning("watch_interrupted", platform=self._platform.name, exc_info=error)
            self._stop.wait(_PAUSE_SECONDS)

    def _changed(self, instance_id: UUID) -> None:
        ours = self._instance
        if ours is None or instance_id not in (ours, EVERYTHING):
            return
        try:
            # Noted in the row, too: a step that runs now then looks again when it would wait.
            sweeps.wake(self._store, [ours])
        except Unavailable:
            log.warning("change_untold")
        self._woken.set()
        self._bell.ring()

    def _away(self, seconds: float) -> None:
        self._mend()
        if seconds > _PATIENCE_SECONDS:
            self._inbox.put(Unavailable("The metadata database doesn't answer any more."))
