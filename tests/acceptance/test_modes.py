"""Whoever runs `up`, and with whatever umask: its files are its own, and it listens on loopback only."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest

from tests.acceptance.conftest import READY, Up, World, make_world
from toygres.platforms.local import place
from toygres.processes import flower

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]

PATIENCE = 150.0
NOBODY = 65534
# Lets a user without rights read a checkout that may be root's alone; it gives no right to write anything.
AS_NOBODY = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)


@dataclass
class Somebody:
    """Who runs `up` in a home of their own."""

    world: World
    prefix: tuple[str, ...] = ()
    uid: int = field(default_factory=os.geteuid)

    def toygres(self, *arguments: str, umask: int = 0o022) -> Up:
        started = Up(
            subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "toygres", *arguments],
                env=self.world.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd="/",
                umask=umask,
            )
        )
        self.world.ups.append(started)
        return started


# An ordinary tester has one user only; a machine's own checks run as root and try both.
@pytest.fixture(params=["root", "nobody"] if os.geteuid() == 0 else ["ourselves"])
def somebody(request: pytest.FixtureRequest, instance_ports: str) -> Iterator[Somebody]:
    world = make_world(instance_ports)
    if request.param == "nobody":
        os.chown(world.home.path.parent, NOBODY, NOBODY)
        yield Somebody(world, AS_NOBODY, NOBODY)
    else:
        yield Somebody(world)
    world.clean_up()


@pytest.mark.parametrize("umask", [0o000, 0o077], ids=oct)
def test_its_files_are_its_own_and_it_listens_on_loopback_only(somebody: Somebody, umask: int):
    up = somebody.toygres("up", "demo", umask=umask)
    up.await_line(READY, PATIENCE)
    world = somebody.world
    assert {process.uids().real for process in world.control_plane()} <= {somebody.uid, *server_users(somebody)}
    assert wrong_modes(somebody) == []
    assert listening(world) == {"127.0.0.1"}
    assert_flower_has_its_password_from_its_file(world)
    assert_foreign_names_are_refused(world)
    up.process.terminate()
    assert up.await_end() == 0
    # What was written at the end, as well.
    assert wrong_modes(somebody) == []


def server_users(somebody: Somebody) -> set[int]:
    """Whom servers run as: two users of the system's when we are root, else ourselves."""
    places = [place.find(somebody.world.home, tenant) for tenant in place.Tenant] if somebody.uid == 0 else []
    return {found.owner for found in places}


def folders(somebody: Somebody) -> dict[Path, int]:
    """Every folder that this Toygres made, and whose it is."""
    home = somebody.world.home
    found = {home.path: somebody.uid}
    if somebody.uid == os.geteuid():
        for tenant in place.Tenant:
            where = place.find(home, tenant)
            found |= dict.fromkeys((where.root, where.sockets), where.owner)
    return found


def wrong_modes(somebody: Somebody) -> list[str]:
    """What others than its owner may use, and what isn't its owner's."""
    wrong = []
    for folder, owner in folders(somebody).items():
        assert folder.is_dir()
        for path in [folder, *folder.rglob("*")]:
            # PostgreSQL's programs are no secret, but they are nobody else's either: their folder is closed.
            if "binaries" in path.relative_to(folder).parts:
                continue
            try:
                found = path.lstat()
            except FileNotFoundError:
                continue  # Made ahead, and renamed meanwhile: it is looked at again once all has stopped.
            if not stat.S_ISLNK(found.st_mode) and found.st_mode & 0o077:
                wrong.append(f"{stat.filemode(found.st_mode)} {path}")
            if found.st_uid not in (owner, *server_users(somebody)):
                wrong.append(f"uid {found.st_uid} {path}")
    return wrong


def listening(world: World) -> set[str]:
    """The addresses of all sockets of IP, of whichever protocol, that anybody could send to."""
    return {
        connection.laddr.ip
        for process in world.processes()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN or not connection.raddr
    }


def assert_flower_has_its_password_from_its_file(world: World) -> None:
    password = flower.password(world.home)
    assert password
    assert stat.S_IMODE(world.home.flower_config.stat().st_mode) == 0o600
    process = psutil.Process(world.pid_of("flower"))
    assert f"--conf={world.home.flower_config}" in process.cmdline()
    for each in world.processes():
        assert password not in "\n".join([*each.cmdline(), *each.environ().values()])


def assert_foreign_names_are_refused(world: World) -> None:
    told = world.running()
    headers = {"Host": "evil.example", "Authorization": f"Bearer {world.home.token.read_text().strip()}"}
    for path in ("/", "/v1/instances", "/signin", "/healthz"):
        assert httpx.get(told["url"] + path, headers=headers, timeout=PATIENCE).status_code == 421, path
