"""Retry: a new operation for what one that failed or was cancelled didn't do; the old one stays as it ended."""

from __future__ import annotations

from dataclasses import replace

from toygres import offers, provisioning
from toygres.domain import ids
from toygres.domain.instance import Instance, InstanceState
from toygres.domain.operation import Operation, OperationState
from toygres.domain.quantity import format_bytes, format_millicores
from toygres.domain.records import OperationRecord
from toygres.errors import Bug, Conflict, FieldError, Invalid
from toygres.offers import InstanceRequest
from toygres.operations import CREATE, DELETE, OPERATIONS, RENEW
from toygres.planning import plan
from toygres.platforms.protocol import Platform
from toygres.provisioning import Accepted, Caller
from toygres.secrets import new_credentials
from toygres.services import Services
from toygres.store import credentials, instances, operations
from toygres.store.operations import Plan
from toygres.store.session import Connection

# What each kind that can be tried again makes of its instance; a delete never fails, and is ordered anew.
_PARTICIPLES = {"create": "created", "start": "started", "stop": "stopped", "restart": "restarted"}
_PARTICIPLES[RENEW.kind] = "given a certificate"


def request_retry(services: Services, caller: Caller, operation_id: str, password: str | None = None) -> Accepted:
    """Order again what an operation was to do; `password` is for a create's user, generated when there is none.

    A create takes up its instance again, under the same ID, with a port and credentials of its own.
    Raises NotFound, Conflict when it can't be tried again, and Invalid.
    """
    found = operations.get(services.store, caller.project, operation_id)
    _require_unsuccessful(found)
    if found.kind == CREATE.kind:
        return _create_again(services, caller, found, password)
    if password is not None:
        raise Invalid([_no_password(found.kind)])
    return _order_again(services, caller, found, OPERATIONS[found.kind])


def can_be_retried(services: Services, found: OperationRecord) -> bool:
    """Whether a retry would be accepted as things are now, names and ports aside."""
    instance = instances.find(services.store, found.instance_id)
    if instance is None or instance.operation_id is not None:
        return False
    try:
        _require_unsuccessful(found)
        with services.store.transaction() as connection:
            _require_last(connection, found)
        if found.kind != CREATE.kind:
            provisioning.require_allowed(OPERATIONS[found.kind], instance)
    except Conflict:
        return False
    return True


def _create_again(services: Services, caller: Caller, found: OperationRecord, password: str | None) -> Accepted:
    instance = _instance(services, found)
    platform = _platform_for(services, instance, password)
    provisioning.require_project(platform, instance.project)
    chosen = _plan(services, caller, found, CREATE, replace(instance, state=InstanceState.REQUESTED))
    secret = new_credentials(instance.spec.user, password)
    with services.store.transaction() as connection:
        provisioning.require_idle(connection, instance, _PARTICIPLES[CREATE.kind])
        _require_last(connection, found)
        instances.take_up_again(connection, instance)
        provisioning.take_port(connection, instance.id, platform)
        operations.insert(connection, chosen)
        credentials.put(connection, chosen.id, lambda: services.cipher.seal(secret))
    return provisioning.accepted(services, caller, instance.id, chosen.id)


def _order_again(services: Services, caller: Caller, found: OperationRecord, operation: Operation) -> Accepted:
    instance, participle = _instance(services, found), _PARTICIPLES[operation.kind]
    with services.store.transaction() as connection:
        instance = provisioning.require_idle(connection, instance, participle)
        _require_last(connection, found)
        provisioning.require_allowed(operation, instance)
        chosen = _plan(services, caller, found, operation, instance)
        instances.begin(connection, instance.id, instance.state, provisioning.going(participle))
        operations.insert(connection, chosen)
    return provisioning.accepted(services, caller, instance.id, chosen.id)


def _plan(services: Services, caller: Caller, found: OperationRecord, operation: Operation, on: Instance) -> Plan:
    return replace(plan(operation, on.id, on.spec, on.state, caller, services.settings), retry_of=found.id)


def _instance(services: Services, found: OperationRecord) -> Instance:
    instance = instances.find(services.store, found.instance_id)
    if instance is None:
        raise Bug(f"the instance {found.instance_id} of an operation is gone")
    return instance


def _platform_for(services: Services, instance: Instance, password: str | None) -> Platform:
    """The instance's platform, which still offers what was asked for. Raises Invalid where it doesn't."""
    spec = instance.spec
    platform, _ = offers.check(
        services,
        InstanceRequest(
            name=instance.name,
            version=spec.version,
            storage=format_bytes(spec.storage_bytes),
            cpu=format_millicores(spec.cpu_millicores),
            memory=format_bytes(spec.memory_bytes),
            parameters=spec.parameters,
            password=password,
            platform=instance.platform,
            storage_class=spec.storage_class,
            service_type=spec.service_type,
            allowed_cidrs=spec.allowed_cidrs,
            allowed_namespaces=spec.allowed_namespaces,
        ),
    )
    return platform


def _require_unsuccessful(found: OperationRecord) -> None:
    if found.ended_at is None:
        raise _refusal(found, "it is still going on", "Wait until it has ended, or cancel it.")
    if found.kind not in _PARTICIPLES:
        remedy = "Order it anew." if found.kind == DELETE.kind else "It went on by itself until it had succeeded."
        raise _refusal(found, f"a {found.kind} is never given up, so none is tried again", remedy)
    if found.state not in (OperationState.FAILED, OperationState.CANCELLED):
        raise _refusal(found, f"it {_ENDED[found.state]}", "Only what failed or was cancelled is tried again.")


_ENDED = {OperationState.SUCCEEDED: "succeeded", OperationState.SUPERSEDED: "was superseded by a delete"}


def _require_last(connection: Connection, found: OperationRecord) -> None:
    """Refuse when something else was done to the instance since, which this one might contradict."""
    newer = operations.newest_after(connection, found.id)
    if newer is not None:
        raise _refusal(
            found,
            f"a {newer[1]} of {found.instance_name} came after it",
            "Order it anew, or retry that one if it failed.",
            newest=ids.shown(ids.OPERATION, newer[0]),
        )


def _refusal(found: OperationRecord, why: str, remedy: str, newest: str | None = None) -> Conflict:
    return Conflict(
        f"This {found.kind} can't be tried again: {why}.",
        remedy,
        operation_id=newest or ids.shown(ids.OPERATION, found.id),
    )


def _no_password(kind: str) -> FieldError:
    return FieldError(
        field="password", value=None, message=f"isn't taken by a {kind}", allowed="only with the retry of a create"
    )
