"""The labels and annotations that every object of an instance bears, and whether an object is an instance's."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from toygres.domain import names
from toygres.domain.instance import InstanceSpec
from toygres.platforms.protocol import Target

INSTALLATION = names.LABEL_INSTALLATION
INSTANCE_ID = names.LABEL_INSTANCE_ID
PROJECT = names.LABEL_PROJECT
OPERATION = names.ANNOTATION_OPERATION
FENCE = names.ANNOTATION_FENCE
SPEC = names.ANNOTATION_SPEC
# On the pod alone: what its configuration was when it began.
CONFIG = "toygres.io/config"
COMMON = {"app.kubernetes.io/name": "postgresql", "app.kubernetes.io/managed-by": "toygres"}


def labels(target: Target) -> dict[str, str]:
    """Those of all objects of the instance, its pod among them."""
    return {
        **COMMON,
        "app.kubernetes.io/instance": target.instance.name,
        INSTALLATION: str(target.installation_id),
        INSTANCE_ID: str(target.instance.id),
        PROJECT: target.instance.project,
    }


def annotations(target: Target) -> dict[str, str]:
    """Who wrote the object last, and the spec, from which a row can be written again; no secrets."""
    return {
        OPERATION: str(target.operation_id),
        FENCE: str(target.fence),
        SPEC: json.dumps(_plain(target.instance.spec), sort_keys=True, separators=(",", ":")),
    }


def selector(instance_id: UUID) -> str:
    """The label selector for an instance's objects."""
    return f"{INSTANCE_ID}={instance_id}"


def instance_id_of(metadata: Mapping[str, Any]) -> UUID | None:
    """Which instance an object says that it belongs to; None when it names none."""
    try:
        return UUID(str((metadata.get("labels") or {}).get(INSTANCE_ID, "")))
    except ValueError:
        return None


def is_ours(metadata: Mapping[str, Any], installation_id: UUID, instance_id: UUID) -> bool:
    """Whether an object is this instance's of this installation: only then may it be written or deleted."""
    found = (metadata.get("labels") or {}).get(INSTALLATION)
    return found == str(installation_id) and instance_id_of(metadata) == instance_id


def _plain(spec: InstanceSpec) -> dict[str, object]:
    values = {field.name: getattr(spec, field.name) for field in dataclasses.fields(spec)}
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}
