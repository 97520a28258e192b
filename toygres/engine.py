"""Claim a step, run it, record how it ended. Knows neither Celery nor Flask: the row decides, not the message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from uuid import UUID

import structlog

from toygres.domain import ids
from toygres.domain.authority import Authority
from toygres.domain.instance import Credentials, Endpoint
from toygres.domain.operation import NotYet, StepFunction
from toygres.errors import Cause, CauseCode, Misconfigured, Refused, Unavailable
from toygres.held import Held
from toygres.operations import STEPS
from toygres.operations.context import Context
from toygres.platforms.protocol import Target
from toygres.services import Services
from toygres.store import authorities, claims, credentials, instances, turns
from toygres.store.claims import Claim, Ending
from toygres.turning import abandon, cancel_unheld, deadline_passed

log = structlog.get_logger(__name__)

# A message goes to any worker: soon again, so that one of the right host gets it.
_OTHER_HOST_SECONDS = 1.0
# However long a platform asks to be left alone.
_LONGEST_PLEA = 60.0
# The longest pause before something that didn't answer is asked again.
_MOST_OUTLASTING_SECONDS = 30.0


class Outcome(StrEnum):
    """What a delivery of a step came to, for whoever delivered it."""

    DONE = "done"
    WAITING = "waiting"
    DROPPED = "dropped"
    # What is left isn't what the message's chain goes on with: publish it anew.
    TURNED = "turned"


@dataclass
class _Said:
    """What a step has told so far, and how long the login took that it made, if it made one."""

    told: list[str] = field(default_factory=list)
    login_seconds: float | None = None

    def logged_in(self, seconds: float) -> None:
        """Keep how long it took."""
        self.login_seconds = round(seconds, 4)


@dataclass
class Engine:
    """Runs steps for one worker; `held` is what it believes to hold, and is told with each heartbeat."""

    services: Services
    worker_id: int
    steps: Mapping[str, StepFunction] = field(default_factory=lambda: STEPS)
    held: Held = field(default_factory=Held)

    def run_step(self, operation_id: UUID, step: str) -> Outcome:
        """Run the step if it is its turn; safe at any time, any number of times. Raises Unavailable."""
        # Held before it is claimed: a heartbeat in between must not take the claim for a forgotten one.
        with self.held.delivery(operation_id, step) as delivery:
            held = claims.claim(self.services.store, self.worker_id, operation_id, step)
            if held is None:
                return Outcome.TURNED if cancel_unheld(self.services, operation_id) else Outcome.DROPPED
            delivery.claimed(held.limit_seconds)
            with structlog.contextvars.bound_contextvars(
                operation=ids.shown(ids.OPERATION, operation_id),
                instance=ids.shown(ids.INSTANCE, held.instance.id),
                request=held.request_id,
                step=step,
            ):
                outcome = self._run(held)
                log.info("step_ran", outcome=outcome.value, attempt=held.attempts, fence=held.fence)
                return outcome

    def _run(self, held: Claim) -> Outcome:
        hopeless = _hopeless(held)
        if hopeless is not None:
            return self._fail(held, hopeless)
        function = self.steps.get(held.step)
        if function is None or held.instance.platform not in self.services.platforms:
            # A newer version's step, or a platform that only others were given: another worker knows it.
            cause = _unknown(held.step) if function is None else _elsewhere(held)
            claims.hand_back(self.services.store, held, cause, claims.GRACE_SECONDS)
            return Outcome.DROPPED
        said = _Said()
        try:
            function(self._context(held, said))
        except Exception as error:
            return self._not_done(held, error)
        told = " ".join(filter(None, said.told)).strip()
        return self._after(held, claims.finish(self.services.store, held, told, said.login_seconds), Outcome.DONE)

    def _not_done(self, held: Claim, error: Exception) -> Outcome:
        match error:
            case NotYet():
                return self._park(held, error.cause, error.again_seconds or claims.LOOK_AGAIN_SECONDS)
            case Refused():
                return self._fail(held, error.cause)
            case Unavailable():
                return self._outlast(held, error)
            case Misconfigured():
                # Whoever mends the settings starts this process again, and the step goes on.
                return self._outlast(held, Unavailable(error.message, error.remedy))
        log.warning("attempt_failed", attempt=held.attempts, exc_info=error)
        return self._attempt_failed(held, error)

    def _context(self, held: Claim, said: _Said) -> Context:
        """What the step is handed. Raises NotYet when its platform lives on another machine."""
        if elsewhere := self.services.other_host(held.instance.platform):
            raise NotYet(elsewhere)

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
                authority=partial(authority, self.services, held.instance.project),
                held=partial(claims.is_held, self.services.store, held),
            ),
            platform=self.services.platform(held.instance.platform),
            new_credentials=new_credentials,
            publish_endpoint=publish_endpoint,
            tell=said.told.append,
            logged_in=said.logged_in,
        )

    def _park(self, held: Claim, cause: Cause, later: float) -> Outcome:
        if cause.code is CauseCode.OTHER_HOST:
            # Nobody has looked yet: it takes nothing of the time that the step may wait.
            ending = claims.park(self.services.store, held, cause, later=_OTHER_HOST_SECONDS, bounded=False)
        else:
            ending = claims.park(self.services.store, held, cause, later)
        if ending is None:
            # Lost, or waited for too long: only the latter matches the fence.
            return self._fail(held, _too_long(cause))
        if ending.woken:
            return self._after(held, ending, Outcome.TURNED)
        return self._after(held, ending, Outcome.WAITING)

    def _outlast(self, held: Claim, away: Unavailable) -> Outcome:
        """Try again until the operation's deadline: what doesn't answer now has refused nothing."""
        pause = min(away.retry_after or min(_MOST_OUTLASTING_SECONDS, 2.0 ** min(held.outages, 10)), _LONGEST_PLEA)
        cause = away.cause or Cause(
            code=CauseCode.PLATFORM_UNREACHABLE,
            message=away.message,
            remedy=away.remedy or "Wait: it is tried again by itself.",
        )
        log.warning("platform_away", reason=away.message, pause_seconds=round(pause, 1))
        ending = claims.try_later(self.services.store, held, cause, pause, forgiven=True)
        return self._after(held, ending, Outcome.WAITING)

    def _attempt_failed(self, held: Claim, error: Exception) -> Outcome:
        if held.attempts >= held.max_attempts and not (held.turned or held.persistent):
            return self._fail(held, _of_exception(error, "Look at the worker's log, mend what it names, order again."))
        return self._later(held, _of_exception(error, "It is tried again by itself; the worker's log has the details."))

    def _later(self, held: Claim, cause: Cause) -> Outcome:
        pause = min(claims.LONGEST_PAUSE_SECONDS, 2.0 ** min(held.attempts - 1, 10))
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
        actor = f"worker:{held.worker}"
        abandon(self.services, held.operation_id, held.fence, held.instance, cause, worker=held.worker, actor=actor)
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


def authority(services: Services, project: str, make: Callable[[], Authority]) -> Authority:
    """The project's certificate authority, which `make` makes at its first use."""
    cipher = services.cipher
    return authorities.kept(services.store, project, make, cipher.seal_bytes, cipher.open_bytes)


def _hopeless(held: Claim) -> Cause | None:
    """Why the step isn't even tried: its operation's time is over, or it keeps killing its worker."""
    if held.overdue:
        return deadline_passed(held.step, held.waited_for)
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
    return Cause(
        code=CauseCode.UNEXPECTED,
        message=f"The attempt ended with {type(error).__name__}{_place(error)}.",
        remedy=remedy,
    )


def _place(error: Exception) -> str:
    return f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""


def _unknown(step: str) -> Cause:
    return Cause(
        code=CauseCode.STEP_UNKNOWN,
        message=f"The worker that was handed {step} doesn't know it: another version of Toygres planned it.",
        remedy="Wait: a worker of that version takes it. When none runs any more, start one.",
    )


def _elsewhere(held: Claim) -> Cause:
    return Cause(
        code=CauseCode.PLATFORM_UNREACHABLE,
        message=f"The worker that was handed {held.step} has no platform {held.instance.platform!r} configured.",
        remedy="Wait: a worker that has it takes the step. When there is none, configure the platform in one.",
    )


def _no_credentials() -> Cause:
    return Cause(
        code=CauseCode.CREDENTIALS_MISSING,
        message="The password that the request chose is gone.",
        remedy="Order the instance again.",
    )
