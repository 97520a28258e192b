"""One worker process's engine, sweep and observer, and how they begin and end together."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from functools import partial
from uuid import UUID

import structlog

from toygres import revival
from toygres.domain import ids
from toygres.engine import Engine, Outcome
from toygres.errors import Bug, Unavailable
from toygres.platforms.protocol import Platform
from toygres.services import Services, meet_unmet
from toygres.store import workers
from worker import pulse, servers
from worker.audit import Audit
from worker.chains import publish, publish_rest
from worker.departure import Departure
from worker.heartbeat import Heartbeat
from worker.keeper import Keeper
from worker.lasting import Lasting
from worker.observer import Observer
from worker.queue import Queue
from worker.selfcheck import Listener, SelfCheck
from worker.sweep import Sweep
from worker.timers import Timer

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 0.5
SWEEP_SECONDS = 1.0
# Workers wait for messages a second at a time, and the broker serves whoever waits longest. A sweep in step with them
# would hand what it publishes to the same worker again and again, which may not know the step.
SWEEP_JITTER = 0.5
SELFCHECK_SECONDS = 1.0
KEEPER_SECONDS = 2.0
MEETING_SECONDS = 10.0
AUDIT_SECONDS = 600.0
# So that several workers don't all look at once.
AUDIT_JITTER = 0.5
OBSERVER_PAUSE_SECONDS = 1.0
PREPARER_PAUSE_SECONDS = 10.0
# What an orderly end after the steps' time may take: giving back claims, telling the broker.
HAND_BACK_SECONDS = 2.0
# Celery's own stop comes on top, and whoever stops us waits for seconds only.
_ENDING_SECONDS = 0.5


def revive(services: Services) -> None:
    """Have the servers started again that ended while no worker ran."""
    try:
        for operation in revival.consider_all(services):
            publish(operation)
    except Unavailable as error:
        log.warning("nobody_revived", reason=error.message)


class Runtime:
    """What a worker process does beside receiving messages."""

    def __init__(self, services: Services) -> None:
        self.services = services
        # Before anybody counts on this worker, so that whoever waited for one finds what it ordered.
        revive(services)
        self.presence = workers.Presence(services.store, socket.gethostname(), os.getpid())
        self.engine = Engine(services, self.presence.arrive())
        self.queue = Queue(services.settings)
        self.sweep = Sweep(services, self.queue, self.presence)
        ending = HAND_BACK_SECONDS + servers.ending_seconds(services.settings)
        self.departure = Departure(services.settings.stop_seconds, self._take_no_more, self.stop, ending)
        self.selfcheck = SelfCheck(services.settings.worker_slots, self.engine.held, self.queue, self.departure)
        self.heartbeat = Heartbeat(services.store, self.presence, self.engine, self.selfcheck.condition)
        keeper = Timer("keeper", KEEPER_SECONDS, Keeper(services).act)
        self._pulse = Timer("heartbeat", HEARTBEAT_SECONDS, self._beat)
        self.timers = [
            self._pulse,
            Timer("sweep", SWEEP_SECONDS, self.sweep.act, SWEEP_JITTER),
            Timer("selfcheck", SELFCHECK_SECONDS, self.selfcheck.act),
            keeper,
            Timer("meeting", MEETING_SECONDS, partial(meet_unmet, services)),
            Timer("audit", AUDIT_SECONDS, Audit(services).act, AUDIT_JITTER),
        ]
        self.lasting = [each for platform in services.here().values() for each in self._for(platform, keeper)]
        self._leaving = False
        self._stopping = threading.Lock()
        self._stopped = False

    def start(self, listener: Listener) -> None:
        """Begin to beat, sweep, observe and prepare; called by the main thread once messages are received."""
        self.departure.on_signals()
        self.selfcheck.listen_through(listener)
        for part in self._parts():
            part.start()

    def _for(self, platform: Platform, keeper: Timer) -> Iterator[Lasting]:
        observer = Observer(self.services, platform, lambda: self.presence.worker_id, keeper.call_now)
        yield Lasting("observer", platform.name, OBSERVER_PAUSE_SECONDS, observer.act)
        # Nothing depends on it but how long a create takes.
        yield Lasting("preparer", platform.name, PREPARER_PAUSE_SECONDS, platform.make_ahead)

    def _parts(self) -> list[Timer | Lasting]:
        return [*self.timers, *self.lasting]

    def _beat(self) -> None:
        self.heartbeat.beat()
        pulse.touch()

    def deliver(self, operation_id: UUID, step: str) -> Outcome:
        """Run a step that a message named; publish anew what a turn has changed."""
        self.selfcheck.took()
        if self._leaving:
            # It is due all the same: another worker's sweep publishes it.
            return Outcome.DROPPED
        outcome = self.engine.run_step(operation_id, step)
        if outcome is Outcome.TURNED:
            publish_rest(self.services.store, operation_id)
        return outcome

    def stop(self) -> None:
        """End what `start` began; what this worker still holds is free at once. Only the first call does it."""
        with self._stopping:
            if self._stopped:
                return
            self._stopped = True
            parts = self._parts()
            for part in parts:
                part.stop()
            # A beat after that would make it arrive anew. The others may be busy for long, and nobody waits for them.
            self._pulse.join(_ENDING_SECONDS)
            self._hand_back()
            for part in parts:
                part.join(_ENDING_SECONDS)
            try:
                self.queue.close()
                self.services.close()
            finally:
                # Last, and here, so that whichever thread comes second waits for it, too.
                servers.end()

    def _take_no_more(self) -> None:
        self._leaving = True
        log.info("worker_leaves", running=self._running())

    def _hand_back(self) -> None:
        if running := self._running():
            log.warning("steps_left_running", steps=running)
        try:
            for operation_id in self.heartbeat.end():
                if not publish_rest(self.services.store, operation_id) and not self.queue.answers():
                    break
        except Unavailable:
            log.warning("departed_without_word")

    def _running(self) -> list[str]:
        return [
            f"{delivery.step} of {ids.shown(ids.OPERATION, delivery.operation_id)}{' (hung)' if delivery.hung else ''}"
            for delivery in self.engine.held.running()
        ]


# Celery's tasks and signals are functions of the process: this is where they find its one runtime.
_OF_THIS_PROCESS: list[Runtime] = []


def begin(services: Services) -> Runtime:
    """Make this process's runtime."""
    _OF_THIS_PROCESS[:] = [Runtime(services)]
    return _OF_THIS_PROCESS[0]


def runtime() -> Runtime:
    """This process's runtime. Raises Bug outside a worker."""
    if not _OF_THIS_PROCESS:
        raise Bug("a step was delivered to a process that isn't a Toygres worker")
    return _OF_THIS_PROCESS[0]


def leave(code: int) -> None:
    """Have this process end, if it is a worker, in an orderly way but soon."""
    for found in _OF_THIS_PROCESS:
        found.departure.go(code)


def end() -> None:
    """Stop this process's runtime, if it has one."""
    for found in _OF_THIS_PROCESS:
        found.stop()
