"""Every error that Toygres raises on purpose, and the typed cause that a person is told.

ToygresError
├── Rejected            what was asked can't be done; the asker can mend it
│   ├── Invalid         a field's value isn't offered (HTTP 422)
│   ├── NotFound        there is no such thing (404)
│   ├── Conflict        it is true, but not now (409)
│   └── Unauthorized    nobody we know asks (401)
├── Refused             a step can't succeed, however often it is tried
├── Unavailable         a part that Toygres needs doesn't answer (503)
├── Misconfigured       a setting, a file or a key is wrong; nothing was started
└── Bug                 an invariant of ours broke
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class CauseCode(StrEnum):
    """Why something isn't as it was asked for; the closed set that programs may match on."""

    STARTING = "Starting"
    STOPPING = "Stopping"
    PORT_TAKEN = "PortTaken"
    PARAMETERS_REJECTED = "ParametersRejected"
    DISK_FULL = "DiskFull"
    FILES_DENIED = "FilesDenied"
    SERVER_EXITED = "ServerExited"
    SERVER_STOPPED = "ServerStopped"
    SERVER_KEEPS_ENDING = "ServerKeepsEnding"
    CREDENTIALS_MISSING = "CredentialsMissing"
    STORAGE_MISSING = "StorageMissing"
    VERSION_MISSING = "VersionMissing"
    CONNECTION_REFUSED = "ConnectionRefused"
    LOGIN_REFUSED = "LoginRefused"
    QUERY_FAILED = "QueryFailed"
    NO_ANSWER = "NoAnswer"
    DEADLINE_PASSED = "DeadlinePassed"
    WORKERS_DIED = "WorkersDied"
    STEP_UNKNOWN = "StepUnknown"
    CANCELLED = "Cancelled"
    FENCED_OFF = "FencedOff"
    OTHER_HOST = "OtherHost"
    PLATFORM_UNREACHABLE = "PlatformUnreachable"
    SHUT_DOWN = "ShutDown"
    UNEXPECTED = "Unexpected"


@dataclass(frozen=True, kw_only=True)
class Cause:
    """What happened, why, and what to do next: never holds a secret.

    `evidence` is what was seen, oldest line first (a server's last log lines).
    """

    code: CauseCode
    message: str
    remedy: str
    evidence: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # Servers write part of it: a NUL can't be stored, and an escape would reach a person's terminal.
        object.__setattr__(self, "message", printable(self.message))
        object.__setattr__(self, "remedy", printable(self.remedy))
        object.__setattr__(self, "evidence", tuple(printable(line) for line in self.evidence))

    def to_json(self) -> dict[str, object]:
        """The form in which a cause is stored and answered."""
        return {
            "code": self.code.value,
            "message": self.message,
            "remedy": self.remedy,
            "evidence": list(self.evidence),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> Cause:
        """The cause that `to_json` wrote."""
        evidence = stored.get("evidence") or ()
        return cls(
            code=CauseCode(str(stored["code"])),
            message=str(stored["message"]),
            remedy=str(stored["remedy"]),
            evidence=tuple(str(line) for line in evidence) if isinstance(evidence, Sequence) else (),
        )


def printable(text: str) -> str:
    """`text` with a replacement character for whatever can't be shown, tabs and line ends aside."""
    return "".join(char if char.isprintable() or char in "\t\n" else "\N{REPLACEMENT CHARACTER}" for char in text)


class ToygresError(Exception):
    """Something that Toygres foresaw went wrong."""


class Rejected(ToygresError):
    """The request can't be carried out as it stands."""

    title = "Rejected"
    status = 400

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, kw_only=True)
class FieldError:
    """One field that was refused: its path, what it held, what it may hold."""

    field: str
    value: object
    message: str
    allowed: str


class Invalid(Rejected):
    """A field's value isn't offered."""

    title = "Invalid value"
    status = 422

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = tuple(errors)
        self.remedy = "; ".join(f"{error.field}: {error.allowed}" for error in errors)


class NotFound(Rejected):
    """There is no such thing."""

    title = "Not found"
    status = 404


class Conflict(Rejected):
    """It can't be done in the state that things are in.

    `operation_id` and `instance_id` name what is in the way, where the asker may see it.
    """

    title = "Conflict"
    status = 409

    def __init__(
        self, message: str, remedy: str = "", *, operation_id: str | None = None, instance_id: str | None = None
    ) -> None:
        super().__init__(message, remedy)
        self.operation_id = operation_id
        self.instance_id = instance_id


class Unauthorized(Rejected):
    """No valid token came with the request."""

    title = "Unauthorized"
    status = 401


class Refused(ToygresError):
    """A step that can't succeed, however often it is tried again."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.message)
        self.cause = cause


class Unavailable(ToygresError):
    """A part that Toygres needs doesn't answer; the same call may succeed later."""

    def __init__(self, message: str, remedy: str = "Try again in some seconds.") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class Misconfigured(ToygresError):
    """A setting, a file or a key is wrong; nothing was started or changed."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.message = message
        self.remedy = remedy


class Bug(ToygresError):
    """An invariant of Toygres' own is broken; please report it."""
