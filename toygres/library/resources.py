"""Making and removing the same objects as the control plane's steps, by the same platform, in the caller's process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import cast
from uuid import UUID

from toygres import offers
from toygres.domain import ids
from toygres.domain.authority import Authority
from toygres.domain.instance import Instance, InstanceSpec, ServiceType
from toygres.domain.operation import NotYet
from toygres.errors import Cause, CauseCode, NotFound, Refused, ToygresError, Unavailable
from toygres.library.finding import LIBRARY, Place
from toygres.library.shapes import PodStatus, PostgresConfig, PostgresResources
from toygres.offers import InstanceRequest
from toygres.platforms.kubernetes import tls
from toygres.platforms.kubernetes.platform import KubernetesPlatform
from toygres.platforms.protocol import EVERYTHING, Platform, ServerPhase, ServerStatus, Target
from toygres.secrets import new_credentials
from toygres.services import Services

_REMOVE_SECONDS = 120.0
_JOIN_SECONDS = 5.0


def create_postgres_resources(config: PostgresConfig, *, wait_seconds: float = 0.0) -> PostgresResources:
    """Make a PostgreSQL's objects, and wait up to `wait_seconds` until it accepts clients.

    Calling it again with the same `config` goes on with what is there, whose password stays. When it fails, nothing of
    a new one is left. Raises Invalid, Conflict (a control plane's, or somebody else's objects have the name), Refused
    with the cause when it can't come up, Unavailable when the API doesn't answer or the time is over, Misconfigured.
    """
    place = Place(config.namespace)
    spec = _checked(place, config)
    found = place.find(config.name)
    if found is not None:
        found = found.require_ours()
    instance = place.instance(config.name, found.instance.id if found else ids.new(), spec)
    target = _target(place, instance, found.fence if found else 1)
    try:
        _apply(place, target, config.password)
        if wait_seconds > 0:
            _await(place.platform, target, time.monotonic() + wait_seconds)
        return _made(place, instance)
    except BaseException:
        if found is None:
            _clean_up(place.platform, _target(place, instance, target.fence + 1))
        raise


def delete_postgres_resources(
    name: str, *, namespace: str | None = None, wait_seconds: float = _REMOVE_SECONDS
) -> tuple[str, ...]:
    """Remove all of a PostgreSQL, its data too, and wait until it is gone; what there was. Absent is fine.

    Raises Conflict for one that a control plane made, Unavailable when something is left after `wait_seconds`, Refused.
    """
    place = Place(namespace)
    found = place.find(name)
    if found is None:
        return ()
    instance = found.require_ours().instance
    there = tuple(place.platform.objects(instance.id))
    _remove(place.platform, _target(place, instance, found.fence + 1), wait_seconds)
    return there


def get_pod_status(name: str, *, namespace: str | None = None) -> PodStatus:
    """How the server of that name stands, whoever made it; `absent` when there is none. Raises Unavailable, Refused."""
    place = Place(namespace)
    found = place.find(name)
    absent = ServerStatus(phase=ServerPhase.ABSENT)
    status = place.platform.observe(found.instance) if found else absent
    ready = status.phase is ServerPhase.UP
    cause = status.cause or (_absent(name, place) if status == absent else None)
    if cause is None or ready:
        return PodStatus(name=name, phase=status.phase.value, ready=ready)
    return PodStatus(
        name=name,
        phase=status.phase.value,
        ready=False,
        cause=cause.message,
        remedy=cause.remedy,
        code=cause.code.value,
        evidence=cause.evidence,
    )


def get_service_endpoint(name: str, *, namespace: str | None = None) -> str:
    """`HOST:PORT` for clients: the Service's name in the cluster, or its load balancer's address. Raises NotFound."""
    place = Place(namespace)
    found = place.find(name)
    if found is None:
        raise NotFound(f"There is no {name!r} in namespace {place.namespace}.", "Make it first.")
    endpoint = place.endpoint(name)
    if found.instance.spec.service_type is ServiceType.LOAD_BALANCER:
        endpoint = place.balanced(found.instance) or endpoint
    return f"{endpoint.host}:{endpoint.port}"


def _absent(name: str, place: Place) -> Cause:
    told = f"There is no server {name} in namespace {place.namespace}."
    return Cause(code=CauseCode.ABSENT, message=told, remedy="Make it, or look in another namespace.")


def _checked(place: Place, config: PostgresConfig) -> InstanceSpec:
    request = InstanceRequest(
        name=config.name,
        version=config.version,
        storage=config.storage,
        cpu=config.cpu,
        memory=config.memory,
        parameters=config.parameters,
        password=config.password,
        storage_class=config.storage_class,
        service_type=config.service_type,
        allowed_cidrs=config.allowed_cidrs,
        allowed_namespaces=config.allowed_namespaces,
    )
    # Of the services, a check asks for these two alone.
    asked = SimpleNamespace(
        settings=place.settings.model_copy(update={"platform": place.platform.name}),
        platforms={place.platform.name: place.platform},
    )
    return offers.check(cast("Services", asked), request)[1]


def _target(place: Place, instance: Instance, fence: int) -> Target:
    return Target(
        instance=instance,
        fence=fence,
        operation_id=ids.new(),
        installation_id=LIBRARY,
        authority=_Authority(place, instance),
    )


class _Authority:
    """Who signs one instance's certificate: made with it, its key dropped with the process and kept nowhere.

    One that signed before is known by its certificate alone: what it signed stays in use.
    """

    def __init__(self, place: Place, instance: Instance) -> None:
        self._place, self._instance = place, instance
        self._kept: Authority | None = None

    def __call__(self, make: Callable[[], Authority]) -> Authority:
        if self._kept is None:
            before = self._before()
            self._kept = Authority(certificate=before, key="") if before else make()
        return self._kept

    def _before(self) -> str | None:
        """The certificate of who signed before; None when nobody did, or that is about to end."""
        place = self._place
        kept = place.platform.credentials(self._instance)
        if kept is None or tls.is_old(place.cluster, self._instance, place.namespace, place.settings):
            return None
        return kept.authority


def _apply(place: Place, target: Target, password: str | None) -> None:
    platform = place.platform
    platform.apply_credentials(target, lambda: new_credentials(target.instance.spec.user, password))
    platform.apply_storage(target)
    platform.apply_server(target)
    platform.apply_service(target)


def _await(platform: KubernetesPlatform, target: Target, deadline: float) -> None:
    instance = target.instance
    _until(platform, instance.id, lambda: _require_up(platform, instance), deadline)
    if instance.spec.service_type is ServiceType.LOAD_BALANCER:
        _until(platform, instance.id, lambda: platform.await_address(target), deadline)


def _made(place: Place, instance: Instance) -> PostgresResources:
    kept = place.platform.credentials(instance)
    if kept is None or kept.authority is None:
        raise NotFound(f"{instance.name} was deleted meanwhile.", "Make it again.")
    endpoint = place.endpoint(instance.name)
    return PostgresResources(
        name=instance.name,
        namespace=place.namespace,
        host=endpoint.host,
        port=endpoint.port,
        database=instance.spec.database,
        user=kept.user.user,
        password=kept.user.password,
        authority=kept.authority,
    )


def _require_up(platform: Platform, instance: Instance) -> None:
    status = platform.observe(instance)
    if status.phase is ServerPhase.BROKEN and status.cause:
        raise Refused(status.cause)
    if status.phase is not ServerPhase.UP:
        starting = Cause(code=CauseCode.STARTING, message=f"{instance.name} is starting.", remedy="Wait.")
        raise NotYet(status.cause or starting)


def _clean_up(platform: KubernetesPlatform, target: Target) -> None:
    try:
        _remove(platform, target, _REMOVE_SECONDS)
    except ToygresError:
        # Why it wasn't made is what the caller must learn; `delete_postgres_resources` removes the rest.
        return


def _remove(platform: KubernetesPlatform, target: Target, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for step in (
        platform.remove_service,
        platform.remove_server,
        platform.remove_storage,
        platform.remove_credentials,
    ):
        _until(platform, target.instance.id, partial(step, target), deadline)


def _until(platform: Platform, instance_id: UUID, look: Callable[[], object], deadline: float) -> None:
    """Call `look`, again whenever the instance changes, until it raises no NotYet.

    Raises Unavailable once the monotonic clock is past `deadline`.
    """
    if _waits(look) is None:
        return
    with _changes(platform, instance_id) as changed:
        while True:
            # Before the look, so that what comes during it counts.
            changed.clear()
            waits = _waits(look)
            if waits is None:
                return
            left = deadline - time.monotonic()
            if left <= 0:
                why = f"The time is over. {waits.cause.message}"
                raise Unavailable(why, waits.cause.remedy, cause=waits.cause)
            changed.wait(min(left, waits.again_seconds or left))


def _waits(look: Callable[[], object]) -> NotYet | None:
    """Look; what is waited for, when there is something."""
    try:
        look()
    except NotYet as waits:
        return waits
    return None


@contextmanager
def _changes(platform: Platform, instance_id: UUID) -> Iterator[threading.Event]:
    """An event that is set whenever the instance changes, and once at the beginning."""
    changed, stop = threading.Event(), threading.Event()

    def note(which: UUID) -> None:
        if which in (instance_id, EVERYTHING):
            changed.set()

    thread = threading.Thread(target=platform.watch, args=(note, stop), name="watch", daemon=True)
    thread.start()
    try:
        yield changed
    finally:
        stop.set()
        thread.join(_JOIN_SECONDS)
