"""Stop: end the server properly and keep its data."""

from __future__ import annotations

from toygres.domain.instance import InstanceState
from toygres.domain.operation import NotYet, Operation, Step, Within
from toygres.errors import Cause, CauseCode
from toygres.operations.context import Context
from toygres.operations.create import apply_server, await_server, verify_login
from toygres.platforms.protocol import ServerPhase


def stop_server(ctx: Context) -> None:
    """Tell the server to end open sessions and stop."""
    ctx.platform.stop_server(ctx.target)


def start_server_again(ctx: Context) -> None:
    """Run the server that wasn't to be stopped after all, until a client has logged in."""
    apply_server(ctx)
    await_server(ctx)
    verify_login(ctx)


def await_stop(ctx: Context) -> None:
    """Wait until no process of the server is left."""
    status = ctx.platform.observe(ctx.instance)
    if status.phase in (ServerPhase.STOPPED, ServerPhase.ABSENT, ServerPhase.BROKEN):
        return
    raise NotYet(
        status.cause
        or Cause(code=CauseCode.STOPPING, message="The server is stopping.", remedy="Wait: it is looked at again.")
    )


STOP = Operation(
    kind="stop",
    title="Stop an instance and keep its data",
    allowed_from=frozenset({InstanceState.READY}),
    gives=InstanceState.STOPPED,
    otherwise=InstanceState.READY,
    when_cancelled=InstanceState.READY,
    steps=(
        Step(stop_server, undo=start_server_again),
        Step(await_stop, within=Within.SERVER_STOP),
    ),
)
