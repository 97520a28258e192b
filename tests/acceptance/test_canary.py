"""Secrets are planted in a running Toygres, then searched for wherever they might have gone.

Each is told what it is and where it belongs; one that is found elsewhere fails the test with that place's name.
tests/unit/test_canary_search.py shows that the search finds one in each kind of place.
"""

from __future__ import annotations

import os
import resource
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import canary
import httpx
import pytest
import redis
from canary import leaks
from cryptography.fernet import Fernet

from tests.acceptance.breaking import break_sessions, crash
from tests.acceptance.conftest import READY, Up, await_that, make_world
from tests.acceptance.hunt import CHECKOUT, LOGIN, PATIENCE, Hunt, planted
from tests.acceptance.planting import fail_and_retry, order_and_use, plant_what_up_made, refuse_requests
from tests.acceptance.searched import OF_OUR_STORES, all_files, everywhere, stores, wide
from toygres.home import Home
from toygres.processes import child
from toygres.processes.broker import Broker

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]


def core_files_wanted() -> None:
    """In a child that is about to begin: whatever keeps no memory dump of ours is our own doing."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))


@pytest.fixture
def hunt(instance_ports: str) -> Iterator[Hunt]:
    made = Hunt(make_world(instance_ports))
    made.world.variables |= made.variables() | {"TOYGRES_STEP_ATTEMPTS": "2"}
    yield made
    made.world.clean_up()


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """bin/toygres, in a checkout whose environment is the one that runs this test."""
    shutil.copytree(CHECKOUT / "bin", tmp_path / "checkout" / "bin")
    (tmp_path / "checkout" / ".venv").symlink_to(sys.prefix)
    uv = tmp_path / "tools" / "uv"
    uv.parent.mkdir()
    uv.write_text("#!/bin/sh\n")
    uv.chmod(0o755)
    return tmp_path / "checkout" / "bin" / "toygres"


def start_by_script(hunt: Hunt, script: Path, name: str, password: str) -> Up:
    """`POSTGRES_PASSWORD=… bin/toygres up NAME`."""
    path = f"{script.parents[2] / 'tools'}:{os.environ['PATH']}"
    up = Up(
        subprocess.Popen(
            [script, "up", name],
            env=hunt.world.environment(POSTGRES_PASSWORD=password, PATH=path),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=core_files_wanted,  # noqa: PLW1509
        )
    )
    hunt.world.ups.append(up)
    return up


def test_no_secret_is_anywhere_that_it_does_not_belong(hunt: Hunt, script: Path):
    given = hunt.plant("the password given by POSTGRES_PASSWORD", planted("given"), *LOGIN)
    up = start_by_script(hunt, script, "given", given)
    # Whoever is given it in the environment has it there until it has begun anew.
    up.await_line("Starting Toygres", PATIENCE)
    with hunt.sampling():
        up.await_line(READY, PATIENCE)
        plant_what_up_made(hunt)
        order_and_use(hunt, given)
        refuse_requests(hunt)
        fail_and_retry(hunt)
        break_sessions(hunt)
        crash(hunt)
    again = hunt.plant("a password for a name that is taken", planted("again"))
    hunt.says("create", hunt.world.toygres("create", "asked", POSTGRES_PASSWORD=again), code=4)
    hunt.plant_logins()
    hunt.sign_in()
    with wide(everywhere(hunt), *OF_OUR_STORES, "arguments of a started psql") as places:
        assert leaks(hunt.canaries, places) == []
    assert leaks(hunt.canaries, stores(hunt)) == []
    assert up.interrupt() == 0
    assert leaks(hunt.canaries, all_files(hunt)) == []


@pytest.fixture
def broker_with_password(tmp_path: Path) -> Iterator[str]:
    """The URL of a broker that wants a password, as a shared one does."""
    home = Home(tmp_path / "broker-home")
    home.make()
    command = Broker(home).prepare()
    password, port = secrets.token_urlsafe(24), _free_port()
    configuration = home.broker / "valkey.conf"
    guarded = f"bind 127.0.0.1\nport {port}\nrequirepass {password}\n"
    configuration.write_text(configuration.read_text().replace("port 0\n", guarded))
    process = child.spawn(command)
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    with redis.Redis.from_url(url) as client:
        await_that(lambda: _pings(client), PATIENCE)
    yield url
    process.kill()
    process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def _pings(client: redis.Redis) -> bool:
    with suppress(redis.RedisError):
        return bool(client.ping())
    return False


def test_passwords_of_stores_that_others_run_stay_where_they_were_given(
    hunt: Hunt, database_url: str, broker_with_password: str
):
    key = Fernet.generate_key().decode()
    variables = {
        # `peer` lets us in and asks for no password: that there is one in the URL is what this is about.
        "DATABASE_URL": database_url.replace("@/", f":{secrets.token_urlsafe(24)}@/", 1),
        "REDIS_URL": broker_with_password,
        "TOYGRES_SECRET_KEYS": key,
    }
    with hunt.sampling():
        up = hunt.world.up("asked", **variables)
        given = ("file home/running.json", f"environ of {up.process.pid}")
        hunt.plant("the metadata DB's password", str(urlsplit(variables["DATABASE_URL"]).password), *given)
        hunt.plant("the broker's password", str(urlsplit(broker_with_password).password), *given)
        hunt.plant("the secret key", key, *given)
        up.await_line(READY, PATIENCE)
        hunt.sign_in()
        hunt.plant_logins()
        with wide(everywhere(hunt)) as places:
            assert leaks(hunt.canaries, places) == []
        with redis.Redis.from_url(broker_with_password) as client:
            client.shutdown(nosave=True)
        # Accepted all the same, and everybody who needs the broker says in the logs that it is gone.
        hunt.post("/v1/instances", {"name": "unpublished"})
        readiness = httpx.get(hunt.world.running()["url"] + "/readyz", timeout=PATIENCE)
        assert not readiness.json()["checks"]["broker"]["ok"]
        hunt.seen.append(canary.answer("api", readiness))
    assert leaks(hunt.canaries, [*all_files(hunt), *hunt.seen, *hunt.sampled.values()]) == []
    unknown = hunt.world.toygres("keys", "rotate", TOYGRES_SECRET_KEYS=f"{Fernet.generate_key().decode()},{key}")
    assert unknown.returncode == 4
    assert "doesn't know the first key of TOYGRES_SECRET_KEYS" in unknown.stderr
