"""Homes that are hard: long and odd paths, two at once, other users' folders, a full or read-only disk, no HOME."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import pytest
from ports import reserved_block

from tests.acceptance.conftest import World, await_that, make_world
from toygres.home import Home
from toygres.platforms.local import place

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]

LONG = "long-" * 40
ODD = "an odd, 'quoted' \"100%\" home; $HOME & co"
LONGEST = 150
NOBODY = 65534
# Root stays able to read the checkout, wherever it is, and is an ordinary user otherwise.
AS_NOBODY = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)


@contextmanager
def world_at(home: Path, ports: str) -> Iterator[World]:
    made = make_world(ports)
    shutil.rmtree(made.home.path.parent)
    world = World(Home(home), {**made.variables, "TOYGRES_HOME": str(home)})
    try:
        yield world
    finally:
        world.end_all()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that only we can enter."""
    made = Path(tempfile.mkdtemp(prefix="tg-hard-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def owners_and_modes(home: Path) -> dict[Path, tuple[int, int, int]]:
    """Of every folder above the home, and of what else a careless program would have changed."""
    others = [Path("/var/lib"), Path("/tmp"), Path("/etc"), Path("/etc/passwd"), Path("/etc/group")]  # noqa: S108
    seen = {path: path.stat() for path in (*home.parents, *others)}
    return {path: (found.st_mode, found.st_uid, found.st_gid) for path, found in seen.items()}


def servers_of(world: World) -> list[psutil.Process]:
    return [process for process in world.processes() if process.name() == "postgres"]


def assert_it_lets_a_client_in(world: World, name: str) -> None:
    uri = world.ups[-1].uri(name)
    with psycopg.connect(uri) as connection:
        assert connection.execute("SELECT 42").fetchone() == (42,)


def assert_everything_goes(world: World, said: str = "stopped  `toygres up`") -> None:
    outside = [place.find(world.home, tenant).root for tenant in place.Tenant if tenant.record(world.home).exists()]
    destroyed = world.toygres("destroy-everything", "--yes")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    assert said in destroyed.stdout
    assert world.processes() == []
    assert not world.home.path.exists(), destroyed.stdout
    assert not any(folder.exists() for folder in outside)
    assert "There is nothing of Toygres" in world.toygres("destroy-everything", "--yes").stderr


def test_two_homes_at_once_one_with_a_long_path_and_one_with_an_odd_one(folder: Path):
    long = Path(f"{folder}/{LONG}"[: LONGEST - 1] + "x")
    with ExitStack() as stack:
        worlds = [
            stack.enter_context(world_at(home, stack.enter_context(reserved_block()))) for home in (long, folder / ODD)
        ]
        before = [owners_and_modes(world.home.path) for world in worlds]
        for world in worlds:
            world.up("demo")
        for world in worlds:
            world.ups[0].await_ready()
        for world in worlds:
            assert_it_lets_a_client_in(world, "demo")
            assert len(str(world.home.path)) == LONGEST or world.home.path.name == ODD
        addresses = [world.running()["url"] for world in worlds]
        assert addresses[0] != addresses[1]
        assert_everything_goes(worlds[0])
        assert_it_lets_a_client_in(worlds[1], "demo")
        assert worlds[1].toygres("list").returncode == 0
        assert_everything_goes(worlds[1])
        assert [owners_and_modes(world.home.path) for world in worlds] == before


def test_below_a_private_folder_without_a_home_variable_and_with_umask_077_even_killed(
    folder: Path, instance_ports: str
):
    with world_at(folder / "deep" / "home", instance_ports) as world:
        before = owners_and_modes(folder)
        world.prefix = ("env", "--unset=HOME", "sh", "-c", 'umask 077; exec "$@"', "sh")
        world.up("demo").await_ready()
        assert_it_lets_a_client_in(world, "demo")
        assert servers_of(world)
        for server in servers_of(world):
            told = Path(f"/proc/{server.pid}/status").read_text()
            assert server.uids().real != 0
            if os.geteuid() == 0:
                assert re.search(r"^CapEff:\s+0+$", told, re.MULTILINE), told
        world.ups[0].process.kill()
        world.ups[0].await_end()
        await_that(lambda: not world.control_plane())
        world.home.running.unlink()
        assert_everything_goes(world, "stopped  1 server of instances")
        assert owners_and_modes(folder) == before


def test_an_ordinary_user_has_it_all_in_the_home_and_removes_read_only_parts_too(folder: Path, instance_ports: str):
    own = folder / "own"
    own.mkdir(mode=0o700)
    with world_at(own / "home", instance_ports) as world:
        if os.geteuid() == 0:
            folder.chmod(0o711)
            os.chown(own, NOBODY, NOBODY)
            world.prefix = AS_NOBODY
        world.up("demo").await_ready()
        assert_it_lets_a_client_in(world, "demo")
        assert not world.home.metadata_place.exists()
        (world.home.path / "fences").chmod(0o500)
        world.home.logs.chmod(0o000)
        assert_everything_goes(world)


@pytest.mark.parametrize("user", [NOBODY, 54321])
def test_without_a_folder_to_put_a_home_into_it_says_what_to_set(user: int):
    others = (f"--reuid={user}", f"--regid={user}", *AS_NOBODY[3:])
    prefix = ("setpriv", *others) if os.geteuid() == 0 else ()
    told = subprocess.run(
        [*prefix, sys.executable, "-m", "toygres", "up"],
        env={"PATH": os.environ["PATH"], "XDG_DATA_HOME": "/proc/none"} if not prefix else {"PATH": os.environ["PATH"]},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 78
    assert "TOYGRES_HOME" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A small file system of its own: filling it harms nobody. The servers' user may pass through it."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = Path(tempfile.mkdtemp(prefix="tg-disk-"))
    folder.chmod(0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m,mode=0755", "none", str(folder)], check=True)
    (folder / "home").mkdir(mode=0o711)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
    folder.rmdir()


def fill(folder: Path) -> Path:
    """Write until nothing more fits, whatever others write meanwhile."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 65_536)
    return filler


def test_a_full_disk_and_a_read_only_one_are_told_and_ended_by_their_remedy(small_disk: Path, instance_ports: str):
    with world_at(small_disk / "home", instance_ports) as world:
        filler = fill(small_disk)
        told = world.toygres("up")
        assert (told.returncode, told.stdout) == (5, "")
        assert re.fullmatch(r"toygres: The disk that holds \S+ is full\. Free at least \d+ MiB there.*\n", told.stderr)
        filler.unlink()

        up = world.up("demo").await_ready()
        filler = fill(small_disk)
        os.kill(world.pid_of("web"), signal.SIGKILL)
        up.await_line(r"The disk that holds \S+ is full\. Free at least \d+ MiB")
        filler.unlink()
        # Whatever couldn't write was ended and started again, with growing pauses.
        await_that(lambda: world.toygres("create", "other").returncode in (0, 4), 200)
        await_that(lambda: '"state": "ready"' in world.toygres("get", "other", "-o", "json").stdout, 200)
        assert up.interrupt() == 0
        assert "Traceback" not in up.said

        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
        for command in (("up",), ("up", "--detach"), ("down",)):
            told = world.toygres(*command)
            assert (told.returncode, told.stdout) == (78, "")
            assert "its disk is read-only. Mount it writable" in told.stderr
        told = world.toygres("destroy-everything", "--yes")
        assert told.returncode == 1
        assert "Read-only file system" in told.stdout
        assert "Not all of it could be removed" in told.stderr
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
        assert world.toygres("destroy-everything", "--yes").returncode == 0
        assert list(small_disk.iterdir()) == []
