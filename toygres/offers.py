"""Is what was asked for offered? Every field is checked, with what is allowed said for each that isn't."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from toygres import choices
from toygres.domain import quantity
from toygres.domain.instance import InstanceSpec
from toygres.domain.names import NAME_RULE, is_name
from toygres.domain.passwords import RULE_FOR_PASSWORDS, is_password
from toygres.errors import FieldError, Invalid
from toygres.platforms.parameters import near, values
from toygres.platforms.protocol import Bounds, Capabilities, Platform
from toygres.services import Services


@dataclass(frozen=True, kw_only=True)
class InstanceRequest:
    """An instance as somebody asked for it; None takes the platform's default. The repr hides the password."""

    name: str
    version: str | None = None
    storage: str | None = None
    cpu: str | None = None
    memory: str | None = None
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    password: str | None = field(default=None, repr=False)
    platform: str | None = None
    storage_class: str | None = None
    service_type: str | None = None
    allowed_cidrs: tuple[str, ...] = ()
    allowed_namespaces: tuple[str, ...] = ()


def check(services: Services, request: InstanceRequest) -> tuple[Platform, InstanceSpec]:
    """Where the instance will live and what it will be. Raises Invalid with every field that isn't offered."""
    name = request.platform or services.settings.platform
    if name not in services.platforms:
        raise Invalid([_error("platform", name, "isn't a platform here", _one_of(sorted(services.platforms)))])
    platform = services.platforms[name]
    offer = platform.capabilities()
    errors = [*_check_name(request.name), *_check_version(request.version, offer), *_check_password(request.password)]
    sizes = {
        "storage": _size(errors, "storage", request.storage, offer.storage_bytes, _BYTES),
        "cpu": _size(errors, "cpu", request.cpu, offer.cpu_millicores, _MILLICORES),
        "memory": _size(errors, "memory", request.memory, offer.memory_bytes, _BYTES),
    }
    checked = _check_parameters(errors, request, offer, name)
    reach = choices.check(errors, request, offer)
    if errors:
        raise Invalid(errors)
    return platform, InstanceSpec(
        version=request.version or offer.default_version,
        storage_bytes=sizes["storage"],
        cpu_millicores=sizes["cpu"],
        memory_bytes=sizes["memory"],
        parameters=checked,
        **reach,
    )


@dataclass(frozen=True)
class _Unit:
    parse: Callable[[str], int]
    shown: Callable[[int], str]


_BYTES = _Unit(quantity.parse_bytes, quantity.format_bytes)
_MILLICORES = _Unit(quantity.parse_millicores, quantity.format_millicores)


def _check_name(name: str) -> list[FieldError]:
    return [] if is_name(name) else [_error("name", name, "isn't a name", NAME_RULE)]


def _check_version(version: str | None, offer: Capabilities) -> list[FieldError]:
    if version is None or version in offer.versions:
        return []
    return [_error("version", version, "isn't offered", _one_of(offer.versions))]


def _check_password(password: str | None) -> list[FieldError]:
    if password is None or is_password(password):
        return []
    return [_error("password", None, "can't be used", RULE_FOR_PASSWORDS)]


def _size(errors: list[FieldError], field_name: str, asked: str | None, bounds: Bounds, unit: _Unit) -> int:
    if asked is None:
        return bounds.default
    allowed = f"{unit.shown(bounds.least)} to {unit.shown(bounds.most)}"
    try:
        value = unit.parse(asked)
    except ValueError:
        errors.append(_error(field_name, asked, "isn't a quantity", f"{allowed}, such as {unit.shown(bounds.default)}"))
        return bounds.default
    if not bounds.least <= value <= bounds.most:
        errors.append(_error(field_name, asked, "is out of range", allowed))
    return value


def _check_parameters(
    errors: list[FieldError], request: InstanceRequest, offer: Capabilities, platform: str
) -> Mapping[str, str]:
    """The parameters asked for, by the names that PostgreSQL goes by: it doesn't mind the case."""
    version = request.version or offer.default_version
    known = offer.parameters.get(version, {})
    checked: dict[str, str] = {}
    for asked, value in request.parameters.items():
        name = asked.lower()
        if name in checked:
            errors.append(_error(f"parameters.{asked}", value, "is set twice", f"{name} once"))
        elif name in known:
            trouble = values.check(known[name], value)
            errors += [_error(f"parameters.{asked}", value, trouble, values.allowed(known[name]))] if trouble else []
        elif version in offer.versions:
            message, allowed = near.refusal(name, known, version, platform)
            errors.append(_error(f"parameters.{asked}", value, message, allowed))
        checked[name] = value
    return MappingProxyType(checked)


def _error(field_name: str, value: object, message: str, allowed: str) -> FieldError:
    return FieldError(field=field_name, value=value, message=message, allowed=allowed)


def _one_of(choices: Sequence[str]) -> str:
    return "one of " + ", ".join(choices) if len(choices) > 1 else f"only {choices[0]}" if choices else "nothing"
