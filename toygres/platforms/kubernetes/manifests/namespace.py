"""A project's namespace, for where it isn't there and may be made."""

from __future__ import annotations

from toygres.platforms.kubernetes.manifests.metadata import Manifest


def namespace(name: str) -> Manifest:
    """The namespace `name`, which admits only pods that follow the *restricted* Pod Security Standard."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "labels": {
                "app.kubernetes.io/managed-by": "toygres",
                "pod-security.kubernetes.io/enforce": "restricted",
                "pod-security.kubernetes.io/warn": "restricted",
            },
        },
    }
