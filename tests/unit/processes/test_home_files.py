from __future__ import annotations

import os
import runpy
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from toygres.config import Settings, load
from toygres.errors import Conflict, Misconfigured
from toygres.home import Home, write_private
from toygres.processes import flower, identity, keys, ports, running
from toygres.processes.lock import only_up


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home as the first `up` finds it."""
    home = Home(tmp_path / "home")
    monkeypatch.setenv("TOYGRES_HOME", str(home.path))
    home.make()
    return home


@pytest.fixture
def plain(bare: Home) -> Settings:
    return load()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_token_and_the_keys_are_made_once_and_only_we_can_read_them(bare: Home, plain: Settings):
    for _ in range(2):
        keys.make_token(bare)
        keys.make_secret_keys(bare, plain)
    token, key = bare.token.read_text(), bare.secret_keys.read_text()
    keys.make_token(bare)
    keys.make_secret_keys(bare, plain)
    assert (bare.token.read_text(), bare.secret_keys.read_text()) == (token, key)
    assert len(token.strip()) >= 43
    Fernet(key.strip())
    assert {mode(bare.token), mode(bare.secret_keys)} == {0o600}


def test_a_home_is_private_and_the_folders_above_it_can_be_entered_whatever_the_umask(tmp_path: Path):
    home = Home(tmp_path / "a" / "b" / "home")
    for umask in (0o077, 0o000):
        before = os.umask(umask)
        try:
            home.make()
        finally:
            os.umask(before)
        assert [mode(folder) for folder in (home.path.parents[1], home.path.parent, home.path, home.logs)] == [
            *(0o755, 0o755),
            *(0o700, 0o700),
        ]
        shutil.rmtree(tmp_path / "a")


@pytest.mark.parametrize("bits", [0o770, 0o707, 0o1777])
def test_a_home_that_others_can_write_to_is_refused(tmp_path: Path, bits: int):
    (tmp_path / "home").mkdir()
    (tmp_path / "home").chmod(bits)
    with pytest.raises(Misconfigured, match="Others than its owner may write") as refused:
        Home(tmp_path / "home").make()
    assert refused.value.remedy == f"Run `chmod go-w {tmp_path / 'home'}`."
    assert list((tmp_path / "home").iterdir()) == []


def test_a_private_file_is_whole_private_and_written_past_any_link(tmp_path: Path):
    written, elsewhere = tmp_path / "token", tmp_path / "elsewhere"
    elsewhere.write_text("untouched")
    written.symlink_to(elsewhere)
    # What a writer who knew our pid could have put in the way.
    written.with_name(f".token.{os.getpid()}").symlink_to(elsewhere)
    write_private(written, "secret")
    assert (written.read_text(), mode(written), written.is_symlink()) == ("secret", 0o600, False)
    assert elsewhere.read_text() == "untouched"


def test_a_metadata_db_of_somebody_elses_needs_keys_that_were_given(bare: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://db.example/toygres")
    with pytest.raises(Misconfigured, match="DATABASE_URL is set, but TOYGRES_SECRET_KEYS isn't"):
        keys.make_secret_keys(bare, load())
    monkeypatch.setenv("TOYGRES_SECRET_KEYS", Fernet.generate_key().decode())
    keys.make_secret_keys(bare, load())
    assert not bare.secret_keys.exists()


def test_flower_keeps_its_password_and_gets_its_new_port(bare: Home, plain: Settings):
    flower.write_options(bare, plain.model_copy(update={"flower_port": 5001}))
    first = flower.password(bare)
    flower.write_options(bare, plain.model_copy(update={"flower_port": 5002}))
    options = runpy.run_path(str(bare.flower_config))
    assert options["basic_auth"] == [f"toygres:{first}"]
    assert (options["address"], options["port"], options["persistent"]) == ("127.0.0.1", 5002, False)
    assert first is not None
    assert len(first) >= 43
    assert mode(bare.flower_config) == 0o600


def test_what_up_tells_about_itself_is_what_every_other_command_reads(
    bare: Home, plain: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("TOYGRES_INSTANCE_PORTS")
    settings = plain.model_copy(
        update={
            "database_url": SecretStr("postgresql://us@/postgres?host=%2Fa"),
            "port": 8123,
            "instance_ports": range(21000, 21005),
            "pg_bindirs": (Path("/a/bin"), Path("/b/bin")),
        }
    )
    running.write(bare, settings, url="http://a", flower_url="http://b", pids={"web": os.getpid()})
    assert load() == settings
    found = running.find(bare)
    assert found is not None
    assert found.lives
    assert found.processes == {"web": (os.getpid(), identity.started(os.getpid()))}
    assert mode(bare.running) == 0o600


def test_an_up_that_ended_is_found_dead(bare: Home, plain: Settings):
    assert running.find(bare) is None
    running.write(bare, plain, url="http://a", flower_url="http://b", pids={})
    told = bare.running.read_text()
    since = identity.started(os.getpid())
    assert since is not None
    bare.running.write_text(told.replace(since, "another start"))
    found = running.find(bare)
    assert found is not None
    assert not found.lives


def test_what_is_not_ours_in_running_json_is_no_running_up(bare: Home):
    for text in ("", "[]", '{"pid": "x"}', '{"pid": 1, "started": "a", "url": "u", "flower_url": "f", "processes": 3}'):
        bare.running.write_text(text)
        assert running.find(bare) is None


def test_a_second_up_is_told_where_the_first_one_runs(bare: Home, plain: Settings):
    with only_up(bare):
        running.write(bare, plain, url="http://127.0.0.1:8123", flower_url="", pids={})
        with pytest.raises(Conflict, match=rf"process {os.getpid()}, http://127.0.0.1:8123") as refused, only_up(bare):
            pass
    assert "toygres down" in refused.value.remedy
    assert not bare.lock.exists()
    with only_up(bare):
        assert bare.lock.exists()


def test_the_lock_ends_with_its_holder_however_that_one_ends(bare: Home):
    hold = (
        "import sys, signal; from pathlib import Path; from toygres.home import Home\n"
        "from toygres.processes.lock import only_up\n"
        "with only_up(Home(Path(sys.argv[1]))): print('held', flush=True); signal.pause()"
    )
    command = [sys.executable, "-c", hold, str(bare.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Conflict), only_up(bare):
            pass
        holder.kill()
    with only_up(bare):
        pass


def test_a_default_port_that_is_taken_gives_way_and_that_is_said(plain: Settings):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said: list[str] = []
        settings = plain.model_copy(update={"port": ports.port_of(taken)})
        with ports.listen(settings, "port", said.append) as chosen:
            assert ports.port_of(chosen) != ports.port_of(taken)
            assert said == [f"Port {ports.port_of(taken)} is taken: using {ports.port_of(chosen)} instead."]


def test_a_port_that_was_set_and_is_taken_is_an_error_that_names_the_variable(
    plain: Settings, monkeypatch: pytest.MonkeyPatch
):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("TOYGRES_FLOWER_PORT", str(ports.port_of(taken)))
        settings = plain.model_copy(update={"flower_port": ports.port_of(taken)})
        with pytest.raises(Misconfigured, match=f"Port {ports.port_of(taken)}, which TOYGRES_FLOWER_PORT names"):
            ports.listen(settings, "flower_port", lambda _: None)


def test_an_address_of_another_machine_is_an_error_that_names_the_variable(plain: Settings):
    with pytest.raises(Misconfigured, match="TOYGRES_BIND"):
        ports.listen(plain.model_copy(update={"bind": "192.0.2.1", "port": 0}), "port", lambda _: None)
