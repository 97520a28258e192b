"""Every setting, once: its type, its default and one sentence. The environment wins over a running `up`."""

from __future__ import annotations

import functools
import ipaddress
import os
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from toygres import config_values as kube
from toygres.errors import Misconfigured
from toygres.home import Home

_SCHEMES = {
    "database_url": ("postgresql", "postgres", "postgresql+psycopg"),
    "redis_url": ("redis", "rediss", "redis+socket"),
}

# Each cloud reads its own and passes over the others': Azure, Google, Amazon (its controller, and the one before).
_INTERNAL = {
    "service.beta.kubernetes.io/azure-load-balancer-internal": "true",
    "networking.gke.io/load-balancer-type": "Internal",
    "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal",
    "service.beta.kubernetes.io/aws-load-balancer-internal": "true",
}
_POSTGRESQL = ("14", "15", "16", "17", "18")

# What can be given as a file as well: the variable's name and `_FILE` name it.
SECRETS = ("database_url", "redis_url", "secret_keys")


class SecretFiles(PydanticBaseSettingsSource):
    """The secrets that `DATABASE_URL_FILE` and its like name the files of."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """One field's value; unused, since all come at once."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """What each file holds. Raises Misconfigured, naming the variable and the file."""
        found = {name: _from_file(variable(name)) for name in SECRETS}
        return {name: text for name, text in found.items() if text is not None}


class RunningUp(PydanticBaseSettingsSource):
    """The addresses that the home's `up` wrote down, so that other commands find it without a variable."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """One field's value; unused, since all come at once."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Every setting that a running `up` hands on."""
        written = Home.find().read_running().get("settings", {})
        return {name: value for name, value in written.items() if name in self.settings_cls.model_fields}


class Settings(BaseSettings):
    """What can be set, from `TOYGRES_<NAME>` unless an alias says otherwise."""

    model_config = SettingsConfigDict(env_prefix="TOYGRES_", populate_by_name=True, frozen=True, extra="ignore")

    home: Path = Field(default_factory=lambda: Home.find().path, description="The folder that holds all state.")
    database_url: SecretStr | None = Field(
        None, validation_alias="DATABASE_URL", description="The metadata DB; `up` starts one of its own when unset."
    )
    redis_url: SecretStr | None = Field(
        None, validation_alias="REDIS_URL", description="The broker; `up` starts a Valkey of its own when unset."
    )
    redis_prefix: str = Field("toygres:", description="What each of our keys in a shared Redis begins with.")
    bind: str = Field("127.0.0.1", description="The address that the API, the page and Flower listen on.")
    port: int = Field(8000, ge=0, le=65535, description="The port of the API and the page; 0 takes a free one.")
    flower_port: int = Field(5555, ge=0, le=65535, description="Flower's port; 0 takes a free one.")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Host names, beside loopback's, that requests may name; separated by commas."
    )
    platform: str = Field("local", description="The platform for requests that name none.")
    platforms: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="The platforms that there are, `local` and `kubernetes`, separated by commas; else `local` and the "
        "one for requests that name none.",
    )
    instance_ports: Annotated[range, NoDecode] = Field(
        range(20000, 21000), description="Ports for local instances, as FIRST-LAST."
    )
    instance_bind: str = Field(
        "127.0.0.1",
        description="The address that local servers listen on, from their next start on; 0.0.0.0 is all. Without TLS: "
        "what clients send and get travels in clear.",
    )
    instance_host: str | None = Field(
        None,
        description="The host that clients of local instances are told to connect to; else the address above, or "
        "loopback where that is all.",
    )
    local_shared: bool = Field(
        False, description="Let the local platform serve more than one project, and listen beyond loopback."
    )
    pg_bindirs: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="More PostgreSQL `bin` folders for the local platform; separated by ':'."
    )
    spare_folders: NonNegativeInt = Field(
        1, description="Data folders of the local platform that are copied ahead of creates; 0 makes none."
    )
    secret_keys: SecretStr | None = Field(
        None, description="Fernet keys for passwords on their way, newest first, separated by commas; else the home's."
    )
    worker_slots: PositiveInt = Field(16, description="Steps that one worker runs at a time.")
    stop_seconds: NonNegativeFloat = Field(
        1.5, description="How long a stopping worker lets its running steps go on before others take them over."
    )
    step_attempts: PositiveInt = Field(5, description="Attempts of a step before its operation fails.")
    server_start_seconds: PositiveFloat = Field(
        300.0, description="How long a server may take to accept clients, its volume and image included."
    )
    server_stop_seconds: PositiveFloat = Field(60.0, description="How long a server may take to stop.")
    login_seconds: PositiveFloat = Field(30.0, description="How long the first login may take to succeed.")
    address_seconds: PositiveFloat = Field(300.0, description="How long a load balancer may take to get an address.")
    certificate_seconds: PositiveFloat = Field(
        300.0, description="How long a server may take to take up a new certificate."
    )
    operation_seconds: PositiveFloat = Field(1200.0, description="How long an operation may take, undoing aside.")
    undo_seconds: PositiveFloat = Field(600.0, description="How long cleaning up may take before `cleanup` takes over.")
    server_restarts: NonNegativeInt = Field(
        3, description="How often a server that ended unasked is started again by itself; 0 for never."
    )
    server_restarts_seconds: PositiveFloat = Field(600.0, description="Within how many seconds that often, at most.")
    servers_end_with_worker: bool = Field(
        False,
        description="Whether local servers end with the one worker of this home, as they do in a container of its own.",
    )
    kube_context: kube.MaybeText = Field(
        None, description="The kubeconfig's context; else its current one, or in a cluster the pod's own account."
    )
    kube_namespace: kube.Namespace = Field(
        "toygres",
        validation_alias="TOYGRES_NAMESPACE",
        description="The namespace of the project `default`; another project's is this, '-' and the project.",
    )
    kube_control_namespace: kube.MaybeNamespace = Field(
        None, description="The namespace that Toygres itself runs in, which may reach every instance; else the above."
    )
    kube_cluster_domain: kube.Name = Field("cluster.local", description="What the cluster's own DNS names end with.")
    kube_versions: kube.List = Field(
        ("16", "18", "17", "15", "14"),
        description="PostgreSQL's major versions that can be ordered, the default one first; separated by commas.",
    )
    kube_image_prefix: kube.ImagePrefix = Field(
        "", description="What comes before `postgres:16` and its like, such as `registry.example.com/mirror/`."
    )
    kube_images: kube.Images = Field(
        {}, description='Whole names of images by major version, as JSON: `{"16": "registry.example.com/pg@sha256:…"}`.'
    )
    kube_pull_secrets: kube.Names = Field(
        (), description="Secrets of each namespace with which images are pulled; separated by commas."
    )
    kube_storage_class: kube.MaybeName = Field(
        None, description="The storage class for requests that name none; else the cluster's default."
    )
    kube_node_selector: kube.Selector = Field({}, description="Labels of the nodes that instances may run on, as JSON.")
    kube_tolerations: kube.Tolerations = Field(
        (), description="The tolerations of instances' pods, as a JSON list in Kubernetes' own words."
    )
    kube_affinity: kube.Affinity = Field(
        {}, description="The affinity of instances' pods, as a JSON object in Kubernetes' own words."
    )
    kube_priority_class: kube.MaybeName = Field(None, description="The priority class of instances' pods.")
    kube_labels: kube.Labels = Field({}, description="More labels for every object of an instance, as JSON.")
    kube_annotations: kube.Annotations = Field({}, description="More annotations for the same, as JSON.")
    kube_load_balancers: bool = Field(False, description="Whether requests may ask for a load balancer.")
    kube_load_balancer_annotations: kube.LoadBalancerAnnotations = Field(
        _INTERNAL,
        description="Annotations of load balancers, as JSON; unless set, those that make them internal on AKS, GKE and "
        "EKS, and without them they are open to the internet.",
    )
    kube_load_balancer_class: kube.MaybeText = Field(
        None, description="The class of load balancers, where the cluster has several or wants one named."
    )
    kube_network_policy: bool = Field(
        True, description="Whether a NetworkPolicy keeps all others away from an instance's port."
    )
    kube_allowed_namespaces: kube.Namespaces = Field(
        (), description="Namespaces whose pods may reach every instance; separated by commas."
    )
    kube_allowed_cidrs: kube.Cidrs = Field(
        (), description="Addresses that may reach every instance, as CIDRs; separated by commas."
    )
    kube_certificate_days: PositiveInt = Field(
        365, description="How long a server's certificate is valid; it is renewed when a third of that is left."
    )
    pulse_file: Path | None = Field(
        None, description="A file that a worker touches each second, and beat whenever it has called the sweep."
    )
    log_level: str = Field("info", description="The least important lines to log: debug, info, warning or error.")
    log_format: str = Field("auto", description="`json`, `console`, or `auto`: console on a terminal.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment and the files that it names, then a running `up`."""
        return (init_settings, env_settings, SecretFiles(settings_cls), RunningUp(settings_cls))

    @field_validator("database_url", "redis_url", mode="before")
    @classmethod
    def _check_url(cls, value: Any, info: ValidationInfo) -> Any:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        schemes = _SCHEMES[str(info.field_name)]
        if isinstance(text, str):
            try:
                parts = urlsplit(text)
                fits = parts.scheme in schemes and parts.port != 0
            except ValueError:
                fits = False
            if not fits:
                # Without the value: it may hold a password.
                raise ValueError(f"write it as {schemes[0]}://USER:PASSWORD@HOST:PORT/NAME, special signs as %XX")
        return value

    @field_validator("instance_ports", mode="before")
    @classmethod
    def _read_ports(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        first, _, last = value.partition("-")
        if not (first.isdecimal() and (last or first).isdecimal()):
            raise ValueError("write it as FIRST-LAST, such as 20000-20999")
        ports = range(int(first), int(last or first) + 1)
        if not ports or ports[0] < 1024 or ports[-1] > 65535:
            raise ValueError("FIRST must not be above LAST, and both lie in 1024 to 65535")
        return ports

    @field_validator("instance_bind")
    @classmethod
    def _check_address(cls, value: str) -> str:
        try:
            return str(ipaddress.ip_address(value))
        except ValueError:
            raise ValueError("write it as one IP address, such as 127.0.0.1") from None

    @field_validator("instance_host")
    @classmethod
    def _check_host(cls, value: str | None) -> str | None:
        # It becomes part of every URI.
        if value and not (value.isascii() and all(char.isalnum() or char in "-._:" for char in value)):
            raise ValueError("write it as a host name or an IP address")
        return value or None

    @field_validator("kube_versions")
    @classmethod
    def _check_versions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) < len(value) or any(version not in _POSTGRESQL for version in value):
            raise ValueError(f"name at least one of {', '.join(_POSTGRESQL)}, each once")
        return value

    @field_validator("allowed_hosts", "platforms", mode="before")
    @classmethod
    def _read_list(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("pg_bindirs", mode="before")
    @classmethod
    def _read_folders(cls, value: Any) -> Any:
        return tuple(Path(part) for part in value.split(":") if part) if isinstance(value, str) else value

    @property
    def home_folder(self) -> Home:
        """The home, with its files by name."""
        return Home(self.home)


def load(**overrides: Any) -> Settings:
    """The settings as this process sees them. Raises Misconfigured, naming each wrong variable."""
    try:
        return Settings(**overrides)
    except ValidationError as invalid:
        wrong = "; ".join(f"{_variable(error['loc'])}: {error['msg']}" for error in invalid.errors())
        raise Misconfigured(f"Wrong setting: {wrong}.", "Correct the environment and start again.") from None


@functools.cache
def settings() -> Settings:
    """The settings that this process began with."""
    return load()


def variable(name: str) -> str:
    """The environment variable behind the setting `name`."""
    alias = Settings.model_fields[name].validation_alias
    return alias if isinstance(alias, str) else f"TOYGRES_{name.upper()}"


def _from_file(secret: str) -> str | None:
    """What the file holds that the variable `secret` and `_FILE` names; None when there is no such variable."""
    named = os.environ.get(f"{secret}_FILE")
    if not named:
        return None
    if secret in os.environ:
        raise Misconfigured(f"Both {secret} and {secret}_FILE are set.", "Unset one of them.")
    try:
        text = Path(named).read_text().strip()
    except (OSError, UnicodeDecodeError) as wrong:
        why = getattr(wrong, "strerror", None) or "it isn't text"
        raise Misconfigured(
            f"{secret}_FILE names {named}, which can't be read: {why}.", "Correct the variable, or the file's owner."
        ) from None
    if not text:
        raise Misconfigured(f"{secret}_FILE names {named}, which is empty.", f"Write into it what {secret} would hold.")
    return text


def _variable(location: tuple[int | str, ...]) -> str:
    name = str(location[0])
    return variable(name) if name in Settings.model_fields else name.upper()
