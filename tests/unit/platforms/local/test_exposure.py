"""Who can reach local servers, and who may be let."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from driving import CALLER
from making import Subject, subjects

from toygres.config import Settings, load
from toygres.errors import Conflict, Misconfigured
from toygres.home import Home
from toygres.planning import Caller
from toygres.platforms.local import place
from toygres.platforms.local.exposure import own_host, require_told, shown_host
from toygres.platforms.local.platform import LocalPlatform
from toygres.postgres import check_health
from toygres.postgres import test_connection as try_connection
from toygres.provisioning import InstanceRequest, request_instance
from toygres.services import Services, connect

EVERYWHERE = "0.0.0.0"  # noqa: S104
STRANGER = Caller(actor="tester", request_id="req-2", project="other")


def test_by_default_everything_is_on_loopback() -> None:
    settings = load()
    require_told(settings)
    assert (settings.bind, settings.instance_bind, shown_host(settings)) == ("127.0.0.1",) * 3


@pytest.mark.parametrize("name", ["bind", "instance_bind"])
@pytest.mark.parametrize("address", [EVERYWHERE, "::", "192.0.2.1"])
def test_another_address_is_refused_unless_told(name: str, address: str) -> None:
    with pytest.raises(Misconfigured, match=f"TOYGRES_{name.upper()} is {address}.*TOYGRES_LOCAL_SHARED=true"):
        require_told(load(**{name: address}))
    require_told(load(**{name: address}, local_shared=True))


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1"])
def test_every_address_of_loopback_is_fine(address: str) -> None:
    require_told(load(bind=address, instance_bind=address))


def test_a_name_that_only_says_localhost_is_fine_and_another_is_not() -> None:
    require_told(load(bind="localhost"))
    with pytest.raises(Misconfigured, match=r"TOYGRES_BIND is localhost\.example"):
        require_told(load(bind="localhost.example"))


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1,10.0.0.1", "*", "", "127.0.0.1 -c fsync=off"])
def test_servers_listen_on_one_ip_address(address: str) -> None:
    with pytest.raises(Misconfigured, match=r"TOYGRES_INSTANCE_BIND"):
        load(instance_bind=address)


@pytest.mark.parametrize("host", ["db.example/x", "a b", "us:p@db", "höst"])
def test_clients_are_told_a_host_and_nothing_else(host: str) -> None:
    with pytest.raises(Misconfigured, match="TOYGRES_INSTANCE_HOST"):
        load(instance_host=host)


@pytest.mark.parametrize(
    ("bind", "host", "ours", "theirs"),
    [
        ("127.0.0.1", None, "127.0.0.1", "127.0.0.1"),
        (EVERYWHERE, None, "127.0.0.1", "127.0.0.1"),
        ("::", None, "::1", "::1"),
        ("192.0.2.1", None, "192.0.2.1", "192.0.2.1"),
        (EVERYWHERE, "db.example", "127.0.0.1", "db.example"),
    ],
)
def test_we_go_our_own_way_and_clients_the_one_that_they_are_told(
    bind: str, host: str | None, ours: str, theirs: str
) -> None:
    settings = load(instance_bind=bind, instance_host=host)
    assert (own_host(settings), shown_host(settings)) == (ours, theirs)


def test_up_refuses_before_anything_is_made(folder: Path) -> None:
    home = folder / "home"
    ran = subprocess.run(
        [sys.executable, "-m", "toygres", "up"],
        env={"TOYGRES_HOME": str(home), "TOYGRES_BIND": EVERYWHERE, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 78, ran.stderr
    assert "TOYGRES_BIND is 0.0.0.0" in ran.stderr
    assert "TOYGRES_LOCAL_SHARED=true" in ran.stderr
    assert not (home / "token").exists()


def test_every_process_on_the_platform_refuses(settings: Settings) -> None:
    with pytest.raises(Misconfigured, match=r"TOYGRES_INSTANCE_BIND"):
        connect(settings.model_copy(update={"instance_bind": EVERYWHERE}))


def test_a_second_project_is_refused_unless_told(services: Services, settings: Settings) -> None:
    services.store.run("INSERT INTO toygres.projects (name) VALUES ('other')")
    with pytest.raises(Conflict, match="serves the project 'default' only") as refused:
        request_instance(services, STRANGER, InstanceRequest(name="demo"))
    assert "TOYGRES_LOCAL_SHARED" in refused.value.remedy
    assert request_instance(services, CALLER, InstanceRequest(name="demo")).instance.project == "default"
    shared = connect(settings.model_copy(update={"local_shared": True}))
    assert request_instance(shared, STRANGER, InstanceRequest(name="demo")).instance.project == "other"
    shared.close()


@pytest.fixture
def everywhere() -> Iterator[Subject]:
    """An instance on a platform that listens on every address of the machine."""
    folder = Path(tempfile.mkdtemp(prefix="tg-"))
    home = Home(folder / "home")
    settings = load(home=home.path, instance_bind=EVERYWHERE, instance_host="db.example", local_shared=True)
    with subjects(LocalPlatform("local", settings)) as make:
        yield make()
    place.forget(home)
    home.path.rename(folder / "gone")
    subprocess.run(["rm", "-rf", str(folder)], check=True)


def test_a_server_on_every_address_wants_its_password_on_each(everywhere: Subject) -> None:
    everywhere.bring_up()
    assert everywhere.platform.apply_service(everywhere.target).host == "db.example"
    with everywhere.platform.reach(everywhere.instance) as ours:
        assert ours is not None
        assert ours.endpoint.host == "127.0.0.1"
        assert try_connection(ours, "postgres", everywhere.credentials.user) is None
        assert check_health(ours, "postgres", everywhere.credentials.monitor) is None
    for address in _addresses():
        with everywhere.connect(host=address) as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == (EVERYWHERE,)
            rules = connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
            assert rules == [("scram-sha-256",)]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert everywhere.platform.port_in_use(taken.getsockname()[1])


def _addresses() -> list[str]:
    found = [each for addresses in psutil.net_if_addrs().values() for each in addresses]
    return ["127.0.0.1", *(each.address for each in found if each.family == socket.AF_INET)]
