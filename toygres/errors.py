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
    PLATFORM_LOGIN_REFUSED = "PlatformLoginRefused"
    FORBIDDEN = "Forbidden"
    QUOTA_EXCEEDED = "QuotaExceeded"
    LIMIT_RANGE = "LimitRange"
    NAMESPACE_ENDING = "NamespaceEnding"
    NAMESPACE_MISSING = "NamespaceMissing"
    ADMISSION_REFUSED = "AdmissionRefused"
    ADMISSION_UNANSWERED = "AdmissionUnanswered"
    POD_SECURITY = "PodSecurity"
    MANIFEST_REJECTED = "ManifestRejected"
    CHANGE_IMPOSSIBLE = "ChangeImpossible"
    VOLUME_CANT_GROW = "VolumeCantGrow"
    FIELD_CONFLICT = "FieldConflict"
    NAME_TAKEN = "NameTaken"
    CHANGED_MEANWHILE = "ChangedMeanwhile"
    KIND_MISSING = "KindMissing"
    POD_NOT_CREATED = "PodNotCreated"
    POD_EVICTED = "PodEvicted"
    POD_STUCK = "PodStuck"
    NODE_LOST = "NodeLost"
    UNSCHEDULABLE = "Unschedulable"
    STORAGE_CLASS_MISSING = "StorageClassMissing"
    STORAGE_CLASS_UNSET = "StorageClassUnset"
    PROVISIONING_FAILED = "ProvisioningFailed"
    PROVISIONER_SILENT = "ProvisionerSilent"
    VOLUME_UNAVAILABLE = "VolumeUnavailable"
    VOLUME_LOST = "VolumeLost"
    VOLUME_NOT_MOUNTED = "VolumeNotMounted"
    VOLUME_NOT_WRITABLE = "VolumeNotWritable"
    POD_NETWORK_FAILED = "PodNetworkFailed"
    IMAGE_MISSING = "ImageMissing"
    IMAGE_DENIED = "ImageDenied"
    IMAGE_NOT_PULLED = "ImageNotPulled"
    IMAGE_NAME_INVALID = "ImageNameInvalid"
    IMAGE_NEVER_PULLED = "ImageNeverPulled"
    REGISTRY_UNREACHABLE = "RegistryUnreachable"
    WRONG_ARCHITECTURE = "WrongArchitecture"
    CONTAINER_CONFIG = "ContainerConfig"
    CONTAINER_CANT_START = "ContainerCantStart"
    CRASH_LOOP = "CrashLoop"
    OUT_OF_MEMORY = "OutOfMemory"
    DATA_DIRECTORY_NOT_EMPTY = "DataDirectoryNotEmpty"
    DATA_VERSION_MISMATCH = "DataVersionMismatch"
    TLS_KEY_UNUSABLE = "TLSKeyUnusable"
    KILLED_BY_STARTUP_PROBE = "KilledByStartupProbe"
    KILLED_BY_LIVENESS_PROBE = "KilledByLivenessProbe"
    NOT_READY_IN_TIME = "NotReadyInTime"
    LOAD_BALANCER_PENDING = "LoadBalancerPending"
    SERVICE_MISSING = "ServiceMissing"
    WRONG_PASSWORD = "WrongPassword"  # noqa: S105 (a code)
    DATABASE_MISSING = "DatabaseMissing"
    LOGIN_NOT_ALLOWED = "LoginNotAllowed"
    TLS_UNTRUSTED = "TLSUntrusted"
    NAME_UNRESOLVED = "NameUnresolved"
    NETWORK_BLOCKED = "NetworkBlocked"
    SHUT_DOWN = "ShutDown"
    ABSENT = "Absent"
    UNEXPECTED = "Unexpected"


# For whatever ends not only a create, but may end a start, a restart or a check of an instance with data as well.
DATA_OUT_FIRST = (
    "The instance's data may still be there, and deleting it erases them: take them out first, then delete it and "
    "order it again."
)


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
    """A part that Toygres needs doesn't answer; the same call may succeed later.

    `retry_after` is the seconds for which it asked to be left alone, if it did; `cause` is why, where that is known.
    """

    def __init__(
        self,
        message: str,
        remedy: str = "Try again in some seconds.",
        retry_after: float | None = None,
        cause: Cause | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.retry_after = retry_after
        self.cause = cause


class Misconfigured(ToygresError):
    """A setting, a file or a key is wrong; nothing was started or changed."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.message = message
        self.remedy = remedy


class Bug(ToygresError):
    """An invariant of Toygres' own is broken; please report it."""
