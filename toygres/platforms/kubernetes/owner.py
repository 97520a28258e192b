"""Whom an instance's objects belong to: its anchor, with whose end Kubernetes removes them all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Owner:
    """The anchor as the API server has it: its name, and the UID that no successor shares."""

    name: str
    uid: str

    def reference(self) -> dict[str, object]:
        """What an object says of its owner."""
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": self.name,
            "uid": self.uid,
            "controller": False,
            "blockOwnerDeletion": False,
        }
