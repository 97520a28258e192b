"""Restart: end the server properly and run it again; ready once a client has logged in."""

from __future__ import annotations

from toygres.domain.instance import InstanceState
from toygres.domain.operation import Operation, Step, Within
from toygres.operations.certificate import await_certificate
from toygres.operations.create import (
    apply_server,
    apply_service,
    await_address,
    await_server,
    has_load_balancer,
    verify_login,
)
from toygres.operations.start import stop_server_again
from toygres.operations.stop import await_stop, stop_server

RESTART = Operation(
    kind="restart",
    title="Restart an instance",
    # Stopped too: that is how one that failed leaves it, and trying again must be possible.
    allowed_from=frozenset({InstanceState.READY, InstanceState.STOPPED}),
    gives=InstanceState.READY,
    otherwise=InstanceState.STOPPED,
    when_cancelled=InstanceState.STOPPED,
    steps=(
        # One undo for all: wherever it failed, no server is left, which is what `stopped` says.
        Step(stop_server, undo=stop_server_again),
        Step(await_stop, within=Within.SERVER_STOP),
        Step(apply_server),
        Step(apply_service),
        Step(await_server, within=Within.SERVER_START),
        Step(await_address, within=Within.ADDRESS, needed=has_load_balancer),
        Step(await_certificate, within=Within.CERTIFICATE, needed=has_load_balancer),
        Step(verify_login, within=Within.LOGIN),
    ),
)
