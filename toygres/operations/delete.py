"""Delete: create's steps undone, newest first; goes on until nothing is left."""

from __future__ import annotations

from toygres.domain.instance import InstanceState
from toygres.operations.create import CREATE

DELETE = CREATE.unwound(
    "delete",
    title="Delete an instance and its data",
    allowed_from=frozenset(InstanceState) - {InstanceState.DELETED, InstanceState.DELETING},
    during=InstanceState.DELETING,
    gives=InstanceState.DELETED,
)
