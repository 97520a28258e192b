from __future__ import annotations

import os
import resource
import stat
from pathlib import Path

import pytest

from tests.unit.processes.conftest import Script
from toygres.processes import child


def test_children_get_the_home_and_none_of_our_settings_or_secrets(monkeypatch: pytest.MonkeyPatch):
    secrets = (
        "DATABASE_URL",
        "REDIS_URL",
        "TOYGRES_SECRET_KEYS",
        "POSTGRES_PASSWORD",
        "PGPASSWORD",
        "FLOWER_BASIC_AUTH",
    )
    for name in (*secrets, "CELERY_BROKER_URL", "TOYGRES_PORT"):
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("KUBECONFIG", "/kube")
    seen = child.environment(Path("/home-of-toygres"))
    assert "hunter2" not in seen.values()
    assert seen["TOYGRES_HOME"] == "/home-of-toygres"
    assert seen["KUBECONFIG"] == "/kube"


def test_a_child_has_a_session_and_a_private_log_of_its_own(script: Script):
    command = script("import os; print('session', os.getsid(0) == os.getpid()); open('made', 'w')")
    assert child.spawn(command).wait(10) == 0
    assert child.last_lines(command.log) == ["session True"]
    assert stat.S_IMODE(command.log.stat().st_mode) == 0o600
    assert stat.S_IMODE((command.folder / "made").stat().st_mode) == 0o600


def test_a_log_grows_until_it_is_large_then_one_old_one_is_kept(script: Script):
    command = script("print('hello')")
    for _ in range(2):
        child.spawn(command).wait(10)
    assert child.last_lines(command.log) == ["hello", "hello"]
    os.truncate(command.log, 20_000_001)
    child.spawn(command).wait(10)
    assert child.last_lines(command.log) == ["hello"]
    assert command.log.with_name("part.log.1").stat().st_size == 20_000_001


def test_the_last_lines_since_a_start_hold_none_of_earlier_ones(script: Script):
    command = script("print('hello')")
    assert child.end_of(command.log) == 0
    child.spawn(command).wait(10)
    began = child.end_of(command.log)
    assert child.last_lines(command.log, since=began) == []
    child.spawn(command).wait(10)
    assert child.last_lines(command.log, since=began) == ["hello"]
    os.truncate(command.log, 20_000_001)
    began = child.end_of(command.log)
    child.spawn(command).wait(10)
    assert child.last_lines(command.log, since=began) == ["hello"]


def test_the_last_lines_of_a_log_that_is_not_there_are_none(tmp_path: Path):
    assert child.last_lines(tmp_path / "absent.log") == []


def test_a_child_that_crashes_leaves_no_memory_behind(script: Script):
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        command = script("import resource; print(resource.getrlimit(resource.RLIMIT_CORE)[0])")
        assert child.spawn(command).wait(10) == 0
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    assert child.last_lines(command.log) == ["0"]
