"""What a platform must do; the only way in which anything else touches one.

`apply_…` makes what is missing and is safe twice; `remove_…` takes absence for success, and may tell what it removed
and what it left alone. Both are refused (`Refused` with cause FencedOff) when `fence` is below the highest that the
instance's objects have seen, so that a late step of a lost claim can't write. They raise `Refused` when trying again
can't help, `NotYet` while the place itself takes its time, `Unavailable` when it doesn't answer, and anything else
(OSError, …) when it may help to try again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Event
from typing import Protocol
from uuid import UUID

from toygres.domain.authority import Authority, KeptAuthority
from toygres.domain.instance import Credentials, Endpoint, Instance, Way
from toygres.errors import Bug, Cause

# No instance has this ID.
EVERYTHING = UUID(int=0)


def _no_authority(_make: Callable[[], Authority]) -> Authority:
    raise Bug("a step outside of an operation asked who signs certificates")


def _always_held() -> bool:
    return True


class ServerPhase(StrEnum):
    """What is to be seen of a server."""

    ABSENT = "absent"
    STARTING = "starting"
    UP = "up"
    STOPPING = "stopping"
    STOPPED = "stopped"
    BROKEN = "broken"


@dataclass(frozen=True, kw_only=True)
class ServerStatus:
    """A server as the platform sees it; `cause` says why it isn't up (BROKEN: it won't come up by itself)."""

    phase: ServerPhase
    cause: Cause | None = None


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A server parameter that may be set, as PostgreSQL describes it (`pg_settings`).

    `type` is bool, integer, real, enum or string; `default` is what one gets who sets nothing, with its unit;
    `minimum` and `maximum` count in `unit` (`8kB`, `ms`); `also` are numbers outside of them that may be set
    all the same, `multiple_of` is what numbers must be multiples of;
    `choices` are an enum's values; `restart` says that a change needs the server to be restarted; `note` says why
    less may be set than PostgreSQL itself would take.
    """

    name: str
    type: str
    restart: bool
    description: str
    category: str = ""
    default: str = ""
    unit: str = ""
    minimum: str = ""
    maximum: str = ""
    also: tuple[str, ...] = ()
    multiple_of: str = ""
    choices: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The least and the most that may be asked for, and what one gets who doesn't ask."""

    least: int
    most: int
    default: int


@dataclass(frozen=True, kw_only=True)
class OneProject:
    """Why only the project `default` may order on a platform, and what another one can do about it."""

    why: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What the platform offers; whatever isn't here is refused at request time.

    `enforced` names the limits that the platform really keeps (of storage, cpu, memory); asking for one
    that isn't enforced is allowed and said. `ports`, when not None, is what instances' ports come from.
    `brings_back` says that the platform itself runs a server again that ended; where it doesn't, we do.
    With `one_project` only the project `default` may order here.
    `choices` names what else of a spec may be chosen: storage_class, service_type, allowed_cidrs, allowed_namespaces.
    `parameters` are those that may be set, by version and lower-case name.
    """

    kind: str
    versions: tuple[str, ...]
    default_version: str
    tls: bool
    enforced: frozenset[str]
    storage_bytes: Bounds
    cpu_millicores: Bounds
    memory_bytes: Bounds
    ports: range | None = None
    brings_back: bool = False
    one_project: OneProject | None = None
    choices: frozenset[str] = frozenset()
    parameters: Mapping[str, Mapping[str, Parameter]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a step acts on: the instance, the fence of its claim, and whose objects they are.

    `authority` is for platforms whose servers have certificates: it keeps the one that signs them. `held` asks whether
    the step's claim is still its own, for platforms that forget the fence of what is gone; it may raise Unavailable.
    """

    instance: Instance
    fence: int
    operation_id: UUID
    installation_id: UUID
    authority: KeptAuthority = field(default=_no_authority, repr=False)
    held: Callable[[], bool] = field(default=_always_held, repr=False)


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What there is of an instance: the highest fence on it, and what discards it as it was found, naming it.

    What was written to since then is left.
    """

    fence: int
    discard: Callable[[], Sequence[str]]


class Platform(Protocol):
    """Where instances live."""

    name: str
    kind: str

    def describe(self) -> str:
        """The place as a person would know it; asks nobody. Raises Misconfigured when none can be told."""

    def identity(self) -> str | None:
        """What makes this place this one and no other; stored at first use. None when it can't be asked for now."""

    def expect(self, identity: str) -> None:
        """Write nothing here unless this is the place of that identity; told where it couldn't be asked for."""

    def capabilities(self) -> Capabilities:
        """What can be asked for here."""

    def check(self) -> None:
        """Return when the platform can work now; raise Unavailable when it can't."""

    def port_in_use(self, port: int) -> bool:
        """Whether something already listens on `port`."""

    def apply_credentials(self, target: Target, credentials: Callable[[], Credentials]) -> None:
        """Keep the credentials for clients; ones that exist for this instance's ID are never replaced."""

    def remove_credentials(self, target: Target) -> str | None:
        """Forget the credentials."""

    def apply_storage(self, target: Target) -> None:
        """Make the instance's storage."""

    def remove_storage(self, target: Target) -> str | None:
        """Delete the instance's storage and the data in it."""

    def apply_server(self, target: Target) -> None:
        """Configure and run the server; doesn't wait until it accepts clients."""

    def stop_server(self, target: Target) -> None:
        """Tell the server to stop properly; doesn't wait, and leaves its data."""

    def remove_server(self, target: Target) -> str | None:
        """End the server and forget its configuration; returns once no process of it is left."""

    def apply_service(self, target: Target) -> Endpoint:
        """Make the server reachable for clients."""

    def await_address(self, target: Target) -> Endpoint:
        """Where clients connect through a load balancer. Raises NotYet until it has an address."""

    def apply_certificate(self, target: Target) -> None:
        """Give the server a certificate that holds for its names and lasts; nothing where there is no TLS."""

    def certificate(self, instance: Instance) -> str | None:
        """The certificate (PEM) that the server should show; None where it has none."""

    def certificate_is_old(self, instance: Instance) -> bool:
        """Whether the server should be given another certificate before long."""

    def remove_service(self, target: Target) -> str | None:
        """Make it unreachable."""

    def observe(self, instance: Instance) -> ServerStatus:
        """The server as it is now."""

    def reach(self, instance: Instance, *, inside: bool = False) -> AbstractContextManager[Way | None]:
        """A way for the control plane itself, there while it is held; None before `apply_service`.

        `inside`: not by what leads there from outside, such as a load balancer.
        """

    def glance(self, instance: Instance) -> ServerStatus:
        """The server as whoever observes knows it, which may be a moment old and costs nothing; else as it is now."""

    def credentials(self, instance: Instance, *, lately: bool = False) -> Credentials | None:
        """What `apply_credentials` kept, or None; `lately`: what was read some minutes ago will do."""

    def evidence(self, instance: Instance) -> tuple[str, ...]:
        """The server's last log lines, oldest first, without secrets; empty when there is no server."""

    def objects(self, instance_id: UUID) -> Sequence[str]:
        """Whatever exists for the instance, as a person would name it: a process, a folder, a file."""

    def found(self, installation_id: UUID) -> Mapping[UUID, Trace]:
        """All that instances of the installation have here now, by their ID.

        For platforms that forget fences: nothing is listed where a late step can't make anything anyway.
        """

    def watch(self, changed: Callable[[UUID], None], stop: Event) -> None:
        """Call `changed` with an instance's ID whenever its server changed, until `stop` is set.

        Blocks; wakes without polling. Looks at every instance once when it begins; EVERYTHING in place of an ID says
        that there may be others of which nothing is to be seen any more.
        """

    def make_ahead(self, stop: Event) -> None:
        """Keep ready what creates can take instead of making it, until `stop` is set; a create never needs it.

        Blocks. May run in several processes at once.
        """
