"""The table of causes says of each what it is, what to do, and whether waiting helps."""

from __future__ import annotations

import re
import string
from collections import Counter

import pytest

from toygres.config import Settings, variable
from toygres.errors import CauseCode
from toygres.platforms.kubernetes.causes.document import causes_table, kinds
from toygres.platforms.kubernetes.causes.verdict import Kind


def test_each_cause_has_a_row() -> None:
    table = causes_table()
    for kind in kinds():
        assert f"| `{kind.code.value}` |" in table
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert len(rows) == len(kinds())
    assert "{" not in table


def test_no_cause_is_declared_twice() -> None:
    assert [code for code, times in Counter(kind.code for kind in kinds()).items() if times > 1] == []


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.code.value)
def test_a_cause_is_told_in_sentences(kind: Kind) -> None:
    assert kind.sentence.endswith(".")
    assert kind.remedy.endswith(".")
    assert kind.sign
    places = {field for _, field, _, _ in string.Formatter().parse(kind.sentence + kind.remedy) if field}
    found = kind.found(**dict.fromkeys(places, 7))
    assert "{" not in found.cause.message + found.cause.remedy


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.code.value)
def test_the_settings_that_a_remedy_names_exist(kind: Kind) -> None:
    known = {variable(name) for name in Settings.model_fields}
    assert {name.strip("_…") for name in re.findall(r"TOYGRES_\w+", kind.remedy)} - known <= {"TOYGRES_KUBE"}


def test_all_that_the_issue_asks_for_have_a_cause() -> None:
    codes = {kind.code for kind in kinds()}
    asked = {
        *(CauseCode.IMAGE_MISSING, CauseCode.UNSCHEDULABLE, CauseCode.STORAGE_CLASS_MISSING),
        *(CauseCode.PROVISIONER_SILENT, CauseCode.VOLUME_UNAVAILABLE, CauseCode.CONTAINER_CONFIG),
        *(CauseCode.CRASH_LOOP, CauseCode.OUT_OF_MEMORY, CauseCode.DISK_FULL, CauseCode.VOLUME_NOT_WRITABLE),
        *(CauseCode.DATA_DIRECTORY_NOT_EMPTY, CauseCode.CONTAINER_CANT_START, CauseCode.VOLUME_NOT_MOUNTED),
        *(CauseCode.NOT_READY_IN_TIME, CauseCode.KILLED_BY_STARTUP_PROBE, CauseCode.KILLED_BY_LIVENESS_PROBE),
        *(CauseCode.QUOTA_EXCEEDED, CauseCode.LIMIT_RANGE, CauseCode.NAMESPACE_ENDING, CauseCode.STORAGE_CLASS_UNSET),
        *(CauseCode.POD_SECURITY, CauseCode.ADMISSION_REFUSED, CauseCode.FORBIDDEN, CauseCode.NODE_LOST),
        *(CauseCode.LOAD_BALANCER_PENDING, CauseCode.NAME_UNRESOLVED, CauseCode.WRONG_PASSWORD),
        CauseCode.TLS_UNTRUSTED,
    }
    assert asked <= codes
