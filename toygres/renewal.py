"""Certificates that are about to end are renewed, as operations of their own."""

from __future__ import annotations

import structlog

from toygres.domain import ids
from toygres.domain.instance import Instance, InstanceState
from toygres.domain.records import OperationRecord
from toygres.errors import Conflict
from toygres.planning import Caller
from toygres.provisioning import request_renew
from toygres.services import Services

log = structlog.get_logger(__name__)

ACTOR = "keeper"


def consider(services: Services, found: Instance) -> OperationRecord | None:
    """Order a renewal when this ready instance's certificate is about to end; what was ordered.

    Safe in any number of workers at once: one orders. Raises Refused, Unavailable when the platform can't be asked.
    """
    if found.state is not InstanceState.READY or not services.platform(found.platform).certificate_is_old(found):
        return None
    caller = Caller(actor=ACTOR, request_id=ids.shown("req", ids.new()), project=found.project)
    try:
        ordered = request_renew(services, caller, ids.shown(ids.INSTANCE, found.id)).operation
    except Conflict:
        # Something else goes on with it; it is looked at again.
        return None
    log.info("certificate_renewed", instance=ids.shown(ids.INSTANCE, found.id))
    return ordered
