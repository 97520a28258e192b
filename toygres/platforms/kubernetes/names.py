"""What things are called in a cluster: namespaces, an instance's objects, its hosts, and who applies them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from toygres.config import Settings, variable
from toygres.domain.instance import Instance
from toygres.errors import Cause, CauseCode, Refused

SERVICE_ACCOUNT = "toygres-postgres"
CONTAINER = "postgres"
PORT = 5432
_LONGEST = 63


def namespace(settings: Settings, project: str) -> str:
    """Where a project's instances live. Raises Refused when such a name would be too long for Kubernetes."""
    name = settings.kube_namespace if project == "default" else f"{settings.kube_namespace}-{project}"
    if len(name) > _LONGEST:
        raise Refused(
            Cause(
                code=CauseCode.NAMESPACE_MISSING,
                message=f"The project's namespace would be {name}, which is longer than {_LONGEST} characters.",
                remedy=f"Set {variable('kube_namespace')} to a shorter one.",
            )
        )
    return name


def hosts(name: str, namespace: str, domain: str = "cluster.local") -> tuple[str, ...]:
    """Every in-cluster DNS name of the Service `name`, the shortest first; the last one holds everywhere."""
    service = f"{name}.{namespace}.svc"
    return name, f"{name}.{namespace}", service, f"{service}.{domain}"


def field_manager(instance_id: UUID) -> str:
    """Who applies the instance's objects: a predecessor of the same name is another one, and conflicts."""
    return f"toygres-{instance_id.hex}"


@dataclass(frozen=True)
class Names:
    """The names of an instance's objects."""

    name: str
    id: UUID

    @classmethod
    def of(cls, instance: Instance) -> Names:
        """Those of `instance`."""
        return cls(instance.name, instance.id)

    @property
    def anchor(self) -> str:
        """The ConfigMap that owns all but the volume claim."""
        return f"{self.name}-anchor"

    @property
    def credentials(self) -> str:
        """The Secret with the user's login."""
        return f"{self.name}-credentials"

    @property
    def monitor(self) -> str:
        """The Secret with the monitor's login."""
        return f"{self.name}-monitor"

    @property
    def tls(self) -> str:
        """The Secret with the server's certificate."""
        return f"{self.name}-tls"

    @property
    def config(self) -> str:
        """The ConfigMap with the server's configuration."""
        return f"{self.name}-config"

    @property
    def data(self) -> str:
        """The volume claim; with the ID's random end, so that a successor never gets its predecessor's data."""
        return f"{self.name}-data-{self.id.hex[-8:]}"

    @property
    def service(self) -> str:
        """The Service, which is the instance's host in the cluster."""
        return self.name

    @property
    def stateful_set(self) -> str:
        """The StatefulSet."""
        return self.name

    @property
    def pod(self) -> str:
        """The StatefulSet's only pod."""
        return f"{self.name}-0"

    @property
    def policy(self) -> str:
        """The NetworkPolicy."""
        return self.name
