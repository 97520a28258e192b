from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from toygres.cli import load_commands
from toygres.errors import Misconfigured
from toygres.home import Home
from toygres.processes import containers


def contents(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path.relative_to(folder)): (path.read_text(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def password_in(text: str) -> str:
    return text.partition("requirepass ")[2].partition("\n")[0]


def test_each_server_and_its_clients_get_one_password_and_the_two_servers_have_different_ones(tmp_path: Path):
    containers.make(tmp_path)
    metadata = (tmp_path / containers.METADATA_PASSWORD).read_text()
    broker = password_in((tmp_path / containers.BROKER_CONFIGURATION).read_text())
    assert len(metadata) == len(broker) == 32
    assert metadata != broker
    assert (tmp_path / containers.METADATA_URL).read_text() == f"postgresql://toygres:{metadata}@metadata:5432/toygres"
    assert (tmp_path / containers.BROKER_URL).read_text() == f"redis://:{broker}@broker:6379/0"
    assert (tmp_path / containers.BROKER_PING).read_text() == f"AUTH {broker}\nPING\n"


def test_making_them_again_changes_nothing(tmp_path: Path):
    containers.make(tmp_path)
    before = contents(tmp_path)
    containers.make(tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("lost", [containers.METADATA_PASSWORD, containers.METADATA_URL, containers.BROKER_URL])
def test_what_was_lost_is_made_anew_from_what_the_other_side_knows(tmp_path: Path, lost: Path):
    containers.make(tmp_path)
    before = {name: text for name, (text, _) in contents(tmp_path).items()}
    (tmp_path / lost).unlink()
    containers.make(tmp_path)
    assert {name: text for name, (text, _) in contents(tmp_path).items()} == before


def test_a_release_that_configures_the_broker_otherwise_keeps_its_password(tmp_path: Path):
    containers.make(tmp_path)
    path = tmp_path / containers.BROKER_CONFIGURATION
    written = path.read_text()
    path.chmod(0o600)
    path.write_text(written.replace("appendonly yes", "appendonly no"))
    containers.make(tmp_path)
    assert path.read_text() == written


def test_two_files_that_tell_different_passwords_are_refused(tmp_path: Path):
    containers.make(tmp_path)
    path = tmp_path / containers.METADATA_URL
    path.chmod(0o600)
    path.write_text("postgresql://toygres:another@metadata:5432/toygres")
    with pytest.raises(Misconfigured, match="another password than its server's") as refused:
        containers.make(tmp_path)
    assert "another@" not in str(refused.value)


def test_only_we_can_read_them_and_the_group_of_a_folder_that_it_may_enter(tmp_path: Path):
    shared = tmp_path / containers.METADATA_PASSWORD.parent
    shared.mkdir(mode=0o750)
    group = 999 if os.geteuid() == 0 else os.getegid()
    os.chown(shared, -1, group)
    containers.make(tmp_path)
    modes = {path.parent.name: stat.S_IMODE(path.stat().st_mode) for path in containers.files(tmp_path)}
    assert modes.pop(shared.name) == 0o440
    assert (tmp_path / containers.METADATA_PASSWORD).stat().st_gid == group
    assert set(modes.values()) == {0o400}


def test_prepare_says_what_it_made_and_the_second_time_that_it_made_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    home, shared = Home(tmp_path / "home"), tmp_path / "shared"
    monkeypatch.setenv("TOYGRES_HOME", str(home.path))
    command = [*["prepare", "--containers"], str(shared)]
    first = CliRunner().invoke(load_commands(), command)
    made = [home.token, home.secret_keys, *containers.files(shared), Home(shared / containers.FLOWER).flower_config]
    assert first.output.splitlines() == [*(f"Wrote {path}." for path in made), f"{home.path} is prepared."]
    assert not home.flower_config.exists()
    second = CliRunner().invoke(load_commands(), command)
    assert second.output == f"{home.path} is prepared.\n"
