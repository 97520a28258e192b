"""What the library is asked for, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import quote


@dataclass(frozen=True, kw_only=True)
class PostgresConfig:
    """A PostgreSQL to be made; None takes the platform's default. The repr hides the password.

    `namespace` None is what TOYGRES_NAMESPACE says, else `toygres`; `password` None has one generated. Sizes are
    written as Kubernetes writes them (`10Gi`, `500m`). `service_type` is ClusterIP, or LoadBalancer, which takes
    `allowed_cidrs`.
    """

    name: str
    namespace: str | None = None
    version: str | None = None
    storage: str | None = None
    storage_class: str | None = None
    cpu: str | None = None
    memory: str | None = None
    password: str | None = field(default=None, repr=False)
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    service_type: str | None = None
    allowed_cidrs: tuple[str, ...] = ()
    allowed_namespaces: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PostgresResources:
    """What was made, and how clients log in. The repr hides the password.

    `authority` is the certificate (PEM) that signed the server's: with it clients use `sslmode=verify-full`.
    """

    name: str
    namespace: str
    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    authority: str = field(repr=False)

    @property
    def uri(self) -> str:
        """The connection URI, password included."""
        user, password, database = (quote(text, safe="") for text in (self.user, self.password, self.database))
        return f"postgresql://{user}:{password}@{self.host}:{self.port}/{database}"


@dataclass(frozen=True, kw_only=True)
class PodStatus:
    """The server as Kubernetes shows it.

    `phase` is absent, starting, up, stopping, stopped or broken (it won't come up by itself). `cause` is a sentence
    that says why it isn't ready, `remedy` what to do next, `code` the same for programs; all are empty when it is.
    """

    name: str
    phase: str
    ready: bool
    cause: str = ""
    remedy: str = ""
    code: str = ""
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class HealthStatus:
    """Whether a client can log in to a server that takes writes.

    `phase` is up, starting, stopping, unreachable or refused; the rest is as in `PodStatus`. `seconds` is how long the
    look took, and `told` which way it went where that isn't the URI's own.
    """

    phase: str
    ready: bool
    seconds: float
    cause: str = ""
    remedy: str = ""
    code: str = ""
    told: str = ""
