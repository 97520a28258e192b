"""Removing all that Toygres made for a home, and nothing else, however broken the home is."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from toygres.home import Home, write_private
from toygres.platforms.local import place
from toygres.platforms.local.place import Tenant
from toygres.processes import lock, outside, removal
from toygres.processes.broker import Broker

DESTROY = (sys.executable, "-m", "toygres", "destroy-everything")


@pytest.fixture
def made() -> Iterator[Home]:
    """A home with what `up` leaves in it, and places for servers outside it where they are wanted."""
    folder = Path(tempfile.mkdtemp(prefix="tg-"))
    home = Home(folder / "home")
    home.make()
    for tenant in Tenant:
        place.find(home, tenant)
    write_private(home.token, "token")
    write_private(home.secret_keys, "key")
    (home.logs / "web.log").touch()
    (home.path / "fences").mkdir(mode=0o700)
    (home.path / "fences" / ("0" * 32)).touch()
    elsewhere = folders(home)
    yield home
    for left in (*elsewhere, folder):
        shutil.rmtree(left, ignore_errors=True)


def folders(home: Home) -> list[Path]:
    return [place.find(home, tenant).root for tenant in Tenant]


def destroyed(home: Home) -> list[str]:
    said: list[str] = []
    assert removal.destroy(home, said.append)
    return said


def test_all_of_it_goes_each_thing_with_a_line(made: Home) -> None:
    before = folders(made)
    said = destroyed(made)
    assert not made.path.exists()
    assert not any(folder.exists() for folder in before)
    for gone in (*before, made.token, made.logs, made.path):
        assert any(line.startswith(f"removed  {gone}") for line in said), (gone, said)
    assert not removal.is_home(made)


def test_what_toygres_did_not_make_stays_with_its_folder_and_is_told(made: Home) -> None:
    foreign = [made.path / "notes", made.logs / "notes.log", made.path / "link"]
    foreign[0].write_text("mine")
    foreign[1].write_text("mine")
    foreign[2].symlink_to(made.path.parent)
    said = destroyed(made)
    assert sorted(path for path in made.path.rglob("*") if path != made.logs) == sorted(foreign)
    for path in foreign:
        assert f"left     {path}: Toygres didn't make it" in said
    assert destroyed(made)[-1] == f"left     {made.path}: what is left lies in it"


def test_a_folder_of_somebodys_own_is_no_home(made: Home) -> None:
    own = made.path.parent / "own"
    (own / "projects").mkdir(parents=True)
    assert not removal.is_home(Home(own))
    assert not removal.is_home(Home(own / "never-was"))


@pytest.mark.parametrize("written", ["", "[]", "{", '{"root": 7, "sockets": ["x"]}'])
def test_records_that_tell_nothing_do_not_keep_the_rest(made: Home, written: str) -> None:
    lost = place.find(made).root
    made.place.write_text(written)
    made.metadata_place.unlink(missing_ok=True)
    said = destroyed(made)
    assert not made.path.exists()
    assert any(str(lost) in line for line in said if line.startswith(("unclear", "removed")))


def test_a_record_that_was_cut_off_still_names_its_folder(made: Home) -> None:
    elsewhere = place.find(made).root
    made.place.write_text(made.place.read_text()[:-5])
    destroyed(made)
    assert not elsewhere.exists()


@pytest.mark.parametrize("name", ["precious", "toygres-12345678"])
def test_a_record_that_names_what_is_not_ours_removes_nothing_there(made: Home, name: str) -> None:
    precious = made.path.parent / name
    kept = precious if name == "precious" else made.path.parent / "kept"
    kept.mkdir()
    (kept / "file").touch()
    if kept != precious:
        precious.symlink_to(kept)
    made.place.write_text(json.dumps({"root": str(precious), "sockets": None, "made": True}))
    said = destroyed(made)
    assert (kept / "file").exists()
    assert f"left     {precious}: it is named in a record, but isn't a folder that Toygres made" in said
    assert made.path.exists() is False


def test_the_brokers_folder_is_written_down_before_it_is_made_and_goes_too() -> None:
    folder = Path(tempfile.mkdtemp(prefix="tg-"))
    home = Home(folder / ("long" * 25))
    home.make()
    broker = Broker(home)
    assert not broker.socket.parent.exists()
    assert outside.read(home)[outside.BROKER] == str(broker.socket.parent)
    assert Broker(home).socket == broker.socket
    sockets = broker.socket.parent
    sockets.mkdir(mode=0o700)
    destroyed(home)
    assert not sockets.exists()
    folder.rmdir()


def test_servers_of_others_are_named_without_their_passwords_and_stay(made: Home) -> None:
    told = outside.without_secrets("postgresql://us:hunter2@db.example:5432/app?password=hunter3")
    outside.note(made, database=told, redis=outside.without_secrets("redis://:hunter2@cache/0"), redis_prefix="tg:")
    said = "\n".join(destroyed(made))
    assert "the schema `toygres` in postgresql://db.example:5432/app; `DROP SCHEMA toygres CASCADE`" in said
    assert "the keys that begin with `tg:` in redis://cache/0" in said
    assert "hunter" not in said


def test_whoever_holds_the_lock_of_up_is_found_without_any_record(made: Home) -> None:
    assert lock.holder(made) is None
    with lock.only_up(made):
        assert lock.holder(made) == os.getpid()
    assert lock.holder(made) is None


def test_without_a_terminal_it_wants_a_plain_yes_as_an_option(made: Home) -> None:
    asked = subprocess.run(
        DESTROY,
        env={**os.environ, "TOYGRES_HOME": str(made.path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (asked.returncode, asked.stdout) == (2, "")
    assert "--yes wasn't given" in asked.stderr
    assert made.token.exists()


@pytest.mark.parametrize(("answer", "code"), [("no", 2), ("\x04", 130), ("yes", 0), ("the path", 0)])
def test_on_a_terminal_it_asks_for_the_path_or_a_yes(made: Home, answer: str, code: int) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, (str(made.path) if answer == "the path" else answer).encode() + b"\n" * (answer != "\x04"))
    asked = subprocess.run(
        DESTROY,
        env={**os.environ, "TOYGRES_HOME": str(made.path)},
        stdin=theirs,
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert asked.returncode == code, asked.stderr
    assert made.path.exists() == (code != 0)
