"""What the API reads: bodies and queries, unknown fields refused."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, WithJsonSchema

from toygres.domain.instance import InstanceState
from toygres.provisioning import InstanceRequest

LONGEST_WAIT_SECONDS = 30
NAME_PATTERN = "^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$"
PAGE_LIMIT = 200


# PostgreSQL can't hold a NUL, so nothing that is stored or looked up has one.
Text = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
# What a password may be is checked where the rule is: here it is only told.
_PASSWORD = {"type": "string", "format": "password", "writeOnly": True, "pattern": "^[ -~]{8,128}$"}
Password = Annotated[SecretStr, WithJsonSchema(_PASSWORD)]


class Asked(BaseModel):
    """Something a caller sent."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class CreateInstance(Asked):
    """A PostgreSQL to be made; whatever is left out takes the platform's default."""

    name: Text = Field(
        description="1 to 40 of a-z, 0-9 and '-', beginning with a letter.",
        examples=["demo"],
        json_schema_extra={"pattern": NAME_PATTERN},
    )
    version: Text | None = Field(None, description="A PostgreSQL version that the platform offers.", examples=["18"])
    storage: Text | None = Field(None, description="A quantity of bytes.", examples=["1Gi"])
    cpu: Text | None = Field(None, description="A quantity of cores.", examples=["500m"])
    memory: Text | None = Field(None, description="A quantity of bytes.", examples=["512Mi"])
    parameters: dict[str, bool | int | Finite | Text] = Field(
        default_factory=dict,
        max_length=100,
        description="PostgreSQL parameters that the platform lets you set for that version; see its list of them.",
    )
    password: Password | None = Field(None, description="The user's password; a strong one is made when left out.")
    platform: Text | None = Field(None, description="The platform to live on.")
    storage_class: Text | None = Field(
        None, description="On Kubernetes: the storage class of its volume; the platform's, or the cluster's default."
    )
    service_type: Text | None = Field(
        None,
        description="On Kubernetes: `ClusterIP`, or `LoadBalancer` where the platform allows it, with `allowed_cidrs`.",
        examples=["ClusterIP"],
    )
    allowed_cidrs: list[Text] = Field(
        default_factory=list,
        max_length=50,
        description="On Kubernetes: networks that may connect, beside the project's namespace.",
        examples=[["10.0.0.0/8"]],
    )
    allowed_namespaces: list[Text] = Field(
        default_factory=list, max_length=50, description="On Kubernetes: more namespaces that may connect."
    )

    def as_request(self) -> InstanceRequest:
        """The same for `toygres.provisioning`."""
        return InstanceRequest(
            name=self.name,
            version=self.version,
            storage=self.storage,
            cpu=self.cpu,
            memory=self.memory,
            parameters={name: parameter_text(value) for name, value in self.parameters.items()},
            password=self.password.get_secret_value() if self.password is not None else None,
            platform=self.platform,
            storage_class=self.storage_class,
            service_type=self.service_type,
            allowed_cidrs=tuple(self.allowed_cidrs),
            allowed_namespaces=tuple(self.allowed_namespaces),
        )


class RetryOperation(Asked):
    """How to try an operation again; the body may be left out."""

    password: Password | None = Field(
        None, description="With a create only: the user's password; a new strong one is made when left out."
    )

    def plain_password(self) -> str | None:
        """The password itself."""
        return self.password.get_secret_value() if self.password is not None else None


def parameter_text(value: bool | int | float | str) -> str:
    """A parameter's value as PostgreSQL writes it: true is `on`."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


class PageQuery(Asked):
    """Which part of a list."""

    limit: int = Field(50, ge=1, le=PAGE_LIMIT, description="How many items at most.")
    cursor: Text | None = Field(None, description="`next_cursor` of the page before.")


class InstancesQuery(PageQuery):
    """Which instances."""

    state: InstanceState | None = Field(None, description="Only those in this state.")


class OperationsQuery(PageQuery):
    """Which operations."""

    instance: Text | None = Field(None, description="Only those of this instance, by name or ID.")


class ParametersQuery(Asked):
    """Which version's parameters."""

    version: Text | None = Field(
        None, description="A PostgreSQL version that the platform offers; its default when left out."
    )


class OperationQuery(Asked):
    """Whether to wait until an operation changes."""

    after_revision: int | None = Field(
        None, ge=-1, le=2**62, description="Answer when the operation's revision is above this, or when time is over."
    )
    wait_seconds: float = Field(
        LONGEST_WAIT_SECONDS, ge=0, le=LONGEST_WAIT_SECONDS, allow_inf_nan=False, description="How long to wait."
    )
