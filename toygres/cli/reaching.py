"""This machine's way to an instance on Kubernetes: its Service, else its pod's address, else a port-forward."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from toygres.cli.output import say
from toygres.errors import Refused, Unavailable

if TYPE_CHECKING:
    from toygres.platforms.kubernetes.client import Cluster

Json = dict[str, Any]


@contextmanager
def reached(instance: Json, credentials: Json) -> Iterator[dict[str, str]]:
    """What libpq must be told beside host, user and database, for as long as it is held: port, address, certificate.

    Nothing more than the port where the server has no TLS. Raises Misconfigured without a kubeconfig that leads there.
    """
    authority = credentials["ca_certificate"]
    if authority is None:
        yield {"port": str(credentials["port"])}
        return
    with tempfile.NamedTemporaryFile("w", prefix="toygres-", suffix=".crt") as file, _way(instance, credentials) as way:
        file.write(authority)
        file.flush()
        yield {"port": str(way.port or credentials["port"]), "sslmode": "verify-full", "sslrootcert": file.name} | (
            {"hostaddr": way.address} if way.address else {}
        )


@contextmanager
def _way(instance: Json, credentials: Json) -> Iterator[Any]:
    from toygres import logs
    from toygres.config import settings
    from toygres.domain.instance import Endpoint
    from toygres.platforms.kubernetes.client import Cluster
    from toygres.platforms.kubernetes.reaching import Ways

    logs.quiet(settings())
    endpoint = Endpoint(host=credentials["host"], port=credentials["port"])
    cluster, place, pod = Cluster(settings().kube_context), _namespace(credentials), f"{instance['name']}-0"
    find = partial(_address, cluster, place, pod)
    with Ways(cluster).to(endpoint, credentials["ca_certificate"], place, pod, find) as way:
        if way.unproved:
            say(f"Connecting {way.told}, which doesn't prove {way.unproved}.")
        yield way


def _address(cluster: Cluster, namespace: str, pod: str) -> str | None:
    """The pod's address; None also for whoever may not look, since a port-forward needs other rights."""
    from toygres.platforms.kubernetes import calls

    try:
        return calls.address_of(cluster, namespace, pod)
    except (Refused, Unavailable):
        return None


def _namespace(credentials: Json) -> str:
    """The namespace in the name of a Service: NAME.NAMESPACE.svc and what follows."""
    from toygres.config import settings

    parts = str(credentials["host"]).split(".")
    return parts[1] if len(parts) > 2 and parts[2] == "svc" else settings().kube_namespace
