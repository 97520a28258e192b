"""The names that an instance may have, and every name and label that is made from it."""

from __future__ import annotations

import re
from uuid import UUID

NAME_RULE = "1 to 40 characters: a to z, 0 to 9 and '-'; begins with a letter, ends with a letter or digit"
# A Service must begin with a letter (RFC 1035); a StatefulSet's pods need room for their suffixes.
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", re.ASCII)

LABEL_INSTALLATION = "toygres.io/installation"
LABEL_INSTANCE_ID = "toygres.io/instance-id"
LABEL_PROJECT = "toygres.io/project"
ANNOTATION_OPERATION = "toygres.io/operation"
ANNOTATION_FENCE = "toygres.io/fence"
ANNOTATION_SPEC = "toygres.io/spec"

MONITOR_USER = "toygres_monitor"


def is_name(text: str) -> bool:
    """Whether an instance may be called `text`."""
    return _NAME.fullmatch(text) is not None


def object_name(name: str, instance_id: UUID) -> str:
    """What the instance's platform objects are called.

    The end of the ID keeps a late step of a deleted instance away from its successor of the same name.
    """
    return f"{name}-{instance_id.hex[-8:]}"
