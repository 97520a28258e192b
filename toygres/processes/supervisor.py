"""Keeps processes running: one thread for each starts it, waits for its end and starts it again.

On Linux a child is told of its parent's death when the *thread* that forked it ends. Here that thread is the one
that waits for the child, so it can't end before it, and `kill -9` of the whole leaves nothing running.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from toygres.errors import ToygresError
from toygres.processes.child import Command, end_of, last_lines, spawn

PAUSES = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_STEADY_SECONDS = 60.0
_LOOK_SECONDS = 0.02


class NotStarted(ToygresError):
    """A process ended while all were starting, or wasn't ready in time; the message has its last words."""


class Keeper:
    """One process, kept running until it is told to stop."""

    def __init__(
        self,
        command: Command,
        restarts: threading.Event,
        *,
        started: Callable[[], None],
        died: Callable[[Keeper, str], None],
        pauses: Sequence[float],
    ) -> None:
        self.command = command
        self._pauses = pauses
        self._thread = threading.Thread(target=self._run, name=f"keeper-{command.name}", daemon=True)
        self._restarts = restarts
        self._started = started
        self._died = died
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._log_began = 0

    @property
    def pid(self) -> int | None:
        """The running process, or None between two."""
        process = self._process
        return process.pid if process else None

    def last_lines(self) -> list[str]:
        """The end of what the process has written since it was started last."""
        return last_lines(self.command.log, since=self._log_began)

    def start(self) -> None:
        """Start the process, and again whenever it ends, until told to stop."""
        self._thread.start()

    def ended(self, seconds: float) -> bool:
        """Wait at most `seconds` for the end of it all; whether it came."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        deaths = 0
        while True:
            began = time.monotonic()
            how = self._run_once()
            if self._stopping.is_set():
                return
            self._died(self, how)
            deaths = 0 if time.monotonic() - began > _STEADY_SECONDS else deaths
            pause = self._pauses[min(deaths, len(self._pauses) - 1)]
            if not self._restarts.is_set() or self._stopping.wait(pause):
                return
            deaths += 1

    def send(self, order: signal.Signals) -> None:
        """Tell the process to stop, for good."""
        with self._lock:
            self._stopping.set()
            if self._process is not None:
                self._process.send_signal(order)

    def kill(self) -> None:
        """End the process and what it forked, for certain."""
        with self._lock:
            self._stopping.set()
            if self._process is not None:
                _kill_group(self._process.pid)

    def _run_once(self) -> str:
        with self._lock:
            if self._stopping.is_set():
                return ""
            self._log_began = end_of(self.command.log)
            try:
                process = self._process = spawn(self.command)
            except OSError as error:
                return f"couldn't be started: {error.strerror}"
        self._started()
        return self._wait(process)

    def _wait(self, process: subprocess.Popen[bytes]) -> str:
        unreaped = _wait_unreaped(process)
        with self._lock:
            if unreaped:
                # So its pid is still its own, and so is the group of what it left behind.
                _kill_group(process.pid)
            code = process.wait()
            self._process = None
        return _ending(code)


class Supervisor:
    """All processes of one `up`.

    `report` hears a sentence about each that ended unasked, `changed` is called whenever one was started; once
    `interrupted` is set, nothing more is waited for. `pauses` are the seconds before a process is started again
    that has ended for the first, second, … time in a row.
    """

    def __init__(
        self,
        report: Callable[[str], None],
        changed: Callable[[], None],
        interrupted: threading.Event,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self._pauses = pauses
        self._interrupted = interrupted
        self._report = report
        self._changed = changed
        self._keepers: dict[str, Keeper] = {}
        self._restarts = threading.Event()
        self._failed = threading.Event()
        self._failure: tuple[Keeper, str] | None = None

    def start(self, command: Command) -> None:
        """Run the command until `stop`."""
        keeper = Keeper(command, self._restarts, started=self._changed, died=self._note_death, pauses=self._pauses)
        self._keepers[command.name] = keeper
        keeper.start()

    def settle(self) -> None:
        """From now on a process that ends is started again; until then its end is a failure to start."""
        self._restarts.set()

    def pids(self) -> dict[str, int]:
        """The processes that run now, by name."""
        return {name: keeper.pid for name, keeper in self._keepers.items() if keeper.pid is not None}

    def await_ready(self, what: str, ready: Callable[[], bool], seconds: float) -> None:
        """Look until `ready()`; raises NotStarted when a process ended instead, or `seconds` are over.

        Raises KeyboardInterrupt when everything is to stop.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if self._interrupted.is_set():
                raise KeyboardInterrupt
            if self._failed.wait(_LOOK_SECONDS):
                raise NotStarted(self.failure())
            if time.monotonic() > deadline:
                raise NotStarted(f"{what} wasn't ready within {seconds:.0f} s.")

    def failure(self) -> str:
        """Which process ended while starting, and its last log lines; empty when none did."""
        if self._failure is None:
            return ""
        keeper, how = self._failure
        lines = "".join(f"\n    {line}" for line in keeper.last_lines())
        return f"{keeper.command.name} {how}; the end of {keeper.command.log}:{lines}"

    def stop(self, names: Iterable[str], seconds: float) -> list[str]:
        """Stop these processes (of them those that were started) in time, or kill them; the names that it took."""
        keepers = [self._keepers[name] for name in names if name in self._keepers]
        deadline = time.monotonic() + seconds
        for keeper in keepers:
            keeper.send(keeper.command.stop_signal)
        late = [keeper for keeper in keepers if not keeper.ended(max(0.0, deadline - time.monotonic()))]
        for keeper in late:
            keeper.kill()
        for keeper in late:
            keeper.ended(1.0)
        return [keeper.command.name for keeper in late]

    def _note_death(self, keeper: Keeper, how: str) -> None:
        if self._restarts.is_set():
            self._report(f"{keeper.command.name} {how}; it is started again.")
            return
        self._failure = self._failure or (keeper, how)
        self._failed.set()


def _wait_unreaped(process: subprocess.Popen[bytes]) -> bool:
    """Wait for the end of the process; whether its pid is still kept for it."""
    if not hasattr(os, "waitid"):  # macOS has it from Python 3.13 on only
        process.wait()
        return False
    try:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was ended by {signal.Signals(-code).name}"
