"""A delivery that can be frozen: it runs on a thread of its own, and stops before and after its step's effect."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from uuid import UUID

from driving import Driver

from toygres.domain.operation import StepFunction
from toygres.engine import Outcome
from toygres.operations.context import Context

_PATIENCE = 60.0
_OF_THIS_THREAD = threading.local()


class Killed(BaseException):
    """The process is gone: nothing of what would follow happens."""


class Attempt:
    """One message in one worker's hands. Only one of all attempts and the test itself acts at a time.

    `stopped_at` is "before" or "after" while it is frozen there (or what `stop_here` was told), None once it has ended
    with `outcome`.
    """

    def __init__(self, worker: Driver, operation: UUID, step: str) -> None:
        self.worker = worker
        # What it was claimed as: the engine may have arrived anew since.
        self.worker_id = worker.engine.worker_id
        self.operation = operation
        self.step = step
        self.fence = 0
        self.instance: UUID | None = None
        self.woken = False
        self.killed = False
        self.stopped_at: str | None = None
        self.outcome: Outcome | None = None
        self.error: BaseException | None = None
        self._go = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, name=f"attempt {step}", daemon=True)

    def start(self) -> None:
        """Run until it stops before its effect, or ends since it got no claim."""
        self._thread.start()
        self._wait()

    def go_on(self) -> None:
        """Run until it stops again or ends."""
        self._go.release()
        self._wait()

    def kill(self) -> None:
        """End it where it stands."""
        self.killed = True
        self.go_on()

    def stop(self, at: str) -> None:
        """In the attempt's own thread: stand still until told to go on."""
        self.stopped_at = at
        self._stopped.release()
        assert self._go.acquire(timeout=10 * _PATIENCE)
        if self.killed:
            raise Killed

    def _wait(self) -> None:
        if not self._stopped.acquire(timeout=_PATIENCE):
            raise AssertionError(f"{self.step} hangs")
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        _OF_THIS_THREAD.attempt = self
        try:
            self.outcome = self.worker.engine.run_step(self.operation, self.step)
        except Killed:
            pass
        except BaseException as error:
            self.error = error
        finally:
            self.stopped_at = None
            self._stopped.release()


def stop_here(at: str) -> None:
    """Stop the attempt whose thread this is; nothing when it is none's."""
    attempt: Attempt | None = getattr(_OF_THIS_THREAD, "attempt", None)
    if attempt is not None:
        attempt.stop(at)


def stopping(steps: Mapping[str, StepFunction]) -> dict[str, StepFunction]:
    """The same steps, which stop before and after what they do."""
    return {name: _stopping(step) for name, step in steps.items()}


def _stopping(step: StepFunction) -> StepFunction:
    def run(ctx: Context) -> None:
        attempt: Attempt = _OF_THIS_THREAD.attempt
        attempt.fence, attempt.instance = ctx.target.fence, ctx.instance.id
        attempt.stop("before")
        try:
            step(ctx)
        finally:
            if not attempt.killed:
                attempt.stop("after")

    return run
