"""What a user may ask for: checked against what the platform offers, then written in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from toygres import offers
from toygres.domain import ids
from toygres.domain.instance import Instance, InstanceState
from toygres.domain.operation import Operation
from toygres.domain.records import OperationRecord
from toygres.errors import Bug, Cause, CauseCode, Conflict, Unavailable
from toygres.offers import InstanceRequest
from toygres.operations import CREATE, DELETE, RENEW, RESTART, START, STOP
from toygres.planning import DEFAULT_PROJECT, Caller, allowed, plan
from toygres.platforms.protocol import Platform
from toygres.secrets import new_credentials
from toygres.services import Services
from toygres.store import credentials, installation, instances, operations, turns
from toygres.store.session import Connection
from toygres.turning import cancel_unheld

__all__ = [
    "Accepted",
    "Caller",
    "InstanceRequest",
    "accepted",
    "going",
    "request_cancel",
    "request_delete",
    "request_instance",
    "request_renew",
    "request_restart",
    "request_start",
    "request_stop",
    "require_allowed",
    "require_idle",
    "take_port",
]


# Of these a person who wants something else can only wait for the end.
_NEVER_GIVEN_UP = frozenset({DELETE.kind, "cleanup"})


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """What a request came to: the instance, and the operation that was opened for it."""

    instance: Instance
    operation: OperationRecord


def request_instance(services: Services, caller: Caller, request: InstanceRequest) -> Accepted:
    """Order an instance. Raises Invalid, Conflict when the name is taken, Unavailable when no port is left."""
    platform, spec = offers.check(services, request)
    require_project(platform, caller.project)
    _require_met(services, platform)
    instance_id = ids.new()
    chosen = plan(CREATE, instance_id, spec, InstanceState.REQUESTED, caller, services.settings)
    secret = new_credentials(spec.user, request.password)
    with services.store.transaction() as connection:
        instances.insert(connection, instance_id, caller.project, request.name, platform.name, spec)
        take_port(connection, instance_id, platform)
        operations.insert(connection, chosen)
        credentials.put(connection, chosen.id, lambda: services.cipher.seal(secret))
    return accepted(services, caller, instance_id, chosen.id)


def request_delete(services: Services, caller: Caller, ref: str) -> Accepted:
    """Order that the instance and its data be deleted; takes the place of what else is going on.

    An instance that is being deleted already answers with the operation that does it. Raises NotFound.
    """
    found = instances.get(services.store, caller.project, ref)
    with services.store.transaction() as connection:
        instances.one_request_at_a_time(connection, found.id)
        going_on = operations.open_of(connection, found.id)
        if going_on and going_on[1] == DELETE.kind:
            chosen_id = going_on[0]
        else:
            chosen_id = ids.new()
            superseded = _supersede(connection, found.id, chosen_id, caller)
            # Only now does the state stand still: no operation is open that could change it.
            found = instances.reread(connection, found)
            require_allowed(DELETE, found)
            chosen = plan(DELETE, found.id, found.spec, found.state, caller, services.settings)
            instances.begin(connection, found.id, InstanceState.DELETING, going("deleted"))
            operations.insert(connection, replace(chosen, id=chosen_id, supersedes=superseded))
    return accepted(services, caller, found.id, chosen_id)


def request_start(services: Services, caller: Caller, ref: str) -> Accepted:
    """Order that a stopped instance be started. Raises NotFound and Conflict."""
    return _request(services, caller, ref, START, "started")


def request_stop(services: Services, caller: Caller, ref: str) -> Accepted:
    """Order that a ready instance be stopped; its data stays. Raises NotFound and Conflict."""
    return _request(services, caller, ref, STOP, "stopped")


def request_restart(services: Services, caller: Caller, ref: str) -> Accepted:
    """Order that an instance's server be stopped and run again. Raises NotFound and Conflict."""
    return _request(services, caller, ref, RESTART, "restarted")


def request_renew(services: Services, caller: Caller, ref: str) -> Accepted:
    """Order that a ready instance be given a new certificate if its own is old. Raises NotFound and Conflict."""
    found = instances.get(services.store, caller.project, ref)
    with services.store.transaction() as connection:
        found = require_idle(connection, found, "given a certificate")
        require_allowed(RENEW, found)
        # It can be counted on all the while, so that its row isn't touched.
        chosen = plan(RENEW, found.id, found.spec, found.state, caller, services.settings)
        operations.insert(connection, chosen)
    return accepted(services, caller, found.id, chosen.id)


def request_cancel(services: Services, caller: Caller, operation_id: str) -> OperationRecord:
    """Ask that an operation be cancelled. Raises NotFound, and Conflict when it is too late."""
    found = operations.get(services.store, caller.project, operation_id)
    asked = operations.request_cancel(services.store, caller.project, found.id, caller.actor)
    if not asked and found.cancel_requested_at is None:
        raise _too_late(operations.get(services.store, caller.project, operation_id))
    cancel_unheld(services, found.id)
    return operations.get(services.store, caller.project, operation_id)


def _too_late(found: OperationRecord) -> Conflict:
    # Of what is still open only a delete can't be.
    over, remedy = "has begun", "A delete can be cancelled before its first step only."
    if found.ended_at:
        over, remedy = f"is over ({found.state.value})", "What has ended stays as it ended."
    told = f"The {found.kind} {over}: it can't be cancelled any more."
    return Conflict(told, remedy, operation_id=ids.shown(ids.OPERATION, found.id))


def require_idle(connection: Connection, found: Instance, participle: str) -> Instance:
    """The instance as it stands while no operation is open, nor can be until this transaction ends.

    Raises Conflict when one is, in which case it can't be `participle` (started, stopped, …).
    """
    instances.one_request_at_a_time(connection, found.id)
    going_on = operations.open_of(connection, found.id)
    if going_on:
        raise Conflict(
            f"{found.name} can't be {participle} now: a {going_on[1]} is going on.",
            "Wait until it has ended." if going_on[1] in _NEVER_GIVEN_UP else "Wait until it has ended, or cancel it.",
            operation_id=ids.shown(ids.OPERATION, going_on[0]),
        )
    return instances.reread(connection, found)


def require_allowed(operation: Operation, found: Instance) -> None:
    """Return when the operation may be ordered in the instance's state. Raises Conflict."""
    if not allowed(operation, found):
        states = " or ".join(sorted(state.value for state in operation.allowed_from))
        raise Conflict(
            f"{found.name} is {found.state.value}: a {operation.kind} isn't possible.",
            f"It takes an instance that is {states}.",
            instance_id=ids.shown(ids.INSTANCE, found.id),
        )


def require_project(platform: Platform, project: str) -> None:
    """Return when the project may have instances on the platform. Raises Conflict."""
    limit = platform.capabilities().one_project
    if project != DEFAULT_PROJECT and limit is not None:
        told = f"The platform {platform.name!r} serves the project {DEFAULT_PROJECT!r} only: {limit.why}."
        raise Conflict(told, limit.remedy)


def _require_met(services: Services, platform: Platform) -> None:
    """Return when somebody has once seen which place the platform is. Raises Unavailable."""
    if installation.platform_identity(services.store, platform.name) is None:
        raise Unavailable(
            f"No worker has reached the platform {platform.name!r} yet.",
            "Try again in some seconds; if it stays so, look at a worker's log, or run `toygres doctor` there.",
        )


def take_port(connection: Connection, instance_id: UUID, platform: Platform) -> None:
    """Give the instance a port where the platform has them. Raises Unavailable when none is left."""
    ports = platform.capabilities().ports
    if ports is None:
        return
    if instances.take_port(connection, instance_id, platform.name, ports, platform.port_in_use) is None:
        raise Unavailable(
            f"All {len(ports)} ports of the platform {platform.name!r} ({ports[0]}-{ports[-1]}) belong to instances.",
            "Delete an instance, or widen TOYGRES_INSTANCE_PORTS.",
        )


def accepted(services: Services, caller: Caller, instance_id: UUID, operation_id: UUID) -> Accepted:
    """What a request came to, once its transaction is over."""
    instance = instances.find(services.store, instance_id)
    if instance is None:
        raise Bug(f"the instance {instance_id} of an accepted request is gone")
    return Accepted(instance=instance, operation=operations.find(services.store, caller.project, operation_id))


def _supersede(connection: Connection, instance_id: UUID, successor: UUID, caller: Caller) -> UUID | None:
    """End whatever is open for the instance; its ID."""
    # Again when it ended by itself meanwhile: a cleanup may have taken its place.
    while going_on := operations.open_of(connection, instance_id):
        if turns.supersede(connection, going_on[0], successor, caller.actor):
            return going_on[0]
    return None


def _request(services: Services, caller: Caller, ref: str, operation: Operation, participle: str) -> Accepted:
    found = instances.get(services.store, caller.project, ref)
    with services.store.transaction() as connection:
        found = require_idle(connection, found, participle)
        require_allowed(operation, found)
        chosen = plan(operation, found.id, found.spec, found.state, caller, services.settings)
        instances.begin(connection, found.id, operation.during or found.state, going(participle))
        operations.insert(connection, chosen)
    return accepted(services, caller, found.id, chosen.id)


def going(participle: str) -> Cause:
    """Why an instance isn't available while it is `participle` (started, stopped, …)."""
    return Cause(
        code=CauseCode.STOPPING if participle in ("stopped", "deleted") else CauseCode.STARTING,
        message=f"The instance is being {participle}.",
        remedy="Follow its operation.",
    )
