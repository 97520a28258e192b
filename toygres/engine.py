"""Claim a step, run it, record how it ended. Knows neither Celery nor Flask: the row decides, not the message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

import structlog

from toygres.domain import ids
from toygres.domain.instance import Credentials, Endpoint
from toygres.domain.operation import NotYet, StepFunction
from toygres.errors import Cause, CauseCode, Refused, Unavailable
from toygres.operations import STEPS
from toygres.operations.context import Context
from toygres.platforms.protocol import Target
from toygres.services import Services
from toygres.store import claims, credentials, instances, operations, turns
from toygres.store.claims import Claim, Ending

log = structlog.get_logger(__name__)

_LONGEST_PAUSE_SECONDS = 300.0


class Outcome(StrEnum):
    """What a delivery of a step came to, for whoever delivered it."""

    DONE = "done"
    WAITING = "waiting"
    DROPPED = "dropped"
    # What is left isn't what the message's chain goes on with: publish it anew.
    TURNED = "turned"


@dataclass
class Engine:
    """Runs steps for one worker; `held` is what it believes to hold, and is told with each heartbeat."""

    services: Services
    worker_id: int
    steps: Mapping[str, StepFunction] = field(default_factory=lambda: STEPS)
    held: set[UUID] = field(default_factory=set)

    def run_step(self, operation_id: UUID, step: str) -> Outcome:
        """Run the step if it is its turn; safe at any time, any number of times. Raises Unavailable."""
        # Held before it is claimed: a heartbeat in between must not take the claim for a forgotten one.
        self.held.add(operation_id)
        try:
            held = claims.claim(self.services.store, self.worker_id, operation_id, step)
            if held is None:
                return self._without_claim(operation_id)
            with structlog.contextvars.bound_contextvars(
                operation=ids.shown(ids.OPERATION, operation_id),
                instance=ids.shown(ids.INSTANCE, held.instance.id),
                request=held.request_id,
                step=step,
            ):
                outcome = self._run(held)
                log.info("step_ran", outcome=outcome.value, attempt=held.attempts, fence=held.fence)
                return outcome
        finally:
            self.held.discard(operation_id)

    def _run(self, held: Claim) -> Outcome:
        function = self.steps.get(held.step)
        if function is None:
            # A newer version's step: another worker knows it.
            claims.hand_back(self.services.store, held, later=claims.GRACE_SECONDS)
            return Outcome.DROPPED
        hopeless = _hopeless(held)
        if hopeless is not None:
            return self._fail(held, hopeless)
        try:
            function(self._context(held))
        except NotYet as wait:
            return self._park(held, wait.cause)
        except Refused as refusal:
            return self._fail(held, refusal.cause)
        except Exception as error:
            log.warning("attempt_failed", attempt=held.attempts, exc_info=error)
            return self._attempt_failed(held, error)
        return self._after(held, claims.finish(self.services.store, held), Outcome.DONE)

    def _context(self, held: Claim) -> Context:
        def new_credentials() -> Credentials:
            ciphertext = credentials.get(self.services.store, held.operation_id)
            if ciphertext is None:
                raise Refused(_no_credentials())
            return self.services.cipher.open(ciphertext)

        def publish_endpoint(endpoint: Endpoint) -> None:
            instances.set_endpoint(self.services.store, held.instance.id, held.fence, held.operation_id, endpoint)

        return Context(
            target=Target(
                instance=held.instance,
                fence=held.fence,
                operation_id=held.operation_id,
                installation_id=self.services.installation_id,
            ),
            platform=self.services.platform(held.instance.platform),
            new_credentials=new_credentials,
            publish_endpoint=publish_endpoint,
        )

    def _park(self, held: Claim, cause: Cause) -> Outcome:
        ending = claims.park(self.services.store, held, cause)
        if ending is None:
            # Lost, or waited for too long: only the latter matches the fence.
            return self._fail(held, _too_long(cause))
        if ending.woken:
            return self._after(held, ending, Outcome.TURNED)
        return self._after(held, ending, Outcome.WAITING)

    def _attempt_failed(self, held: Claim, error: Exception) -> Outcome:
        if held.attempts >= held.max_attempts and not (held.turned or held.persistent):
            return self._fail(held, _of_exception(error, "Look at the worker's log, mend what it names, order again."))
        return self._later(held, _of_exception(error, "It is tried again by itself; the worker's log has the details."))

    def _later(self, held: Claim, cause: Cause) -> Outcome:
        pause = min(_LONGEST_PAUSE_SECONDS, 2.0 ** min(held.attempts - 1, 10))
        return self._after(held, claims.try_later(self.services.store, held, cause, pause), Outcome.WAITING)

    def _fail(self, held: Claim, cause: Cause) -> Outcome:
        """Give up the step; what can't be given up (an undo, a delete) is tried again."""
        if held.persistent or (held.turned and not held.overdue):
            return self._later(held, cause)
        if held.turned:
            return self._abandon(held, cause)
        turned = turns.turn_round(
            self.services.store,
            held.operation_id,
            held.fence,
            "failed",
            self._with_evidence(held, cause),
            worker=held.worker,
            actor=f"worker:{held.worker}",
            undo_seconds=self.services.settings.undo_seconds,
        )
        log.warning("step_failed_for_good", cause=cause.code.value, message=cause.message)
        return Outcome.TURNED if turned else Outcome.DROPPED

    def _abandon(self, held: Claim, cause: Cause) -> Outcome:
        left = self.services.platform(held.instance.platform).objects(held.instance.id)
        cleanup = ids.new()
        if turns.abandon(self.services.store, held, cause, left, cleanup):
            log.error("undo_abandoned", leftovers=list(left), cleanup=ids.shown(ids.OPERATION, cleanup))
        return Outcome.DROPPED

    def _with_evidence(self, held: Claim, cause: Cause) -> Cause:
        """The cause with the server's last log lines, read before anything is cleaned up."""
        if cause.evidence:
            return cause
        try:
            seen = self.services.platform(held.instance.platform).evidence(held.instance)
        except Exception as error:
            log.warning("evidence_unreadable", exc_info=error)
            seen = ()
        return Cause(code=cause.code, message=cause.message, remedy=cause.remedy, evidence=seen)

    def _after(self, held: Claim, ending: Ending | None, outcome: Outcome) -> Outcome:
        if ending is None:
            return Outcome.DROPPED
        if ending.cancelled and not ending.ended:
            cancel_unheld(self.services, held.operation_id)
            return Outcome.TURNED
        return outcome

    def _without_claim(self, operation_id: UUID) -> Outcome:
        return Outcome.TURNED if cancel_unheld(self.services, operation_id) else Outcome.DROPPED


def cancel_unheld(services: Services, operation_id: UUID) -> bool:
    """Turn round an operation that was told to cancel and that nobody holds; False when there is none."""
    found = operations.standing(services.store, operation_id)
    if found is None or found.held or found.turned or not found.cancelled:
        return False
    return turns.turn_round(
        services.store,
        operation_id,
        found.fence,
        "cancelled",
        _CANCELLED,
        worker=None,
        actor="cancel",
        undo_seconds=services.settings.undo_seconds,
    )


_CANCELLED = Cause(
    code=CauseCode.CANCELLED,
    message="The operation was cancelled.",
    remedy="Order it again if it is still wanted.",
)


def _hopeless(held: Claim) -> Cause | None:
    """Why the step isn't even tried: its operation's time is over, or it keeps killing its worker."""
    if held.overdue:
        return Cause(
            code=CauseCode.DEADLINE_PASSED,
            message=f"The operation's deadline passed before {held.step} was done.",
            remedy="See what the steps before it waited for, and order it again.",
        )
    if held.attempts > held.max_attempts and not (held.turned or held.persistent):
        return Cause(
            code=CauseCode.WORKERS_DIED,
            message=f"{held.step} was begun {held.attempts - 1} times, and each time its worker died.",
            remedy="Look at the worker's log; report it when nobody killed the worker.",
        )
    return None


def _too_long(waited_for: Cause) -> Cause:
    return Cause(
        code=waited_for.code,
        message=f"Waited too long: {waited_for.message}",
        remedy=waited_for.remedy,
        evidence=waited_for.evidence,
    )


def _of_exception(error: Exception, remedy: str) -> Cause:
    # Only the kind of error is told: a library's message may hold a connection string.
    known = isinstance(error, Unavailable)
    return Cause(
        code=CauseCode.PLATFORM_UNREACHABLE if known else CauseCode.UNEXPECTED,
        message=str(error) if known else f"The attempt ended with {type(error).__name__}{_place(error)}.",
        remedy=remedy,
    )


def _place(error: Exception) -> str:
    return f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""


def _no_credentials() -> Cause:
    return Cause(
        code=CauseCode.CREDENTIALS_MISSING,
        message="The password that the request chose is gone.",
        remedy="Order the instance again.",
    )
