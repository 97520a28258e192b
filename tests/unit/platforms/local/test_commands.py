"""Commands that run as the servers' user."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from pathlib import Path

import pytest

from toygres.platforms.local import commands
from toygres.platforms.local.commands import CommandFailed, Interrupt, run
from toygres.platforms.local.place import Place


def test_a_command_reads_its_input_and_says_its_output(new_place: Place) -> None:
    assert run(new_place, ["cat"], stdin="hello", seconds=10) == "hello"


def test_a_command_sees_none_of_our_secrets(new_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:secret@h/d")
    monkeypatch.setenv("PGPORT", "1")
    said = run(new_place, ["env"], seconds=10)
    assert "secret" not in said
    assert "PG" not in said


def test_what_it_makes_is_its_users_alone(new_place: Place) -> None:
    run(new_place, ["sh", "-c", 'echo x >"$1"', "sh", new_place.root / "made"], seconds=10)
    found = (new_place.root / "made").stat()
    assert (found.st_mode & 0o777, found.st_uid) == (0o600, new_place.owner)


def test_a_failure_keeps_the_commands_last_words(new_place: Place) -> None:
    with pytest.raises(CommandFailed, match="failed with status 3: second") as failed:
        run(new_place, ["sh", "-c", "echo first; echo second >&2; exit 3"], seconds=10)
    assert failed.value.output == ("first", "second")
    assert not failed.value.disk_full


def test_a_full_disk_is_told_apart(new_place: Place) -> None:
    with pytest.raises(CommandFailed) as failed:
        run(new_place, ["cp", "/etc/passwd", "/dev/full"], seconds=10)
    assert failed.value.disk_full


def test_a_command_that_takes_too_long_is_ended_with_its_children(new_place: Place) -> None:
    began = time.monotonic()
    with pytest.raises(CommandFailed, match="took longer than"):
        run(new_place, ["sh", "-c", "sleep 60 & sleep 60"], seconds=0.2)
    assert time.monotonic() - began < 20


def test_no_descriptor_of_ours_stays_open_in_it(new_place: Place) -> None:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    try:
        said = run(new_place, ["sh", "-c", "ls /dev/fd/"], seconds=10)
        assert str(writer) not in said.split()
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("changer", ["setpriv", "none"])
def test_a_command_has_the_servers_user_and_no_other_group_however_it_gets_there(
    new_place: Place, folder: Path, monkeypatch: pytest.MonkeyPatch, changer: str
) -> None:
    identify = shutil.which("id")
    assert identify is not None
    if changer == "none":
        monkeypatch.setenv("PATH", str(folder))
    commands._changer.cache_clear()
    try:
        words, _ = commands.as_server_user(new_place, [identify])
        assert (words == [identify]) is (changer == "none" or os.geteuid() != 0 or sys.platform != "linux")
        said = [run(new_place, [identify, option], seconds=10).strip() for option in ("-u", "-g", "-G")]
    finally:
        commands._changer.cache_clear()
    groups = [str(new_place.group)] if os.geteuid() == 0 else said[2].split()
    assert said == [str(new_place.owner), str(new_place.group), " ".join(groups)]


def test_a_command_that_is_interrupted_ends_and_so_does_every_later_one(new_place: Place) -> None:
    interrupt = Interrupt()
    threading.Timer(0.1, interrupt.set).start()
    for _ in range(2):
        with pytest.raises(CommandFailed, match="failed with status -9"):
            run(new_place, ["sleep", "60"], seconds=50, interrupt=interrupt)
