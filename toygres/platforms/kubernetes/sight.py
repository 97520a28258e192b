"""The half of the Kubernetes platform that writes nothing: what is to be seen of instances, and the way to them."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from toygres.config import Settings
from toygres.domain.instance import Credentials, Endpoint, Instance, ServiceType, Way
from toygres.errors import Cause, Refused, Unavailable
from toygres.platforms.kubernetes import audit, calls, keeping, removing, resources, tls
from toygres.platforms.kubernetes.causes import last_words, service
from toygres.platforms.kubernetes.causes.judge import judge, refine
from toygres.platforms.kubernetes.causes.seen import Seen
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.names import PORT, Names, hosts, namespace
from toygres.platforms.kubernetes.observing import Observation, look_at_server
from toygres.platforms.kubernetes.reaching import Ways
from toygres.platforms.kubernetes.remembered import Exits
from toygres.platforms.kubernetes.slim import slim
from toygres.platforms.local.scrub import scrubbed
from toygres.platforms.protocol import ServerPhase, ServerStatus, Trace

_LOG_LINES = 40


class Sight:
    """Looks at a cluster for one process, and while that observes knows what the watches tell."""

    def __init__(self, cluster: Cluster, settings: Settings) -> None:
        self._cluster = cluster
        self._settings = settings
        self._ways = Ways(cluster)
        self._lately = keeping.Lately(cluster)
        self._exits = Exits()
        self._observation: Observation | None = None

    def observe(self, instance: Instance) -> ServerStatus:
        """The server as it is now."""
        if (observation := self._current()) is not None:
            told = self._judged(instance, observation.seen(instance.id))
            # If it has come up since, the watches are about to tell; nobody need ask.
            if told.phase is ServerPhase.STARTING:
                return told
        # All else may be older than this step's own writes, or another worker's.
        return self._judged(instance, look_at_server(self._cluster, self._place(instance), instance.id, self._exits))

    def glance(self, instance: Instance) -> ServerStatus:
        """The server as the watches tell it, where this process has them; else as it is now."""
        observation = self._current()
        seen = observation.seen(instance.id) if observation else None
        status = self._judged(instance, seen) if seen else self.observe(instance)
        if status.phase is ServerPhase.UP and (cut_off := self._cut_off(instance, seen or Seen())):
            return ServerStatus(phase=ServerPhase.STARTING, cause=cut_off)
        return status

    @contextmanager
    def reach(self, instance: Instance, *, inside: bool = False) -> Iterator[Way | None]:
        """Through its Service, at its pod's address, or through a port-forward: the first that leads there."""
        place, pod = self._place(instance), Names.of(instance).pod
        kept = self._lately.credentials(place, instance)
        if instance.endpoint is None or kept is None or kept.authority is None:
            yield None
            return
        outside = () if inside else self._outside(instance)
        balanced = Endpoint(host=outside[0], port=PORT) if outside else None
        find = functools.partial(self._address, instance)
        with self._ways.to(self._inside(instance), kept.authority, place, pod, find, balanced) as way:
            yield way

    def credentials(self, instance: Instance, *, lately: bool = False) -> Credentials | None:
        """Both logins, or None."""
        place = self._place(instance)
        return self._lately.credentials(place, instance, anew=not lately)

    def certificate(self, instance: Instance) -> str | None:
        """What the server's Secret has."""
        found = keeping.secret(self._cluster, self._place(instance), Names.of(instance).tls, instance)
        return found.get("tls.crt") if found else None

    def certificate_is_old(self, instance: Instance) -> bool:
        """Whether less than a third of its time is left, or the server goes by a name that it lacks."""
        outside = self._outside(instance)
        return tls.is_old(self._cluster, instance, self._place(instance), self._settings, outside)

    def evidence(self, instance: Instance) -> tuple[str, ...]:
        """The server's last log lines, of its last run too."""
        return self._scrubbed(instance, last_words.own_lines(self._log(instance)))

    def objects(self, instance_id: UUID) -> Sequence[str]:
        """Every object of the instance."""
        return removing.remaining(self._cluster, self._namespace("default"), instance_id)

    def found(self, installation_id: UUID) -> Mapping[UUID, Trace]:
        """Every instance that an object in the namespace says it belongs to."""
        return audit.found(self._cluster, self._namespace("default"), installation_id)

    def watch(self, changed: Callable[[UUID], None], stop: threading.Event) -> None:
        """Tell whose objects changed, until `stop` is set."""
        self._observation = Observation(self._cluster, self._namespace("default"), changed, self._exits)
        try:
            self._observation.run(stop)
        finally:
            self._observation = None

    def _namespace(self, project: str) -> str:
        return namespace(self._settings, project)

    def _place(self, instance: Instance) -> str:
        return self._namespace(instance.project)

    def _inside(self, instance: Instance) -> Endpoint:
        host = hosts(instance.name, self._place(instance), self._settings.kube_cluster_domain)[-1]
        return Endpoint(host=host, port=PORT)

    def _outside(self, instance: Instance) -> tuple[str, ...]:
        """The load balancer's address, if clients come through one."""
        endpoint = instance.endpoint
        balanced = instance.spec.service_type is ServiceType.LOAD_BALANCER
        if not balanced or endpoint is None or endpoint == self._inside(instance):
            return ()
        return (endpoint.host,)

    def _current(self) -> Observation | None:
        observation = self._observation
        return observation if observation is not None and observation.is_current else None

    def _address(self, instance: Instance) -> str | None:
        """Where the pod is, when that is known."""
        if observation := self._current():
            pod = observation.seen(instance.id).pod
            return str(address) if (address := (pod or {}).get("status", {}).get("podIP")) else None
        return calls.address_of(self._cluster, self._place(instance), Names.of(instance).pod)

    def _cut_off(self, instance: Instance, seen: Seen) -> Cause | None:
        """Why nobody can connect to a server that is up. Where no Service was seen, it is asked for."""
        if seen.service is None:
            found = calls.get(self._cluster, resources.SERVICES, self._place(instance), Names.of(instance).service)
            seen = replace(seen, service=slim("Service", found) if found else None)
        cut_off = service.unreachable(seen)
        return cut_off.cause if cut_off else None

    def _judged(self, instance: Instance, seen: Seen) -> ServerStatus:
        scrub = functools.partial(self._scrubbed, instance)
        status = judge(seen, datetime.now(UTC), scrub)
        return refine(status, functools.partial(self._log, instance), scrub)

    def _scrubbed(self, instance: Instance, lines: Iterable[str]) -> tuple[str, ...]:
        try:
            kept = self._lately.credentials(self._place(instance), instance)
        except (Refused, Unavailable):
            # They can't be looked for; what looks like a password is hidden all the same.
            kept = None
        return scrubbed(lines, (kept.user.password, kept.monitor.password) if kept else ())

    def _log(self, instance: Instance) -> str:
        """The last lines of the server's log, before them those of the run before it, if there was one."""
        place, pod = self._place(instance), Names.of(instance).pod
        lines: tuple[str, ...] = ()
        for previous in (True, False):
            # It comes from the pod's node, which may be what is ill; what else was seen counts without it.
            with suppress(Refused, Unavailable):
                lines += calls.log_of(self._cluster, place, pod, _LOG_LINES, previous=previous)
        return "\n".join(lines[-_LOG_LINES:])
