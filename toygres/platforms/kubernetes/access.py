"""Which cluster is talked to, and as whom: read from a kubeconfig, or from the pod that this process runs in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toygres.errors import Misconfigured

_DEFAULT = Path("~/.kube/config")
_IN_CLUSTER = "KUBERNETES_SERVICE_HOST"
# More than the threads of any process of ours that talk at once; each surplus connection would be thrown away.
_CONNECTIONS = 64


@dataclass(frozen=True)
class Access:
    """One reading of the configuration: the library's `Configuration`, and a client whose pool all threads share."""

    configuration: Any
    client: Any
    context: str | None
    source: str

    @property
    def server(self) -> str:
        """The API server's address."""
        return str(self.configuration.host)


def load(context: str | None, kubeconfig: str | None = None) -> Access:
    """Read it anew: `kubeconfig` (one path, or several with ':' between), else KUBECONFIG, else ~/.kube/config.

    Where there is none of them the pod's own service account is taken. Runs the login command that a kubeconfig may
    name. Raises Misconfigured.
    """
    named = kubeconfig or os.environ.get("KUBECONFIG")
    paths = [Path(part).expanduser() for part in (named or str(_DEFAULT)).split(os.pathsep) if part]
    found = [path for path in paths if path.exists()]
    if found:
        return _from_kubeconfig(os.pathsep.join(map(str, found)), context)
    if named:
        raise Misconfigured(
            f"KUBECONFIG names {named}, and there is no such file.", "Correct it, or write a kubeconfig there."
        )
    if context is None and _IN_CLUSTER in os.environ:
        return _from_pod()
    raise Misconfigured(
        f"No Kubernetes cluster is known: there is no {_DEFAULT}, and KUBECONFIG isn't set.",
        "Set KUBECONFIG to a kubeconfig file.",
    )


def _from_kubeconfig(paths: str, context: str | None) -> Access:
    from yaml import YAMLError

    config, configuration = _library(), _configuration()
    try:
        contexts, current = config.list_kube_config_contexts(paths)
        name = context or current["name"]
        if name not in [known["name"] for known in contexts]:
            raise Misconfigured(
                f"The kubeconfig {paths} has no context {name!r}.",
                f"Set TOYGRES_KUBE_CONTEXT to one of: {', '.join(sorted(known['name'] for known in contexts))}.",
            )
        config.load_kube_config(paths, context=name, client_configuration=configuration)
    except (config.ConfigException, YAMLError, OSError, TypeError, KeyError, ValueError) as wrong:
        raise Misconfigured(f"The kubeconfig {paths} can't be used: {_said(wrong)}.", "Correct it.") from None
    return _access(configuration, name, paths)


def _from_pod() -> Access:
    config, configuration = _library(), _configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
    except (config.ConfigException, OSError) as wrong:
        raise Misconfigured(
            f"This pod's service account can't be used: {_said(wrong)}.",
            "Mount its token (automountServiceAccountToken), or set KUBECONFIG.",
        ) from None
    return _access(configuration, None, "the pod's service account")


def _library() -> Any:
    """The library's module that reads configurations, none of whose functions tell their types."""
    from kubernetes import config

    return config


def _configuration() -> Any:
    from kubernetes import client

    configuration = client.Configuration()
    # By default reads are repeated, and Retry-After slept on, behind our back: no time-out of ours would be kept.
    configuration.retries = False
    configuration.connection_pool_maxsize = _CONNECTIONS
    return configuration


def _access(configuration: Any, context: str | None, source: str) -> Access:
    return Access(configuration, new_client(configuration), context, source)


def new_client(configuration: Any) -> Any:
    """A client with connections of its own."""
    from kubernetes import client

    return client.ApiClient(configuration)


def _said(wrong: Exception) -> str:
    return (str(wrong) or type(wrong).__name__).strip().splitlines()[0].strip(".")
