"""docs/operations.md, written from the declarations: `python -m toygres.operations.document > docs/operations.md`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

from toygres.config import Settings, variable
from toygres.domain.instance import InstanceState
from toygres.domain.operation import Operation, Step, always
from toygres.operations import OPERATIONS


def _setting(name: str) -> str:
    return f"`{variable(name)}` ({Settings.model_fields[name].default:g})"


_HEAD = f"""\
# Operations

<!-- Written by `python -m toygres.operations.document > docs/operations.md`; a test checks that it is fresh. -->

An operation is one durable change to an instance. Its steps are tried in this order; each is safe to run twice.
When a step fails for good, the undo of every step that was ever begun runs, newest first, as more rows of the
same operation. A step that waits holds no worker.

What bounds an operation, with the setting's default in brackets:

- *within*: seconds that a step may wait until it is done
- *limit*: seconds that one attempt may take before its claim ends
- {_setting("step_attempts")}: attempts of a step, with growing pauses between them
- {_setting("operation_seconds")}: seconds for the whole, undoing aside
- {_setting("undo_seconds")}: seconds for undoing

When undoing takes longer, the operation ends `failed` with what is left listed, and an operation `cleanup`
opens for the same instance: it runs the undos that are left, with growing pauses, until nothing is. It can't be
ordered or cancelled; a delete takes its place.
"""


def page() -> str:
    """The whole page, in Markdown."""
    return "\n".join([_HEAD, *(_section(operation) for operation in OPERATIONS.values())])


def _section(operation: Operation) -> str:
    return "\n".join(
        [f"## {operation.kind}", "", f"{operation.title}.", "", *_facts(operation), "", *_table(operation)]
    )


def _facts(operation: Operation) -> Iterator[str]:
    yield f"- Allowed when the instance is: {_states(operation.allowed_from)}"
    if operation.during:
        yield f"- While it runs: `{operation.during}`"
    yield f"- Gives: `{operation.gives}`"
    if operation.persistent:
        yield "- When a step fails: it is tried for ever, with growing pauses"
        yield f"- When cancelled, which only works before its first step: {_state(operation.when_cancelled)}"
    else:
        yield f"- When it failed: {_state(operation.otherwise)}"
        yield f"- When cancelled: {_state(operation.when_cancelled)}"


def _states(allowed: frozenset[InstanceState]) -> str:
    # In the order of an instance's life, which is the order in which the states are declared.
    return ", ".join(f"`{state}`" for state in InstanceState if state in allowed) or "new (there is none of its name)"


def _state(state: InstanceState | None) -> str:
    return f"`{state}`" if state else "as it was before"


def _table(operation: Operation) -> Iterator[str]:
    yield "| step | what it does | undo | within | limit |"
    yield "|---|---|---|---|---|"
    for step in operation.steps:
        yield f"| `{step.name}` | {_sentence(step)} | {_undo(step)} | {_within(step)} | {step.limit:g} |"
    yield ""


def _undo(step: Step) -> str:
    if step.undo is None:
        return ""
    return f"`{step.undo.__name__}`: {_first_line(step.undo)}"


def _within(step: Step) -> str:
    if step.within is None:
        return ""
    return _setting(step.within.value)


def _sentence(step: Step) -> str:
    only = "" if step.needed is always else f" Only where: {_first_line(step.needed)}"
    return _first_line(step.run) + only


def _first_line(function: object) -> str:
    return (inspect.getdoc(function) or "").partition("\n")[0]


if __name__ == "__main__":
    sys.stdout.write(page())
