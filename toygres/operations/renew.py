"""Renew: a new certificate for a running server, taken up without a restart; ordered before the old one ends."""

from __future__ import annotations

from toygres.domain.instance import InstanceState
from toygres.domain.operation import Operation, Step, Within
from toygres.operations.certificate import apply_certificate, await_certificate
from toygres.operations.create import verify_login

RENEW = Operation(
    kind="renew",
    title="Renew an instance's certificate",
    allowed_from=frozenset({InstanceState.READY}),
    gives=InstanceState.READY,
    steps=(
        Step(apply_certificate),
        Step(await_certificate, within=Within.CERTIFICATE),
        Step(verify_login, within=Within.LOGIN),
    ),
)
