"""Instances, operations and platforms in the form in which callers are told of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote
from uuid import UUID

from toygres.domain import ids
from toygres.domain.instance import Credentials, Endpoint, Instance, Login
from toygres.domain.quantity import format_bytes, format_millicores
from toygres.domain.records import OperationRecord, Page, StepRecord
from toygres.errors import Cause
from toygres.operations import OPERATIONS
from toygres.platforms.parameters import values
from toygres.platforms.protocol import Bounds, Parameter, Platform
from toygres.services import Services
from web.schemas import told

LIMITS = ("storage", "cpu", "memory")
# Opened by the engine, never ordered, so no declaration has a title for it.
CLEANUP_TITLES = {"cleanup": "Remove what a failed operation left behind"}


def instance(services: Services, found: Instance) -> told.InstanceOut:
    """One instance."""
    return told.InstanceOut(
        id=ids.shown(ids.INSTANCE, found.id),
        name=found.name,
        project=found.project,
        platform=found.platform,
        spec=_spec(found),
        status=told.StatusOut(
            state=found.state,
            endpoint=told.EndpointOut.model_validate(found.endpoint) if found.endpoint else None,
            observed_generation=found.observed_generation,
            not_enforced=_not_enforced(services.here().get(found.platform)),
            login_seconds=found.login_seconds,
        ),
        available=told.AvailableOut(
            value=found.available.value, since=found.available.since, cause=cause(found.available.cause)
        ),
        operation=_operation_id(found.operation_id),
        created_at=found.created_at,
        updated_at=found.updated_at,
    )


def instances(services: Services, page: Page[Instance]) -> told.InstanceList:
    """A page of instances."""
    return told.InstanceList(items=[instance(services, found) for found in page.items], next_cursor=page.next_cursor)


def operation(found: OperationRecord) -> told.OperationOut:
    """One operation with all its steps."""
    return told.OperationOut(
        id=ids.shown(ids.OPERATION, found.id),
        title=title(found.kind),
        instance=told.InstanceName(id=ids.shown(ids.INSTANCE, found.instance_id), name=found.instance_name),
        retry_of=_operation_id(found.retry_of),
        superseded_by=_operation_id(found.superseded_by),
        cause=cause(found.cause),
        leftovers=list(found.leftovers),
        steps=[_step(step) for step in found.steps],
        **_same(
            found,
            "kind state project actor request_id revision created_at started_at ended_at deadline_at"
            " cancel_requested_at",
        ),
    )


def operations(page: Page[OperationRecord]) -> told.OperationList:
    """A page of operations."""
    return told.OperationList(items=[operation(found) for found in page.items], next_cursor=page.next_cursor)


def title(kind: str) -> str:
    """What an operation does, for people."""
    return OPERATIONS[kind].title if kind in OPERATIONS else CLEANUP_TITLES.get(kind, kind)


def cause(found: Cause | None) -> told.CauseOut | None:
    """Why, when there is a why."""
    if found is None:
        return None
    return told.CauseOut(code=found.code, message=found.message, remedy=found.remedy, evidence=list(found.evidence))


def credentials(found: Instance, endpoint: Endpoint, kept: Credentials) -> told.CredentialsOut:
    """How to log in as the instance's user: holds the password."""
    return told.CredentialsOut(
        user=kept.user.user,
        password=kept.user.password,
        host=endpoint.host,
        port=endpoint.port,
        database=found.spec.database,
        uri=_uri(endpoint, found.spec.database, kept.user) + ("?sslmode=require" if kept.authority else ""),
        ca_certificate=kept.authority,
    )


def platform(found: Platform, *, default: bool) -> told.PlatformOut:
    """A platform and what it offers."""
    offers = found.capabilities()
    return told.PlatformOut(
        name=found.name,
        kind=offers.kind,
        default=default,
        versions=list(offers.versions),
        default_version=offers.default_version,
        tls=offers.tls,
        enforced=sorted(offers.enforced),
        storage=_bounds(offers.storage_bytes, format_bytes),
        cpu=_bounds(offers.cpu_millicores, format_millicores),
        memory=_bounds(offers.memory_bytes, format_bytes),
        choices=sorted(offers.choices),
    )


def parameters(found: Platform, version: str) -> told.ParameterList:
    """What may be set on a platform for a version, by name."""
    offered = found.capabilities().parameters.get(version, {})
    items = [_parameter(offered[name]) for name in sorted(offered)]
    return told.ParameterList(version=version, items=items, next_cursor=None)


def _uri(endpoint: Endpoint, database: str, login: Login) -> str:
    user, password, name = (quote(part, safe="") for part in (login.user, login.password, database))
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return f"postgresql://{user}:{password}@{host}:{endpoint.port}/{name}"


def _spec(found: Instance) -> told.SpecOut:
    spec = found.spec
    return told.SpecOut(
        storage=format_bytes(spec.storage_bytes),
        cpu=format_millicores(spec.cpu_millicores),
        memory=format_bytes(spec.memory_bytes),
        parameters=dict(spec.parameters),
        generation=found.generation,
        allowed_cidrs=list(spec.allowed_cidrs),
        allowed_namespaces=list(spec.allowed_namespaces),
        **_same(spec, "version storage_bytes cpu_millicores memory_bytes user database storage_class service_type"),
    )


def _step(step: StepRecord) -> told.StepOut:
    return told.StepOut(
        cause=cause(step.cause),
        **_same(
            step,
            "position name undoes state attempts looks waited_seconds worked_seconds started_at ended_at told"
            " login_seconds",
        ),
    )


def _parameter(found: Parameter) -> told.ParameterOut:
    return told.ParameterOut(
        also=list(found.also),
        choices=list(found.choices),
        allowed=values.allowed(found),
        **_same(found, "name type unit minimum maximum multiple_of default restart category description note"),
    )


def _not_enforced(where: Platform | None) -> list[str]:
    # Of a platform that can't be asked nothing is promised.
    enforced = where.capabilities().enforced if where else frozenset[str]()
    return [limit for limit in LIMITS if limit not in enforced]


def _bounds(bounds: Bounds, form: Callable[[int], str]) -> told.QuantityBoundsOut:
    return told.QuantityBoundsOut(least=form(bounds.least), most=form(bounds.most), default=form(bounds.default))


def _operation_id(uuid: UUID | None) -> str | None:
    return ids.shown(ids.OPERATION, uuid) if uuid else None


def _same(source: object, names: str) -> dict[str, Any]:
    """The attributes that are told as they are."""
    return {name: getattr(source, name) for name in names.split()}
