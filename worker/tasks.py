"""What Celery can run: one task for each step, named as the step is, and the sweep. IDs are all they take."""

from __future__ import annotations

from celery import Task
from celery.exceptions import Ignore

from toygres.domain import ids
from toygres.engine import Outcome
from toygres.operations import STEPS
from worker.app import celery
from worker.runtime import runtime


@celery.task(name="sweep", ignore_result=True)
def sweep() -> None:
    """Publish what is left of every open operation that nobody holds and that is due."""
    runtime().sweep.act()


def _register(step: str) -> Task[[str], None]:
    @celery.task(name=step, ignore_result=True)
    def deliver(operation: str) -> None:
        operation_id = ids.parse(ids.OPERATION, str(operation))
        if operation_id is None or runtime().deliver(operation_id, step) is not Outcome.DONE:
            # Acknowledged, and this copy of the chain ends here.
            raise Ignore

    return deliver


TASKS = {step: _register(step) for step in STEPS}
