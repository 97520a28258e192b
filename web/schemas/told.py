"""What the API answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, PlainSerializer

from toygres.domain.instance import InstanceState, ServiceType
from toygres.domain.operation import OperationState, StepState
from toygres.errors import CauseCode


def rfc3339(moment: datetime) -> str:
    """`moment` in UTC, ending in Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[datetime, PlainSerializer(rfc3339, return_type=str)]


class Told(BaseModel):
    """Something a caller is answered."""

    model_config = ConfigDict(from_attributes=True)


class CauseOut(Told):
    """Why something isn't as it was asked for, and what to do."""

    code: CauseCode
    message: str
    remedy: str
    evidence: list[str]


class SpecOut(Told):
    """The instance as asked for, with every default filled in."""

    version: str
    storage: str
    storage_bytes: int
    cpu: str
    cpu_millicores: int
    memory: str
    memory_bytes: int
    parameters: dict[str, str]
    user: str
    database: str
    storage_class: str | None
    service_type: ServiceType
    allowed_cidrs: list[str]
    allowed_namespaces: list[str]
    generation: int


class EndpointOut(Told):
    """Where clients connect."""

    host: str
    port: int


class StatusOut(Told):
    """The instance as it stands; `not_enforced` names the limits that its platform doesn't keep.

    `login_seconds` is how long the newest login of an operation took, if there was one.
    """

    state: InstanceState
    endpoint: EndpointOut | None
    observed_generation: int
    not_enforced: list[str]
    login_seconds: float | None


class AvailableOut(Told):
    """Whether a client could log in when last tried."""

    value: bool
    since: Moment | None
    cause: CauseOut | None


class InstanceOut(Told):
    """One PostgreSQL; `operation` is the one that is changing it now."""

    id: str
    name: str
    project: str
    platform: str
    spec: SpecOut
    status: StatusOut
    available: AvailableOut
    operation: str | None
    created_at: Moment
    updated_at: Moment


class InstanceList(Told):
    """A page of instances."""

    items: list[InstanceOut]
    next_cursor: str | None


class InstanceName(Told):
    """Which instance."""

    id: str
    name: str


class StepOut(Told):
    """A step, to come or gone by; `cause` says why it waits or failed, `told` how it went.

    `login_seconds` is how long the login took that it made, if it made one.
    """

    position: int
    name: str
    undoes: str | None
    state: StepState
    attempts: int
    looks: int
    waited_seconds: float
    worked_seconds: float
    started_at: Moment | None
    ended_at: Moment | None
    cause: CauseOut | None
    told: str | None
    login_seconds: float | None


class OperationOut(Told):
    """One change to an instance; `revision` grows with everything that happens to it."""

    id: str
    kind: str
    title: str
    state: OperationState
    instance: InstanceName
    project: str
    actor: str
    request_id: str | None
    retry_of: str | None
    superseded_by: str | None
    revision: int
    created_at: Moment
    started_at: Moment | None
    ended_at: Moment | None
    deadline_at: Moment | None
    cancel_requested_at: Moment | None
    cause: CauseOut | None
    leftovers: list[str]
    steps: list[StepOut]


class OperationList(Told):
    """A page of operations, newest first."""

    items: list[OperationOut]
    next_cursor: str | None


class AcceptedOut(Told):
    """What was ordered: the instance, and the operation to follow."""

    instance: InstanceOut
    operation: OperationOut


class CredentialsOut(Told):
    """How to log in; the only answer that holds a password.

    `ca_certificate`, where the server has TLS, is what `sslmode=verify-full` with `sslrootcert` checks it against.
    """

    user: str
    password: str
    host: str
    port: int
    database: str
    uri: str
    ca_certificate: str | None


class QuantityBoundsOut(Told):
    """The least and the most that may be asked for, and what one gets who doesn't ask."""

    least: str
    most: str
    default: str


class ParameterOut(Told):
    """A PostgreSQL parameter that may be set.

    `minimum` and `maximum` count in `unit`; `also` are numbers that may be set although they lie outside;
    `allowed` says all of it in words, `note` why less may be set than PostgreSQL itself would take.
    """

    name: str
    type: Literal["bool", "integer", "real", "enum", "string"]
    unit: str
    minimum: str
    maximum: str
    also: list[str]
    multiple_of: str
    choices: list[str]
    default: str
    restart: bool
    category: str
    description: str
    note: str
    allowed: str


class ParameterList(Told):
    """Every parameter that may be set for one version, by name."""

    version: str
    items: list[ParameterOut]
    next_cursor: None


class PlatformOut(Told):
    """A place where instances live, and what it offers."""

    name: str
    kind: str
    default: bool
    versions: list[str]
    default_version: str
    tls: bool
    enforced: list[str]
    storage: QuantityBoundsOut
    cpu: QuantityBoundsOut
    memory: QuantityBoundsOut
    choices: list[str]


class PlatformList(Told):
    """Every platform."""

    items: list[PlatformOut]
    next_cursor: None


class CheckOut(Told):
    """Whether one part answered, and what it said."""

    ok: bool
    detail: str


class HealthOut(Told):
    """This process answers."""

    status: Literal["ok"]


class ReadinessOut(Told):
    """Whether work can be taken and done now, part by part."""

    ready: bool
    checks: dict[str, CheckOut]


class SigninOut(Told):
    """A link that opens the page, once."""

    url: str
    expires_at: Moment


class FieldProblem(Told):
    """A field that was refused."""

    field: str
    value: str | int | float | bool | None
    message: str
    allowed: str


class ProblemOut(Told):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    remedy: str
    request_id: str | None
    errors: list[FieldProblem] = []
    operation: str | None = None
    instance: str | None = None
