"""The table of contents: every operation that can be ordered, by kind."""

from __future__ import annotations

from toygres.domain.operation import Operation, StepFunction
from toygres.operations.create import CREATE
from toygres.operations.delete import DELETE
from toygres.operations.restart import RESTART
from toygres.operations.start import START
from toygres.operations.stop import STOP

__all__ = ["CREATE", "DELETE", "OPERATIONS", "RESTART", "START", "STEPS", "STOP"]

OPERATIONS: dict[str, Operation] = {operation.kind: operation for operation in (CREATE, DELETE, START, STOP, RESTART)}

STEPS: dict[str, StepFunction] = {
    name: function for operation in OPERATIONS.values() for name, function in operation.functions().items()
}
