"""Carries faults out: signals to the processes that they meet, and what that took from a worker."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

import psutil
import psycopg

from benchmarks.chaos.plan import Fault, Kind
from benchmarks.frame.samples import say
from benchmarks.frame.stack import Stack

_ATTEMPT_SECONDS = 2.0
_LOOK_SECONDS = 0.05
_HELD = """
SELECT o.id FROM toygres.operations o JOIN toygres.workers w ON w.id = o.owner
WHERE w.pid = %s AND o.ended_at IS NULL
"""


@dataclass(frozen=True, kw_only=True)
class Strike:
    """A fault that was carried out; `held` are the operations whose step the victim held at that moment."""

    fault: Fault
    at: float
    held: tuple[UUID, ...] = ()


@dataclass
class Fire:
    """Strikes one stack, and remembers how."""

    stack: Stack
    strikes: list[Strike] = field(default_factory=list)
    _thaws: list[threading.Timer] = field(default_factory=list)

    def strike(self, fault: Fault) -> None:
        """Carry the fault out; what has no victim right now is left out."""
        act: Callable[[Fault], Strike | None] = {
            Kind.KILL_WORKER: lambda fault: self._meet_worker(fault, signal.SIGKILL),
            Kind.FREEZE_WORKER: lambda fault: self._meet_worker(fault, signal.SIGSTOP),
            Kind.KILL_WEB: lambda fault: self._signal(fault, f"web{fault.number}", signal.SIGKILL),
            Kind.FREEZE_WEB: lambda fault: self._signal(fault, f"web{fault.number}", signal.SIGSTOP),
            Kind.KILL_BEAT: lambda fault: self._signal(fault, "beat", signal.SIGKILL),
            Kind.KILL_BROKER: lambda fault: self._signal(fault, "broker", signal.SIGKILL),
            Kind.WIPE_BROKER: self._wipe_broker,
            Kind.SILENCE_BROKER: lambda fault: self._signal(fault, "broker", signal.SIGSTOP),
            Kind.KILL_DATABASE: lambda fault: self._signal(fault, "metadata", signal.SIGKILL),
            Kind.RESTART_DATABASE: lambda fault: self._signal(fault, "metadata", signal.SIGINT),
            Kind.CUT_CONNECTIONS: self._cut_connections,
        }[fault.kind]
        strike = act(fault)
        if strike is not None:
            self.strikes.append(strike)

    def thaw(self) -> None:
        """Let everything go on that is frozen still."""
        for timer in self._thaws:
            timer.cancel()
            timer.function(*timer.args)

    def _meet_worker(self, fault: Fault, order: signal.Signals) -> Strike | None:
        """Strike a worker, one that holds a step if there is one soon."""
        names = [f"worker{(fault.number + turn) % 2}" for turn in range(2)]
        until = time.monotonic() + _ATTEMPT_SECONDS
        while time.monotonic() < until:
            for name in names:
                process = self._alive(name)
                if process is not None and (held := self._held(process)):
                    return self._send(fault, process, order, held)
            time.sleep(_LOOK_SECONDS)
        process = self._alive(names[0]) or self._alive(names[1])
        return self._send(fault, process, order, ()) if process else None

    def _signal(self, fault: Fault, name: str, order: signal.Signals) -> Strike | None:
        process = self._alive(name)
        return self._send(fault, process, order, ()) if process else None

    def _send(
        self, fault: Fault, process: psutil.Process, order: signal.Signals, held: tuple[UUID, ...]
    ) -> Strike | None:
        try:
            process.send_signal(order)
        except psutil.NoSuchProcess:
            return None
        if order is signal.SIGSTOP:
            timer = threading.Timer(fault.seconds, _continue, (process,))
            timer.daemon = True
            timer.start()
            self._thaws.append(timer)
        return Strike(fault=fault, at=time.time(), held=held)

    def _wipe_broker(self, fault: Fault) -> Strike | None:
        process = self._alive("broker")
        if process is None:
            return None
        # It must not write what it knows before it dies.
        process.suspend()
        shutil.rmtree(self.stack.broker.home.broker / "appendonlydir", ignore_errors=True)
        return self._send(fault, process, signal.SIGKILL, ())

    def _cut_connections(self, fault: Fault) -> Strike | None:
        with suppress(psycopg.Error), self._database() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            return Strike(fault=fault, at=time.time())
        return None

    def _alive(self, name: str) -> psutil.Process | None:
        """The process, unless it has ended or is frozen."""
        with suppress(KeyError, psutil.Error):
            process = self.stack.process(name)
            if process.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE):
                return process
        return None

    def _held(self, process: psutil.Process) -> tuple[UUID, ...]:
        with suppress(psycopg.Error), self._database() as connection:
            return tuple(row[0] for row in connection.execute(_HELD, [process.pid]))
        return ()

    def _database(self) -> psycopg.Connection[tuple[UUID, ...]]:
        return psycopg.connect(self.stack.metadata.url, autocommit=True, connect_timeout=1)


def _continue(process: psutil.Process) -> None:
    # It may have been killed while it was frozen.
    with suppress(psutil.NoSuchProcess):
        process.resume()


def told(strikes: list[Strike]) -> None:
    """Say what has been done so far."""
    say(f"{len(strikes)} faults, {sum(bool(strike.held) for strike in strikes)} while the victim held a step")
