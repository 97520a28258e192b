"""This machine's way to an instance on Kubernetes: as it is where its host is known, else through a port-forward."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from toygres.cli.output import say

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
    ways = Ways(Cluster(settings().kube_context))
    with ways.to(
        endpoint, credentials["ca_certificate"], _namespace(credentials), f"{instance['name']}-0", None
    ) as way:
        if way.unproved:
            say(f"Connected {way.told}.")
        yield way


def _namespace(credentials: Json) -> str:
    """The namespace in the name of a Service: NAME.NAMESPACE.svc and what follows."""
    from toygres.config import settings

    parts = str(credentials["host"]).split(".")
    return parts[1] if len(parts) > 2 and parts[2] == "svc" else settings().kube_namespace
