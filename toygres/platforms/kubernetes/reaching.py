"""The control plane's own way to a server: its Service where that can be reached, else its pod, else a port-forward."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from toygres.domain.instance import Endpoint, Way
from toygres.errors import Cause
from toygres.platforms.kubernetes.causes import login
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.forward import Forward, forward
from toygres.platforms.kubernetes.probing import Kind, Probes


class Ways:
    """Finds the ways of one process."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._probes = Probes()

    @contextmanager
    def to(
        self,
        endpoint: Endpoint,
        authority: str,
        namespace: str,
        pod: str,
        find: Callable[[], str | None],
        balanced: Endpoint | None = None,
    ) -> Iterator[Way]:
        """A way to the server behind the Service `endpoint`; `pod` is its pod, whose address `find` finds, or None.

        `balanced` is where clients come from outside of the cluster, if they do.
        """
        if balanced is not None and self._probes.open(
            Kind.BALANCER, balanced.host, balanced.port, authority, balanced.host
        ):
            yield Way(endpoint=balanced, authority=authority, told="through its load balancer", explain=login.cause)
            return
        unproved = "that its load balancer leads there" if balanced else ""
        known = partial(Way, endpoint=endpoint, authority=authority)
        if self._probes.open(Kind.SERVICE, endpoint.host, endpoint.port, authority, endpoint.host):
            yield known(told="through its Service", unproved=unproved, explain=login.cause)
        elif (address := find()) is not None and self._probes.open(
            Kind.POD, address, endpoint.port, authority, endpoint.host
        ):
            yield known(
                address=address,
                told="at its pod's address",
                unproved="that its Service leads there",
                explain=login.cause,
            )
        else:
            with forward(self._cluster, namespace, pod, endpoint.port) as held:
                yield known(
                    address="127.0.0.1",
                    port=held.port,
                    told="through a port-forward",
                    unproved="that its Service and its network policy let anybody in",
                    explain=_explaining(held),
                )


def _explaining(held: Forward) -> Callable[[str], Cause | None]:
    return lambda said: held.cause or login.cause(said)
