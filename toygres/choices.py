"""What may be chosen of an instance on some platforms only: where its data lies, and who can reach it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from toygres.config import variable
from toygres.domain.instance import ServiceType
from toygres.errors import FieldError
from toygres.platforms.protocol import Capabilities

if TYPE_CHECKING:
    from toygres.offers import InstanceRequest

# RFC 1123, as Kubernetes wants the names of namespaces (labels) and storage classes (subdomains).
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def check(errors: list[FieldError], request: InstanceRequest, offer: Capabilities) -> dict[str, Any]:
    """The spec's fields for what was asked; what isn't offered or isn't well-formed is added to `errors`."""
    asked = {
        "storage_class": request.storage_class,
        "service_type": request.service_type,
        "allowed_cidrs": request.allowed_cidrs,
        "allowed_namespaces": request.allowed_namespaces,
    }
    # An older request of the only type there is, retried, asks for nothing.
    chosen = {name: value for name, value in asked.items() if value and value != ServiceType.CLUSTER_IP}
    for name in sorted(chosen.keys() - offer.choices):
        message = f"can't be chosen on a platform of kind {offer.kind}"
        errors.append(_error(name, _shown(chosen[name]), message, _instead(name, offer)))
    return {
        "storage_class": _storage_class(errors, request.storage_class),
        "service_type": _service_type(errors, request),
        "allowed_cidrs": tuple(_cidrs(errors, request.allowed_cidrs)),
        "allowed_namespaces": tuple(_namespaces(errors, request.allowed_namespaces)),
    }


def _instead(name: str, offer: Capabilities) -> str:
    if name == "service_type" and offer.kind == "kubernetes":
        return f"leave it out, or allow load balancers: {variable('kube_load_balancers')}=true"
    return "leave it out"


def _storage_class(errors: list[FieldError], asked: str | None) -> str | None:
    if asked is not None and not _SUBDOMAIN.fullmatch(asked):
        errors.append(_error("storage_class", asked, "isn't the name of a storage class", "a-z, 0-9, '-' and '.'"))
    return asked


def _service_type(errors: list[FieldError], request: InstanceRequest) -> ServiceType:
    asked = request.service_type or ServiceType.CLUSTER_IP
    if asked not in list(ServiceType):
        allowed = "one of " + ", ".join(ServiceType)
        errors.append(_error("service_type", asked, "isn't a type of service", allowed))
        return ServiceType.CLUSTER_IP
    if asked == ServiceType.LOAD_BALANCER and not request.allowed_cidrs:
        errors.append(
            _error("allowed_cidrs", "", "must be given with a load balancer", "who may connect, such as 10.0.0.0/8")
        )
    return ServiceType(asked)


def _cidrs(errors: list[FieldError], asked: Sequence[str]) -> list[str]:
    found = []
    for number, text in enumerate(asked):
        try:
            found.append(str(ipaddress.ip_network(text)))
        except ValueError:
            errors.append(
                _error(f"allowed_cidrs.{number}", text, "isn't a network", "a network and its prefix, as 10.0.0.0/8")
            )
    return found


def _namespaces(errors: list[FieldError], asked: Sequence[str]) -> Sequence[str]:
    for number, text in enumerate(asked):
        if not _LABEL.fullmatch(text):
            errors.append(
                _error(f"allowed_namespaces.{number}", text, "isn't a namespace's name", "1 to 63 of a-z, 0-9 and '-'")
            )
    return asked


def _shown(asked: str | tuple[str, ...]) -> str:
    return asked if isinstance(asked, str) else ", ".join(asked)


def _error(field: str, value: object, message: str, allowed: str) -> FieldError:
    return FieldError(field=field, value=value, message=message, allowed=allowed)
