"""The table of contents: every operation that can be ordered, by kind."""

from __future__ import annotations

from toygres.domain.operation import Operation, StepFunction
from toygres.operations.create import CREATE
from toygres.operations.delete import DELETE
from toygres.operations.renew import RENEW
from toygres.operations.restart import RESTART
from toygres.operations.start import START
from toygres.operations.stop import STOP

__all__ = ["CREATE", "DELETE", "OPERATIONS", "RENEW", "RESTART", "RETIRED", "START", "STEPS", "STOP"]

OPERATIONS: dict[str, Operation] = {
    operation.kind: operation for operation in (CREATE, DELETE, START, STOP, RESTART, RENEW)
}

# Steps and undos that no operation declares any more, under the names that rows may still have: one that is renamed or
# dropped stays here for a release, so that operations which were planned before end.
RETIRED: dict[str, StepFunction] = {}

STEPS: dict[str, StepFunction] = RETIRED | {
    name: function for operation in OPERATIONS.values() for name, function in operation.functions().items()
}
