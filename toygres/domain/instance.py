"""What an instance is: as asked for (spec), as it stands (state), and how it is reached (endpoint)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from toygres.errors import Cause


class InstanceState(StrEnum):
    """Where an instance stands; the edges are drawn in docs/states.md."""

    REQUESTED = "requested"
    CREATING = "creating"
    READY = "ready"
    STOPPED = "stopped"
    DELETING = "deleting"
    DELETED = "deleted"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class InstanceSpec:
    """An instance as it was asked for, with every default filled in; holds no secret."""

    version: str
    storage_bytes: int
    cpu_millicores: int
    memory_bytes: int
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    user: str = "postgres"
    database: str = "postgres"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where clients connect."""

    host: str
    port: int


@dataclass(frozen=True, kw_only=True)
class Availability:
    """Whether a client could log in when last tried, since when, and why not."""

    value: bool
    since: datetime | None
    cause: Cause | None


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One PostgreSQL that somebody asked for, as its row says.

    `port` is the instance's for life where the platform gives out ports, else None.
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


@dataclass(frozen=True, kw_only=True, repr=False)
class Login:
    """One role's password. Its repr tells nothing."""

    user: str
    password: str


@dataclass(frozen=True, kw_only=True, repr=False)
class Credentials:
    """The two logins that each instance has: its user's and the monitor's. The repr tells nothing."""

    user: Login
    monitor: Login
