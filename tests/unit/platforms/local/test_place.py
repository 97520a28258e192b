"""Where servers live, and as whom."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from toygres.errors import Misconfigured
from toygres.home import Home
from toygres.platforms.local import place
from toygres.platforms.local.place import Place, ServerUser, Tenant, identity_kwargs, reaches

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run servers as another user")
STRANGER = ServerUser("stranger", 54321, 54321)


def test_every_later_process_finds_the_same_place(new_home: Home) -> None:
    assert place.find(new_home) == place.find(new_home)


def test_processes_that_look_at_once_find_the_same_place(new_home: Home) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(place.find, [new_home] * 8))
    assert len(set(found)) == 1


def test_two_homes_never_share_a_folder(new_home: Home, folder: Path) -> None:
    other = Home(folder / "other")
    try:
        one, two = place.find(new_home), place.find(other)
        assert len({one.root, two.root}) == len({one.sockets, two.sockets}) == 2
    finally:
        place.forget(other)


def test_only_the_servers_user_can_enter_its_folders(new_place: Place) -> None:
    for made in (new_place.root, new_place.sockets):
        found = made.stat()
        assert (found.st_mode & 0o777, found.st_uid) == (0o700, new_place.owner)


def test_a_server_runs_as_the_places_user_and_no_group_of_ours(new_place: Place) -> None:
    said = subprocess.run(
        ["sh", "-c", "id -u; id -g; id -G"], capture_output=True, text=True, check=True, **identity_kwargs(new_place)
    )
    uid, gid, groups = said.stdout.splitlines()
    assert (int(uid), int(gid)) == (new_place.owner, new_place.group)
    assert new_place.user is None or groups == gid


def test_without_root_the_metadata_db_has_the_place_of_the_servers(new_home: Home) -> None:
    if os.geteuid() != 0:
        assert place.find(new_home, Tenant.METADATA) == place.find(new_home)
        assert not new_home.metadata_place.exists()


@as_root
def test_roots_metadata_db_has_a_user_and_folders_that_no_server_of_an_instance_can_enter(new_home: Home) -> None:
    servers, metadata = place.find(new_home), place.find(new_home, Tenant.METADATA)
    assert place.find(new_home, Tenant.METADATA) == metadata
    assert (servers.user and servers.user.name, metadata.user and metadata.user.name) == ("nobody", "daemon")
    for made in (metadata.root, metadata.sockets):
        found = made.stat()
        assert (found.st_mode & 0o777, found.st_uid) == (0o700, metadata.owner)
        assert not made.is_relative_to(servers.root)
        for command in (["ls", made], ["touch", made / "pg_hba.conf"], ["cat", new_home.metadata_place]):
            tried = subprocess.run(command, capture_output=True, text=True, check=False, **identity_kwargs(servers))
            assert tried.returncode != 0
            assert "Permission denied" in tried.stderr
    place.forget(new_home)
    assert not any(left.exists() for left in (metadata.root, metadata.sockets, new_home.metadata_place))


@as_root
@pytest.mark.parametrize(("names", "told"), [({}, "no user 'daemon'"), ({"daemon": 65534}, "are the same")])
def test_without_a_user_of_its_own_there_is_no_place_for_the_metadata_db(
    new_home: Home, monkeypatch: pytest.MonkeyPatch, names: dict[str, int], told: str
) -> None:
    known = {"nobody": 65534, **names}

    def look_up(name: str) -> pwd.struct_passwd:
        return pwd.struct_passwd((name, "x", known[name], known[name], "", "/", "/bin/false"))

    monkeypatch.setattr(pwd, "getpwnam", look_up)
    with pytest.raises(Misconfigured, match=told):
        place.find(new_home, Tenant.METADATA)


def test_servers_live_where_their_user_can_reach(new_home: Home, new_place: Place) -> None:
    if new_place.user is None:
        assert new_place.root == new_home.path / "servers"
        assert identity_kwargs(new_place) == {}
    else:
        assert new_place.user.uid != 0
        assert not new_place.root.is_relative_to(new_home.path)
        assert reaches(new_place.user, new_place.root)


@as_root
def test_roots_servers_live_in_a_home_that_their_user_can_enter(folder: Path) -> None:
    folder.chmod(0o711)
    home = Home(folder / "home")
    home.path.mkdir(mode=0o711)
    found = place.find(home)
    assert found.root == home.path / "servers"
    place.forget(home)
    assert not found.root.exists()


def test_sockets_live_elsewhere_when_the_homes_path_is_too_long_for_them(folder: Path) -> None:
    folder.chmod(0o711)
    home = Home(folder / ("long" * 20))
    home.path.mkdir(mode=0o711)
    found = place.find(home)
    try:
        assert len(os.fsencode(found.sockets / ("x" * 24) / ".s.PGSQL.65535")) < 104
        assert not found.sockets.is_relative_to(home.path)
        assert place.find(home) == found
    finally:
        place.forget(home)
    assert not found.sockets.exists()


def test_a_sockets_folder_that_a_restart_of_the_machine_took_is_made_again(new_home: Home, new_place: Place) -> None:
    new_place.sockets.rmdir()
    assert place.find(new_home).sockets.is_dir()


def test_a_place_whose_folder_is_gone_is_told_in_a_sentence(new_home: Home, new_place: Place) -> None:
    place.remove(new_place)
    with pytest.raises(Misconfigured, match=rf"{new_place.root}.* is gone\."):
        place.find(new_home)


def test_a_record_that_cannot_be_read_is_told_in_a_sentence(new_home: Home, new_place: Place) -> None:
    kept = new_home.place.read_text()
    new_home.place.write_text("[]")
    with pytest.raises(Misconfigured, match="can't be read"):
        place.find(new_home)
    new_home.place.write_text(kept)


def test_a_link_in_the_places_stead_is_not_followed(new_home: Home, new_place: Place, folder: Path) -> None:
    place.remove(new_place)
    (folder / "elsewhere").mkdir()
    new_place.root.symlink_to(folder / "elsewhere")
    with pytest.raises(Misconfigured):
        place.find(new_home)
    place.remove(new_place)
    assert (folder / "elsewhere").is_dir()
    new_place.root.unlink()


def test_what_a_crash_left_half_made_is_made_whole(new_home: Home, new_place: Place) -> None:
    record = json.loads(new_home.place.read_text())
    new_home.place.write_text(json.dumps({**record, "made": False}))
    place.remove(new_place)
    assert place.find(new_home) == new_place
    assert json.loads(new_home.place.read_text())["made"] is True


def test_a_forgotten_place_is_gone_and_a_new_one_is_made(new_home: Home, new_place: Place) -> None:
    (new_place.root / "data").mkdir()
    place.forget(new_home)
    assert not new_place.root.exists()
    assert not new_place.sockets.exists()
    assert not new_home.place.exists()
    place.forget(new_home)
    assert place.find(new_home).root.is_dir()


def test_a_folder_is_reached_only_through_folders_that_may_be_entered() -> None:
    # Not in the temporary folder, which may itself be closed to others.
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        outer, inner = Path(made), Path(made) / "inner"
        inner.mkdir()
        for outer_mode, inner_mode, reached in ((0o711, 0o755, True), (0o711, 0o711, False), (0o700, 0o755, False)):
            outer.chmod(outer_mode)
            inner.chmod(inner_mode)
            assert reaches(STRANGER, inner) is reached
        assert not reaches(STRANGER, outer / "missing")
