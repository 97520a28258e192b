"""Ordering a delete in the foreground of one command."""

from __future__ import annotations

from toygres.domain import ids
from toygres.domain.instance import Instance
from toygres.domain.records import OperationRecord
from toygres.oneshot import leftovers
from toygres.oneshot.foreground import Foreground
from toygres.planning import Caller
from toygres.provisioning import request_delete
from toygres.services import Services


def caller(foreground: Foreground) -> Caller:
    """The process that orders what it carries out itself."""
    return Caller(actor=leftovers.actor(foreground.worker_id), request_id=ids.shown("req", ids.new()))


def order_delete(services: Services, caller: Caller, instance: Instance) -> OperationRecord:
    """The delete of the instance, which may be going on already."""
    return request_delete(services, caller, ids.shown(ids.INSTANCE, instance.id)).operation
