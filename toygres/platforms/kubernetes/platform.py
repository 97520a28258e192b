"""The Kubernetes platform: each instance is a StatefulSet of one pod, with its volume, Service and Secrets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import structlog

from toygres.config import Settings
from toygres.domain.instance import Credentials, Endpoint, Instance
from toygres.domain.operation import NotYet
from toygres.errors import Cause, CauseCode, Refused, Unavailable
from toygres.platforms.kubernetes import (
    applying,
    calls,
    manifests,
    offers,
    removing,
    resources,
    tls,
)
from toygres.platforms.kubernetes.causes import service
from toygres.platforms.kubernetes.client import Cluster, ensure_namespace
from toygres.platforms.kubernetes.fence import Fence
from toygres.platforms.kubernetes.names import PORT, SERVICE_ACCOUNT, Names
from toygres.platforms.kubernetes.observing import WATCHED, look
from toygres.platforms.kubernetes.owner import Owner
from toygres.platforms.kubernetes.removing import Removal
from toygres.platforms.kubernetes.resources import Resource
from toygres.platforms.kubernetes.sight import Sight
from toygres.platforms.kubernetes.slim import slim
from toygres.platforms.protocol import Capabilities, Target

log = structlog.get_logger(__name__)

# What no watch tells of is looked at again so soon.
_UNWATCHED_SECONDS = 2.0
# No namespace has this UID.
_NOWHERE = "absent"


class KubernetesPlatform(Sight):
    """Implements `toygres.platforms.protocol.Platform` on a cluster. Making one asks nobody."""

    kind = "kubernetes"

    def __init__(self, name: str, settings: Settings, cluster: Cluster | None = None) -> None:
        super().__init__(cluster or Cluster(settings.kube_context), settings)
        self.name = name
        self._fence = Fence(self._cluster, settings)
        self._expected: str | None = None
        self._lock = threading.Lock()
        self._prepared: set[str] = set()

    def describe(self) -> str:
        """The cluster, its context, and the namespace there. Raises Misconfigured."""
        return f"{self._cluster.describe()}, namespace {self._namespace('default')}"

    def identity(self) -> str | None:
        """The UID of the default project's namespace; None when nobody can tell now.

        It is made when it may be, unless one is expected: then it is another place where there is none.
        """
        try:
            if self._expected is not None:
                return self._cluster.identity(self._namespace("default")) or _NOWHERE
            return ensure_namespace(self._cluster, manifests.namespace(self._namespace("default")))
        except (Refused, Unavailable) as untold:
            log.info("cluster_identity_untold", reason=str(untold))
            return None

    def expect(self, identity: str) -> None:
        """Write nothing unless the namespace is this one."""
        self._expected = identity

    def capabilities(self) -> Capabilities:
        """What can be asked for here."""
        return offers.capabilities(self._settings)

    def check(self) -> None:
        """Return when the API server answers, and is that of the cluster that was expected. Raises Unavailable."""
        try:
            self._cluster.version()
            self._require_same_place()
        except Refused as refused:
            raise Unavailable(refused.cause.message, refused.cause.remedy) from refused

    def port_in_use(self, port: int) -> bool:
        """No instance has a port of its own here."""
        return False

    def apply_credentials(self, target: Target, credentials: Callable[[], Credentials]) -> None:
        """Make the anchor, then both Secrets and the server's certificate."""
        place = self._prepare(target.instance.project)
        owner, made = self._fence.ensure_anchor(place, target)
        # What the anchor owns can't have been there before it.
        found = None if made else self.credentials(target.instance)
        if found is None:
            found = credentials()
        authority = tls.apply(self._cluster, target, place, owner, self._settings, anew=made)
        # The user's last: both logins count as kept once both are there.
        for manifest in (manifests.monitor, manifests.credentials):
            body = manifest(target, place, owner, self._settings, found, authority)
            applying.apply(self._cluster, body, target)

    def remove_credentials(self, target: Target) -> str:
        """Remove Secrets, configuration and policy, and the anchor when nothing else is left."""
        names = Names.of(target.instance)
        return " ".join(
            (
                self._remove(target, resources.SECRETS, (names.credentials, names.monitor, names.tls)),
                self._remove(target, resources.CONFIG_MAPS, (names.config,), only=True),
                self._remove(target, resources.NETWORK_POLICIES, (names.policy,)),
                self._remove(target, resources.CONFIG_MAPS, (names.anchor,), only=True),
            )
        )

    def apply_storage(self, target: Target) -> None:
        """Make the volume claim."""
        place = self._namespace(target.instance.project)
        self._fence.passed(place, target)
        made = applying.apply(self._cluster, manifests.data(target, place, self._settings), target)
        self._fence.take_back_if_late(resources.VOLUME_CLAIMS, place, target, made)

    def remove_storage(self, target: Target) -> str:
        """Delete the volume claim, and with it the data. Raises NotYet until it is gone."""
        try:
            return self._remove(target, resources.VOLUME_CLAIMS, (Names.of(target.instance).data,))
        except NotYet:
            # A step that came late may have made the server once more: its pod would keep the claim for ever.
            self.remove_server(target)
            raise

    def apply_server(self, target: Target) -> None:
        """Configure the server, and have it run; with another certificate, if its own is about to end, or is gone."""
        place = self._namespace(target.instance.project)
        owner = self._fence.passed(place, target)
        tls.apply(self._cluster, target, place, owner, self._settings, self._outside(target.instance))
        self._apply(target, self._server(target, place, owner, replicas=1))

    def stop_server(self, target: Target) -> None:
        """Have no pod of it run; everything else stays."""
        place = self._namespace(target.instance.project)
        if calls.get(self._cluster, resources.STATEFUL_SETS, place, Names.of(target.instance).stateful_set) is None:
            self._fence.passed_unless_gone(place, target)
        else:
            self._apply(target, self._server(target, place, self._fence.passed(place, target), replicas=0))

    def remove_server(self, target: Target) -> str:
        """Remove the StatefulSet. Raises NotYet until its pod is gone."""
        names = Names.of(target.instance)
        try:
            return self._remove(target, resources.STATEFUL_SETS, (names.stateful_set,), and_gone=(resources.PODS,))
        except NotYet as going:
            # What keeps a pod for long is worth more than that it is there.
            raise NotYet(self._stuck(target.instance) or going.cause) from None

    def apply_service(self, target: Target) -> Endpoint:
        """Make the Service; the address is its load balancer's if that has one already, else its own in the cluster."""
        place = self._namespace(target.instance.project)
        owner = self._fence.passed(place, target)
        made = applying.apply(self._cluster, manifests.service(target, place, owner, self._settings), target)
        outside = service.address(slim("Service", made.object))
        return Endpoint(host=outside, port=PORT) if outside else self._inside(target.instance)

    def await_address(self, target: Target) -> Endpoint:
        """The load balancer's address, which the server's certificate then holds for, too. Raises NotYet."""
        place = self._namespace(target.instance.project)
        seen = look(self._cluster, place, target.instance.id)
        if pending := service.pending(seen):
            raise NotYet(pending.cause)
        address = service.address(seen.service) if seen.service else None
        if address is None:
            raise Refused(_no_service(target.instance))
        self._certify(target, (address,))
        return Endpoint(host=address, port=PORT)

    def apply_certificate(self, target: Target) -> None:
        """Issue a certificate where the server's is about to end, or lacks a name."""
        self._certify(target, self._outside(target.instance))

    def remove_service(self, target: Target) -> str:
        """Remove the Service."""
        return self._remove(target, resources.SERVICES, (Names.of(target.instance).service,))

    def make_ahead(self, stop: threading.Event) -> None:
        """Nothing is made ahead."""
        stop.wait()

    def _prepare(self, project: str) -> str:
        """The project's namespace, with what every instance in it needs. Raises Refused for another cluster."""
        place = self._namespace(project)
        with self._lock:
            if place in self._prepared:
                return place
        self._require_same_place()
        ensure_namespace(self._cluster, manifests.namespace(place))
        if calls.get(self._cluster, resources.SERVICE_ACCOUNTS, place, SERVICE_ACCOUNT) is None:
            calls.create(self._cluster, manifests.service_account(place))
        with self._lock:
            self._prepared.add(place)
        return place

    def _require_same_place(self) -> None:
        """Return when this is the cluster that the metadata DB knows. Raises Refused, Unavailable."""
        if self._expected is not None:
            if self._cluster.identity(self._namespace("default")) != self._expected:
                raise Refused(_another_cluster(self.describe()))
            self._expected = None

    def _server(self, target: Target, place: str, owner: Owner, *, replicas: int) -> list[calls.Object]:
        bodies = [manifests.config(target, place, owner, self._settings)]
        if self._settings.kube_network_policy:
            bodies.append(manifests.network_policy(target, place, owner, self._settings))
        else:
            removing.remove(self._cluster, resources.NETWORK_POLICIES, place, target)
        return [*bodies, manifests.stateful_set(target, place, owner, self._settings, replicas=replicas)]

    def _apply(self, target: Target, bodies: Iterable[calls.Object]) -> None:
        for body in bodies:
            applying.apply(self._cluster, body, target)

    def _remove(
        self,
        target: Target,
        resource: Resource,
        names: Sequence[str],
        *,
        only: bool = False,
        and_gone: Sequence[Resource] = (),
    ) -> str:
        """Remove the instance's objects of a kind, whatever they are called, or `only` those of its own `names`.

        Tells what was removed, of which of the names nothing is left, and what was left alone: what has one of them,
        or the instance's label, and isn't its own. Raises NotYet while one of its own, or one of `and_gone`, is there.
        """
        self._require_same_place()
        place = self._namespace(target.instance.project)
        self._fence.passed_unless_gone(place, target)
        wanted = names if only else None
        removal = removing.remove(self._cluster, resource, place, target, names=wanted)
        if removal.asked or and_gone:
            left = removing.awaited(self._cluster, (resource, *and_gone), place, target, names=wanted)
            if left:
                raise NotYet(_going(left), None if resource in WATCHED else _UNWATCHED_SECONDS)
        others = () if only else removing.bearing(self._cluster, resource, place, target, names)
        return _removed(removal, [resource.named({"name": name}) for name in names], others)

    def _stuck(self, instance: Instance) -> Cause | None:
        # A delete waits on, whatever else can't be looked at.
        with suppress(Refused, Unavailable):
            cause = self.glance(instance).cause
            return cause if cause and cause.code is CauseCode.POD_STUCK else None
        return None

    def _certify(self, target: Target, addresses: Sequence[str]) -> None:
        place = self._namespace(target.instance.project)
        owner = self._fence.passed(place, target)
        tls.apply(self._cluster, target, place, owner, self._settings, addresses)


def _removed(removal: Removal, names: Sequence[str], others: Sequence[str]) -> str:
    """What a step tells that removed something; where it looked more than once, what went before is only seen gone."""
    foreign = list(dict.fromkeys((*removal.foreign, *others)))
    gone = [each for each in names if each not in (*removal.asked, *foreign)]
    told = (
        ("Removed", removal.asked),
        ("Nothing is left of", gone),
        ("Left alone, since it isn't this instance's:", foreign),
    )
    return " ".join(f"{how} {', '.join(which)}." for how, which in told if which)


def _going(left: Sequence[str]) -> Cause:
    return Cause(
        code=CauseCode.STOPPING,
        message=f"Still there: {'; '.join(left)}.",
        remedy="Wait: it is looked at again by itself. A finalizer is taken away by whoever put it there.",
    )


def _no_service(instance: Instance) -> Cause:
    return Cause(
        code=CauseCode.UNEXPECTED,
        message=f"The Service of {instance.name} is gone, or isn't a load balancer any more.",
        remedy="Order the instance again; see who changed the Service.",
    )


def _another_cluster(described: str) -> Cause:
    return Cause(
        code=CauseCode.UNEXPECTED,
        message=f"{described}, isn't the one that this metadata DB knows.",
        remedy="Set TOYGRES_KUBE_CONTEXT and TOYGRES_NAMESPACE to the cluster that it belongs to.",
    )
