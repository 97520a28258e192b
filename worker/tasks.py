"""What Celery can run: one task for each step, named as the step is, and the sweep. IDs are all they take."""

from __future__ import annotations

from celery import Task

from toygres.domain import ids
from toygres.engine import Outcome
from toygres.operations import STEPS
from worker.app import celery
from worker.runtime import runtime


@celery.task(name="sweep", ignore_result=True)
def sweep() -> None:
    """Publish what is left of every open operation that nobody holds and that is due."""
    runtime().sweep.act()


def _register(step: str) -> Task[[str], str]:
    @celery.task(name=step, bind=True, ignore_result=True)
    def deliver(self: Task[[str], str], operation: str) -> str:
        operation_id = ids.parse(ids.OPERATION, str(operation))
        outcome = runtime().deliver(operation_id, step) if operation_id else Outcome.DROPPED
        if outcome is not Outcome.DONE:
            # This copy of the chain ends here; `Ignore` would do that too, but leave the task running in Flower.
            self.request.chain = None
        return outcome.value

    return deliver


TASKS = {step: _register(step) for step in STEPS}
