"""When `destroy-everything` looks into the home's metadata DB, and what it does when that can't be run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from toygres.cli.destroying import Destroying
from toygres.config import load
from toygres.home import Home, write_private
from toygres.oneshot.database import database
from toygres.platforms.local import place
from toygres.platforms.local.locks import locked
from toygres.platforms.local.place import Tenant
from toygres.processes import metadata, outside, removal
from toygres.processes.metadata import Metadata


@pytest.fixture
def ruined() -> Iterator[Home]:
    """A home with a metadata DB that can't be started."""
    folder = Path(tempfile.mkdtemp(prefix="tg-"))
    home = Home(folder / "home")
    home.make()
    where = place.find(home, Tenant.METADATA)
    data = Metadata(home, where).data
    data.mkdir(mode=0o700)
    (data / "PG_VERSION").write_text("18\n")
    for made in (data, data / "PG_VERSION"):
        os.chown(made, where.owner, where.group)
    yield home
    place.forget(home)
    shutil.rmtree(folder)


def destroy(home: Home, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "toygres", "destroy-everything", "--yes", *options],
        env={**os.environ, "TOYGRES_HOME": str(home.path), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def data_of(home: Home) -> Path:
    found = metadata.find_data(home)
    assert found is not None
    return found


def test_where_no_cluster_was_used_nothing_is_started(ruined: Home) -> None:
    outside.note(ruined, platforms="")
    ran = destroy(ruined, TOYGRES_PLATFORM="kubernetes", KUBECONFIG="/nonexistent")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert not ruined.path.exists()


@pytest.mark.parametrize("noted", [None, "kubernetes"])
def test_what_cannot_be_told_keeps_the_home_unless_clusters_are_left(ruined: Home, noted: str | None) -> None:
    if noted is not None:
        outside.note(ruined, platforms=noted)
    ran = destroy(ruined)
    assert ran.returncode == 1, ran.stderr
    told = "which instances there are on other platforms: The metadata DB didn't start"
    assert f"Nothing of {ruined.path} was removed: it can't be told {told}" in ran.stderr
    assert "removed" not in ran.stdout
    assert (data_of(ruined) / "PG_VERSION").exists()
    ran = destroy(ruined, "--leave-clusters")
    assert ran.returncode == 0, ran.stderr
    assert f"unclear  {told}" in ran.stdout
    assert not ruined.path.exists()


def test_a_metadata_db_of_another_user_is_not_taken_for_an_empty_one(ruined: Home) -> None:
    data = data_of(ruined)
    for record in (ruined.place, ruined.metadata_place):
        record.unlink(missing_ok=True)
    moved = ruined.path / "servers" / "metadata"
    if data != moved:
        # What an ordinary user's `up` made, and root removes.
        moved.parent.mkdir(exist_ok=True)
        data.rename(moved)
    ran = destroy(ruined)
    assert ran.returncode == 78, ran.stderr
    assert f"The metadata DB in {moved} is another user's. Run this as" in ran.stderr
    assert (moved / "PG_VERSION").exists()


def test_platforms_are_noted_with_the_way_to_them_and_stay_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    monkeypatch.setenv("KUBECONFIG", f"relative{os.pathsep}/etc/kube")
    here, there = load(), load(platform="kubernetes", kube_namespace="fleet")
    outside.note_platforms(home, here, fresh=False)
    assert outside.platforms(home) is None
    outside.note_platforms(home, here, fresh=True)
    assert outside.platforms(home) == frozenset()
    outside.note_platforms(home, there, fresh=False)
    outside.note_platforms(home, here, fresh=False)
    assert outside.platforms(home) == {"kubernetes"}
    noted = outside.read(home)
    assert noted["KUBECONFIG"] == f"{Path.cwd() / 'relative'}{os.pathsep}/etc/kube"
    assert (noted["kube_context"], noted["kube_namespace"]) == ("", "fleet")


def test_once_nothing_is_left_elsewhere_the_home_says_so_for_a_run_that_finds_it_half_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="tg-"))
    home = Home(folder / "home")
    monkeypatch.setenv("TOYGRES_HOME", str(home.path))
    with database(home, lambda said: None, lambda: False):
        assert outside.platforms(home) == frozenset()
    outside.note(home, platforms="kubernetes")
    Destroying(home, leave=False).clear_platforms()
    assert outside.platforms(home) == frozenset()
    (data_of(home) / "global" / "pg_control").unlink()
    assert removal.destroy(home, lambda said: None)
    shutil.rmtree(folder)


def test_two_that_note_at_once_lose_nothing_of_each_other(tmp_path: Path) -> None:
    home, there = Home(tmp_path), load(platform="kubernetes")
    with locked(home.path / "outside.lock", 1):
        waiting = threading.Thread(target=outside.note_platforms, args=(home, there), kwargs={"fresh": True})
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        write_private(home.outside, '{"platforms": "", "redis": "theirs"}')
    waiting.join(10)
    assert (outside.platforms(home), outside.read(home)["redis"]) == ({"kubernetes"}, "theirs")
