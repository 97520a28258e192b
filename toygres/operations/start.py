"""Start: run the server of a stopped instance; ready once a client has logged in."""

from __future__ import annotations

from toygres.domain.instance import InstanceState
from toygres.domain.operation import Operation, Step, Within
from toygres.operations.certificate import await_certificate
from toygres.operations.context import Context
from toygres.operations.create import (
    apply_server,
    apply_service,
    await_address,
    await_server,
    has_load_balancer,
    verify_login,
)
from toygres.operations.stop import await_stop, stop_server


def stop_server_again(ctx: Context) -> None:
    """Stop the server that couldn't be brought up, and wait until it is gone."""
    stop_server(ctx)
    await_stop(ctx)


START = Operation(
    kind="start",
    title="Start an instance",
    # Ready too: after a crash of the machine the row still says so, and there is no server.
    allowed_from=frozenset({InstanceState.STOPPED, InstanceState.READY}),
    gives=InstanceState.READY,
    otherwise=InstanceState.STOPPED,
    when_cancelled=InstanceState.STOPPED,
    steps=(
        Step(apply_server, undo=stop_server_again),
        Step(apply_service),
        Step(await_server, within=Within.SERVER_START),
        Step(await_address, within=Within.ADDRESS, needed=has_load_balancer),
        Step(await_certificate, within=Within.CERTIFICATE, needed=has_load_balancer),
        Step(verify_login, within=Within.LOGIN),
    ),
)
