"""A worker that copies data folders ahead of the creates that it runs."""

from __future__ import annotations

import pytest
from making_stack import Stack

from toygres.domain.operation import OperationState
from toygres.platforms.local import place, spares
from toygres.platforms.local.layout import Layout


def test_a_create_takes_the_spare_and_the_worker_makes_another(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOYGRES_SPARE_FOLDERS", "1")
    stack.start_worker()
    _await_spares(stack, 1)
    where = place.find(stack.home)
    (spare,) = spares.ready(where)
    inode = (where.root / "spares" / spare).stat().st_ino
    created = stack.create()
    assert created.state is OperationState.SUCCEEDED, created.cause
    assert Layout(where, created.instance_id).data.stat().st_ino == inode
    _await_spares(stack, 2)
    assert spare not in spares.ready(where)


def _await_spares(stack: Stack, count: int) -> None:
    """Return once the worker has told so often that it made one."""
    with stack.logged("worker0") as log:
        assert log.stdout is not None
        told = (line for line in log.stdout if "spare_made" in line)
        for _ in range(count):
            next(told)
        log.terminate()
