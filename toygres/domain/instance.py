"""What an instance is: as asked for (spec), as it stands (state), and how it is reached (endpoint)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from toygres.errors import Cause


def _nothing_more(_said: str) -> Cause | None:
    return None


class InstanceState(StrEnum):
    """Where an instance stands; the edges are drawn in docs/states.md."""

    REQUESTED = "requested"
    CREATING = "creating"
    READY = "ready"
    STOPPED = "stopped"
    DELETING = "deleting"
    DELETED = "deleted"
    FAILED = "failed"


class ServiceType(StrEnum):
    """Who can reach an instance where the platform makes a difference, in Kubernetes' words."""

    CLUSTER_IP = "ClusterIP"
    LOAD_BALANCER = "LoadBalancer"


@dataclass(frozen=True, kw_only=True)
class InstanceSpec:
    """An instance as it was asked for, with every default filled in; holds no secret.

    `storage_class` None is the platform's choice; `allowed_cidrs` and `allowed_namespaces` may connect beside those
    that always may.
    """

    version: str
    storage_bytes: int
    cpu_millicores: int
    memory_bytes: int
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    user: str = "postgres"
    database: str = "postgres"
    storage_class: str | None = None
    service_type: ServiceType = ServiceType.CLUSTER_IP
    allowed_cidrs: tuple[str, ...] = ()
    allowed_namespaces: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where clients connect."""

    host: str
    port: int


@dataclass(frozen=True, kw_only=True)
class Way:
    """How the control plane itself gets to a server.

    `endpoint` is what clients connect to, and the name that the server's certificate is checked against; `address` and
    `port` are what is dialled instead, where that is another place. `authority` is the certificate (PEM) of who signed
    the server's; None where the platform has no TLS. `told` names the way to a person, and `unproved` what a login that
    went this way says nothing about; both are empty when it is the clients' own. `explain` is given what
    the client library said when it couldn't log in, and knows better where the platform's part in it is the reason.
    """

    endpoint: Endpoint
    address: str | None = None
    port: int | None = None
    authority: str | None = None
    told: str = ""
    unproved: str = ""
    explain: Callable[[str], Cause | None] = _nothing_more


@dataclass(frozen=True, kw_only=True)
class Availability:
    """Whether a client could log in when last tried, since when, and why not."""

    value: bool
    since: datetime | None
    cause: Cause | None


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One PostgreSQL that somebody asked for, as its row says.

    `port` is the instance's for life where the platform gives out ports, else None. `login_seconds` is how long the
    newest login of an operation took.
    """

    id: UUID
    project: str
    name: str
    platform: str
    spec: InstanceSpec
    generation: int
    observed_generation: int
    state: InstanceState
    port: int | None
    endpoint: Endpoint | None
    available: Availability
    operation_id: UUID | None
    created_at: datetime
    updated_at: datetime
    login_seconds: float | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class Login:
    """One role's password. Its repr tells nothing."""

    user: str
    password: str


@dataclass(frozen=True, kw_only=True, repr=False)
class Credentials:
    """The two logins that each instance has: its user's and the monitor's. The repr tells nothing.

    `authority` is the certificate (PEM) of who signed the server's, by which a client knows it; None without TLS.
    """

    user: Login
    monitor: Login
    authority: str | None = None
