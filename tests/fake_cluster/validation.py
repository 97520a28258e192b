"""What makes an object invalid when it is made: 400 and 422 in the server's words."""

from __future__ import annotations

import json
import re
from typing import Any

from fake_cluster import quantities, schema, selectors
from fake_cluster.answers import Refusal, bad_request, invalid
from fake_cluster.resources import Resource

Json = dict[str, Any]
Problem = tuple[str, str, str]

_SUBDOMAIN = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_SERVICE = "[a-z]([-a-z0-9]*[a-z0-9])?"
_SERVICE_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    f"and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '{_SERVICE}')"
)
_LABEL_VALUE = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_LABEL_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    f"'{_LABEL_VALUE}')"
)


def check_quantities(resource: Resource, value: Any) -> None:
    """Refuse (400) what should be a quantity and isn't."""
    for requests in _requests_in(value):
        for quantity in requests.values():
            try:
                quantities.number(quantity)
            except ValueError:
                raise bad_request(
                    f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
                    f"quantities must match the regular expression '{quantities.EXPRESSION}'"
                ) from None


def _requests_in(value: Any) -> list[Json]:
    if isinstance(value, list):
        return [found for part in value for found in _requests_in(part)]
    if not isinstance(value, dict):
        return []
    found = []
    for key, part in value.items():
        if key == "resources" and isinstance(part, dict):
            found += [part[name] for name in ("requests", "limits") if isinstance(part.get(name), dict)]
        else:
            found += _requests_in(part)
    return found


def check_complete(resource: Resource, value: Json) -> None:
    """Refuse (422) an object that lacks what its schema requires; a spec that isn't there is an empty one."""
    node = schema.of(resource.api_version, resource.kind)
    if "spec" in node.get("properties", {}):
        value.setdefault("spec", {})
    absent = [_required(path.lstrip(".")) for path in schema.missing(node, value)]
    if absent:
        raise invalid(resource.kind, resource.group, value["metadata"]["name"], absent)


def check(resource: Resource, value: Json) -> None:
    """Refuse (422) an object that isn't valid."""
    problems = _name(resource, value) + _labels(value["metadata"]) + _of_kind(resource.kind, value)
    if problems:
        raise invalid(resource.kind, resource.group, value["metadata"]["name"], problems)


def _value(given: Any, text: str) -> str:
    return f"Invalid value: {json.dumps(given, separators=(',', ':'))}: {text}"


def _name(resource: Resource, value: Json) -> list[Problem]:
    name = value["metadata"]["name"]
    form, text = (_SERVICE, _SERVICE_TEXT) if resource.kind == "Service" else (_SUBDOMAIN, _SUBDOMAIN_TEXT)
    most = 63 if resource.kind in {"Service", "Namespace", "StatefulSet"} else 253
    if len(name) > most:
        return [("metadata.name", "FieldValueInvalid", _value(name, f"must be no more than {most} characters"))]
    if not re.fullmatch(form, name):
        return [("metadata.name", "FieldValueInvalid", _value(name, text))]
    return []


def _labels(metadata: Json, field: str = "metadata.labels") -> list[Problem]:
    found = []
    for value in (metadata.get("labels") or {}).values():
        if len(value) > 63:
            found.append((field, "FieldValueInvalid", _value(value, "must be no more than 63 bytes")))
        elif not re.fullmatch(_LABEL_VALUE, value):
            found.append((field, "FieldValueInvalid", _value(value, _LABEL_TEXT)))
    return found


def _of_kind(kind: str, value: Json) -> list[Problem]:
    check_kind = {"StatefulSet": _stateful_set, "PersistentVolumeClaim": _volume_claim, "Service": _service}.get(kind)
    return check_kind(value) if check_kind else []


def _required(field: str, what: str = "") -> Problem:
    return field, "FieldValueRequired", f"Required value{': ' + what if what else ''}"


def _stateful_set(value: Json) -> list[Problem]:
    spec = value["spec"]
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    if not spec.get("selector"):
        return [_required("spec.selector")]
    found = _labels(spec["template"].get("metadata") or {}, "spec.template.metadata.labels")
    if not selectors.matches(spec["selector"], labels):
        text = _value(dict(sorted(labels.items())), "`selector` does not match template `labels`")
        found.append(("spec.template.metadata.labels", "FieldValueInvalid", text))
    return found + _containers(spec["template"]["spec"], "spec.template.spec")


def _containers(spec: Json, path: str) -> list[Problem]:
    if not spec.get("containers"):
        return [_required(f"{path}.containers")]
    volumes = {volume["name"] for volume in spec.get("volumes") or []}
    found = []
    for i, container in enumerate(spec["containers"]):
        here = f"{path}.containers[{i}]"
        if not container.get("image"):
            found.append(_required(f"{here}.image"))
        for k, mount in enumerate(container.get("volumeMounts") or []):
            if mount["name"] not in volumes:
                text = f"Not found: {json.dumps(mount['name'])}"
                found.append((f"{here}.volumeMounts[{k}].name", "FieldValueNotFound", text))
        found += _resources(container.get("resources") or {}, here)
    return found


def _resources(resources: Json, path: str) -> list[Problem]:
    limits = resources.get("limits") or {}
    found = []
    for name, wanted in (resources.get("requests") or {}).items():
        if name in limits and quantities.number(wanted) > quantities.number(limits[name]):
            text = _value(wanted, f"must be less than or equal to {name} limit of {limits[name]}")
            found.append((f"{path}.resources.requests", "FieldValueInvalid", text))
    return found


def _volume_claim(value: Json) -> list[Problem]:
    spec = value["spec"]
    found = []
    if not spec.get("accessModes"):
        found.append(_required("spec.accessModes", "at least 1 access mode is required"))
    if "storage" not in ((spec.get("resources") or {}).get("requests") or {}):
        found.append(_required("spec.resources[storage]"))
    return found


def _service(value: Json) -> list[Problem]:
    spec = value["spec"]
    if not spec.get("ports") and spec.get("clusterIP") != "None":
        return [_required("spec.ports")]
    ranges = spec.get("loadBalancerSourceRanges") or []
    if ranges and spec.get("type") != "LoadBalancer":
        text = "Forbidden: may only be used when `type` is 'LoadBalancer'"
        return [("spec.LoadBalancerSourceRanges", "FieldValueForbidden", text)]
    return []


def refuse_unknown(namespace: str, value: Json, problems: list[tuple[str, str]]) -> Refusal:
    """500 without a reason: an applied body with a field that the schema doesn't have."""
    told = [f"{path}: {what}" for path, what in problems]
    text = told[0] if len(told) == 1 else "errors:\n" + "\n".join(f"  {line}" for line in told)
    name = "/".join(part for part in (namespace, value["metadata"]["name"]) if part)
    kind = f"{value['apiVersion']}, Kind={value['kind']}"
    return Refusal(500, "", f"failed to create typed patch object ({name}; {kind}): {text}")
