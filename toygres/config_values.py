"""The types of settings in Kubernetes' words: lists, JSON, and names that its API server would take."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_DNS_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)
_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", re.ASCII)
_IMAGE = re.compile(r"[A-Za-z0-9][-A-Za-z0-9._:/@]*", re.ASCII)
_OURS = ("toygres.io/", "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/managed-by")
_TOLERATION = frozenset({"key", "operator", "value", "effect", "tolerationSeconds"})
_AFFINITY = frozenset({"nodeAffinity", "podAffinity", "podAntiAffinity"})
_NAME_RULE = "a to z, 0 to 9, '-' and '.', beginning and ending with a letter or digit"
_NAMESPACE_RULE = "at most 63 of a to z, 0 to 9 and '-', beginning and ending with a letter or digit"


def read_list(value: Any) -> Any:
    """The parts between commas; what isn't text is left as it is."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _read_text(value: Any) -> Any:
    return value or None if isinstance(value, str) else value


def _reader(empty: Any) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value.strip() else empty
        except json.JSONDecodeError as wrong:
            raise ValueError(f"write it as JSON: {wrong}") from None

    return read


def _each(rule: re.Pattern[str], told: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        for text in (value,) if isinstance(value, str) else value or ():
            if not rule.fullmatch(text):
                raise ValueError(f"{text!r} can't be one: {told}")
        return value

    return check


def _check_cidrs(value: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(text)) for text in value)
    except ValueError as wrong:
        raise ValueError(f"write each as a network such as 10.0.0.0/8: {wrong}") from None


def _check_keys(keys: Iterable[str]) -> None:
    for key in keys:
        prefix, slash, name = key.rpartition("/")
        if not name or not _LABEL.fullmatch(name) or (slash and not _DNS_NAME.fullmatch(prefix)):
            raise ValueError(f"{key!r} isn't a key: write NAME or DNS-NAME/NAME, the name of at most 63 characters")


def _check_labels(value: dict[str, str]) -> dict[str, str]:
    _check_keys(value)
    for text in value.values():
        if not _LABEL.fullmatch(text):
            raise ValueError(f"{text!r} isn't a label's value: at most 63 letters, digits, '-', '_' and '.'")
    return value


def _check_annotations(value: dict[str, str]) -> dict[str, str]:
    _check_keys(value)
    return value


def _check_not_ours(value: dict[str, str]) -> dict[str, str]:
    for key in value:
        if key.startswith(_OURS):
            raise ValueError(f"{key!r} is Toygres' own")
    return value


def _check_images(value: dict[str, str]) -> dict[str, str]:
    for version, image in value.items():
        if not version.isdecimal() or not _IMAGE.fullmatch(image):
            raise ValueError(f"{version!r}: {image!r} isn't a major version and an image's name")
    return value


def _check_tolerations(value: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    for each in value:
        _only(each, _TOLERATION)
    return value


def _check_affinity(value: Mapping[str, Any]) -> Mapping[str, Any]:
    _only(value, _AFFINITY)
    return value


def _only(given: Mapping[str, Any], known: frozenset[str]) -> None:
    if unknown := sorted(set(given) - known):
        raise ValueError(f"{unknown[0]!r} isn't known here, only {', '.join(sorted(known))}")


List = Annotated[tuple[str, ...], NoDecode, BeforeValidator(read_list)]
Namespace = Annotated[str, AfterValidator(_each(_DNS_LABEL, _NAMESPACE_RULE))]
Namespaces = Annotated[List, AfterValidator(_each(_DNS_LABEL, _NAMESPACE_RULE))]
Name = Annotated[str, AfterValidator(_each(_DNS_NAME, _NAME_RULE))]
Names = Annotated[List, AfterValidator(_each(_DNS_NAME, _NAME_RULE))]
# Set to nothing they are as if unset.
MaybeNamespace = Annotated[Namespace | None, BeforeValidator(_read_text)]
MaybeName = Annotated[Name | None, BeforeValidator(_read_text)]
MaybeText = Annotated[str | None, BeforeValidator(_read_text)]
Cidrs = Annotated[List, AfterValidator(_check_cidrs)]
ImagePrefix = Annotated[str, AfterValidator(lambda value: value and _each(_IMAGE, "it begins an image's name")(value))]
_Texts = Annotated[dict[str, str], NoDecode, BeforeValidator(_reader({}))]
Images = Annotated[_Texts, AfterValidator(_check_images)]
Selector = Annotated[_Texts, AfterValidator(_check_labels)]
Labels = Annotated[Selector, AfterValidator(_check_not_ours)]
Annotations = Annotated[_Texts, AfterValidator(_check_annotations), AfterValidator(_check_not_ours)]
# Nothing at all isn't taken for an empty object, since that opens load balancers to the internet.
LoadBalancerAnnotations = Annotated[
    dict[str, str],
    NoDecode,
    BeforeValidator(_reader(None)),
    AfterValidator(_check_annotations),
    AfterValidator(_check_not_ours),
]
Tolerations = Annotated[
    tuple[dict[str, Any], ...], NoDecode, BeforeValidator(_reader(())), AfterValidator(_check_tolerations)
]
Affinity = Annotated[dict[str, Any], NoDecode, BeforeValidator(_reader({})), AfterValidator(_check_affinity)]
