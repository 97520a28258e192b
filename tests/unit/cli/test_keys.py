"""`toygres keys rotate` where it can't be done: nothing is changed, and it is said what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from toygres.home import Home
from toygres.keyring import KeyFile, new_key


def test_without_a_metadata_db_that_runs_nothing_is_changed(run: Any, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()
    keys = [new_key()]
    KeyFile(home.secret_keys).write(keys)
    ran = run("keys", "rotate")
    assert ran.code == 5
    assert "The metadata DB doesn't run" in ran.err
    assert "toygres up" in ran.err
    assert KeyFile(home.secret_keys).read() == keys


def test_a_metadata_db_that_does_not_answer_is_an_error(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "home")
    home.make()
    keys = [new_key()]
    KeyFile(home.secret_keys).write(keys)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://nobody@/postgres?host={tmp_path}")
    ran = run("keys", "rotate")
    assert (ran.code, ran.out) == (5, "")
    assert "doesn't answer" in ran.err
    assert KeyFile(home.secret_keys).read() == keys


def test_keys_alone_lists_what_can_be_done(run: Any) -> None:
    assert "rotate" in run("keys").out
