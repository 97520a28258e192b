"""What `kubectl apply --kustomize FOLDER` would apply, as far as deploy/ uses kustomize: anything else is an error.

The hash that kustomize puts behind a generated ConfigMap's name is left out, there and where it is referred to.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]
_KINDS = {
    "Kustomization": ("kustomize.config.k8s.io/v1beta1", {"resources", "components", "configMapGenerator"}),
    "Component": ("kustomize.config.k8s.io/v1alpha1", {"resources"}),
}


def objects(folder: Path) -> list[Object]:
    """Every object, in the order of the files that are listed."""
    said: Object = yaml.safe_load((folder / "kustomization.yaml").read_text())
    version, known = _KINDS[said.pop("kind")]
    assert said.pop("apiVersion") == version
    assert set(said) <= known, f"not understood here: {sorted(set(said) - known)}"
    found = [each for name in said.get("resources", []) for each in _resource(folder / name)]
    found += [each for name in said.get("components", []) for each in objects(folder / name)]
    found += [_generated(asked) for asked in said.get("configMapGenerator", [])]
    named = [identity(each) for each in found]
    assert len(set(named)) == len(named), "kustomize refuses an object that is there twice"
    return found


def documents(file: Path) -> list[Object]:
    """The objects of one file."""
    return [document for document in yaml.safe_load_all(file.read_text()) if document]


def identity(found: Object) -> tuple[str, str, str]:
    """What makes an object this one: kind, namespace (empty for what has none), name."""
    return found["kind"], found["metadata"].get("namespace", ""), found["metadata"]["name"]


def _resource(path: Path) -> list[Object]:
    return objects(path) if path.is_dir() else documents(path)


def _generated(asked: Object) -> Object:
    assert set(asked) == {"name", "namespace", "literals"}
    data = dict(literal.split("=", 1) for literal in asked["literals"])
    metadata = {"name": asked["name"], "namespace": asked["namespace"]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
