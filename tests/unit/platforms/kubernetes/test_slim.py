"""What is kept of an object: all that is read, and nothing else."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from toygres.platforms.kubernetes.slim import slim

RECORDING = Path(__file__).parents[3] / "conformance" / "recordings" / "crash-loop.jsonl.gz"
KINDS = {
    "pods": "Pod",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "statefulsets": "StatefulSet",
    "services": "Service",
    "events": "Event",
}


def recorded(resource: str) -> Iterator[dict[str, Any]]:
    with gzip.open(RECORDING, "rt", encoding="utf-8") as lines:
        yield from (line["event"]["object"] for line in map(json.loads, lines) if line.get("watch") == resource)


@pytest.mark.parametrize("resource", KINDS)
def test_a_slim_object_stays_as_it_is(resource: str) -> None:
    for found in recorded(resource):
        once = slim(KINDS[resource], found)
        assert slim(KINDS[resource], once) == once
        assert len(json.dumps(once)) < len(json.dumps(found))


def test_a_pod_keeps_what_tells_how_it_does() -> None:
    kept = slim("Pod", list(recorded("pods"))[-1])
    assert kept["metadata"]["ownerReferences"][0].keys() == {"kind", "name", "uid"}
    assert kept["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 1
    assert "containers" not in kept["spec"]


def test_a_secret_loses_its_data() -> None:
    kept = slim("Secret", {"metadata": {"name": "a", "uid": "b"}, "data": {"password": "aHVudGVyMg=="}})
    assert kept == {"metadata": {"name": "a", "uid": "b", "labels": {}}}


def test_only_our_marks_are_kept_and_the_long_one_is_not() -> None:
    annotations = {"toygres.io/fence": "7", "toygres.io/spec": "{}", "other/one": "x"}
    labels = {"toygres.io/project": "default", "app.kubernetes.io/name": "postgresql"}
    kept = slim("ConfigMap", {"metadata": {"annotations": annotations, "labels": labels, "managedFields": [{}]}})
    assert kept == {"metadata": {"labels": {"toygres.io/project": "default"}, "annotations": {"toygres.io/fence": "7"}}}


def test_nulls_are_as_good_as_nothing() -> None:
    empty = {"metadata": None, "spec": None, "status": None}
    for kind in (*KINDS.values(), "ConfigMap"):
        assert slim(kind, empty)["metadata"] == {"labels": {}}
