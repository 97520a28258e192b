"""Labels and annotations: whose an object is, and what a row could be written from again."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from manifest_subject import ID, INSTALLATION, OPERATION, fussy_target, target

from toygres.platforms.kubernetes.labels import (
    FENCE,
    INSTANCE_ID,
    SPEC,
    annotations,
    instance_id_of,
    is_ours,
    labels,
    selector,
)
from toygres.platforms.kubernetes.labels import (
    INSTALLATION as INSTALLATION_LABEL,
)
from toygres.platforms.kubernetes.labels import (
    OPERATION as OPERATION_ANNOTATION,
)


def test_every_object_says_whose_it_is() -> None:
    assert labels(target()) == {
        "app.kubernetes.io/name": "postgresql",
        "app.kubernetes.io/instance": "demo",
        "app.kubernetes.io/managed-by": "toygres",
        "toygres.io/installation": str(INSTALLATION),
        "toygres.io/instance-id": str(ID),
        "toygres.io/project": "default",
    }
    assert selector(ID) == f"toygres.io/instance-id={ID}"


def test_the_annotations_hold_the_step_and_the_whole_spec() -> None:
    found = annotations(fussy_target())
    assert (found[OPERATION_ANNOTATION], found[FENCE]) == (str(OPERATION), "7")
    assert json.loads(found[SPEC]) == {
        "version": "18",
        "storage_bytes": 10 * 2**30,
        "cpu_millicores": 500,
        "memory_bytes": 512 * 2**20,
        "parameters": {"work_mem": "16MB", "log_statement": "all"},
        "user": "the owner",
        "database": 'a "b" & $(PGDATA)',
        "storage_class": "faster",
        "service_type": "LoadBalancer",
        "allowed_cidrs": ["192.0.2.0/24"],
        "allowed_namespaces": ["apps", "monitoring"],
    }


@pytest.mark.parametrize(
    "metadata", [{}, {"labels": None}, {"labels": {INSTANCE_ID: "x"}}, {"labels": {"app": "demo"}}], ids=str
)
def test_an_object_without_our_label_is_nobodys(metadata: dict[str, Any]) -> None:
    assert instance_id_of(metadata) is None
    assert not is_ours(metadata, INSTALLATION, ID)


def test_only_the_same_instance_of_the_same_installation_is_ours() -> None:
    ours = {"labels": labels(target())}
    assert instance_id_of(ours) == ID
    assert is_ours(ours, INSTALLATION, ID)
    assert not is_ours(ours, uuid4(), ID)
    assert not is_ours(ours, INSTALLATION, uuid4())
    assert not is_ours({"labels": {INSTANCE_ID: str(ID)}}, INSTALLATION, ID)
    assert not is_ours({"labels": {INSTALLATION_LABEL: str(INSTALLATION)}}, INSTALLATION, ID)
