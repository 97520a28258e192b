"""What an instance's Secrets hold, for whoever must know it: both logins, and who signed the server's certificate."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Mapping
from uuid import UUID

from toygres.domain.instance import Credentials, Instance, Login
from toygres.platforms.kubernetes import calls, resources
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.labels import instance_id_of
from toygres.platforms.kubernetes.names import Names

_REMEMBERED_SECONDS = 120.0


def credentials(cluster: Cluster, namespace: str, instance: Instance) -> Credentials | None:
    """Both logins; None unless both Secrets are there and this instance's. Raises Refused, Unavailable."""
    names = Names.of(instance)
    user = secret(cluster, namespace, names.credentials, instance)
    monitor = secret(cluster, namespace, names.monitor, instance)
    if user is None or monitor is None:
        return None
    return Credentials(user=_login(user), monitor=_login(monitor), authority=user.get("ca.crt"))


def secret(cluster: Cluster, namespace: str, name: str, instance: Instance) -> Mapping[str, str] | None:
    """What a Secret of the instance's holds, by key; None when there is none of that name, or somebody else's."""
    found = calls.get(cluster, resources.SECRETS, namespace, name)
    if found is None or instance_id_of(found["metadata"]) != instance.id:
        return None
    return {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items()}


class Lately:
    """Remembers for some minutes the logins that were read, for whoever looks at many instances again and again."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._lock = threading.Lock()
        self._kept: dict[UUID, tuple[float, Credentials]] = {}

    def credentials(self, namespace: str, instance: Instance, *, anew: bool = False) -> Credentials | None:
        """Both logins as they were in the last minutes, or `anew`; what isn't there yet is looked for each time."""
        now = time.monotonic()
        with self._lock:
            read_at, kept = self._kept.get(instance.id, (0.0, None))
        if kept is not None and now - read_at < _REMEMBERED_SECONDS and not anew:
            return kept
        found = credentials(self._cluster, namespace, instance)
        with self._lock:
            self._kept = {key: kept for key, kept in self._kept.items() if now - kept[0] < _REMEMBERED_SECONDS}
            if found is not None:
                self._kept[instance.id] = now, found
        return found


def _login(found: Mapping[str, str]) -> Login:
    return Login(user=found["user"], password=found["password"])
