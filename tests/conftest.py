"""What every test may ask for: a metadata DB of its own, a home, and services on real parts."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import structlog
from cryptography.fernet import Fernet
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from ports import reserved_block
from psycopg import sql
from xdist.scheduler import LoadScopeScheduling

# Before anything of ours is imported: no setting of the tester's may reach a test.
for _name in [
    name for name in os.environ if name.startswith(("TOYGRES_", "DATABASE_URL", "REDIS_URL", "POSTGRES_PASSWORD"))
]:
    if not _name.startswith("TOYGRES_TEST_"):
        del os.environ[_name]

# How long an example takes says nothing on a machine that others use as well.
hypothesis_settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("patient")

# Before anything imports them, wherever a run begins to collect.
pytest.register_assert_rewrite(
    *("faults.scene", "faults.acts", "stateful.machine", "stateful.invariants"),
    *(f"tests.acceptance.{name}" for name in ("hunt", "planting", "breaking", "searched")),
)

# A logger that keeps how it was first used would take one test's way of logging into all the others.
_configure = structlog.configure


def _configure_uncached(**how: object) -> None:
    _configure(**{**how, "cache_logger_on_first_use": False})


structlog.configure = _configure_uncached

from toygres.config import Settings, load
from toygres.home import Home, write_private
from toygres.platforms.local import place
from toygres.processes.child import Command
from toygres.processes.metadata import Metadata
from toygres.services import Services, connect
from toygres.store import migrate
from toygres.store.session import Store


def pytest_configure(config: pytest.Config) -> None:
    """Where everything must run, what is left out is a failure."""
    config.stash[_LEFT_OUT] = []
    # A shell that runs us in the background has Ctrl-C ignored, by us and by all that we start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _logs_stay_as_they_are() -> Iterator[None]:
    """Commands that run in this process say how it logs; that ends with their test."""
    handlers, level, before = logging.root.handlers[:], logging.root.level, structlog.get_config()
    yield
    if structlog.get_config() != before:
        structlog.configure(**before)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


class Scheduling(LoadScopeScheduling):
    """Deals out tests one by one, but those of a file that share something dear go to one worker.

    xdist's own `loadgroup` gives tests other node IDs, which pytest has no longer allowed since 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file in _TOGETHER else nodeid


_TOGETHER = frozenset(
    {"tests/acceptance/test_running_up.py", "tests/cluster/test_lives.py", "tests/unit/store/test_plans.py"}
)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling:
    """How tests are dealt out to workers."""
    return Scheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, in whatever order else: at the end no worker waits long for the other."""
    items.sort(key=lambda item: next(at for at, part in enumerate(_LONGEST_FIRST) if part in item.nodeid))


_LONGEST_FIRST = ("tests/acceptance/", "tests/stateful/test_machine", "tests/integration/", "")
_LEFT_OUT = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Fail the run when a test was left out although TOYGRES_TEST_NOTHING_LEFT_OUT is set."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped and os.environ.get("TOYGRES_TEST_NOTHING_LEFT_OUT"):
        terminalreporter.write_line(f"{len(skipped)} tests were left out, and none may be.", red=True)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """The exit code that goes with the summary above."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if exitstatus == 0 and reporter and reporter.stats.get("skipped") and _nothing_left_out():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _nothing_left_out() -> bool:
    return bool(os.environ.get("TOYGRES_TEST_NOTHING_LEFT_OUT"))


class MetadataServer:
    """A PostgreSQL of this test process's, with one migrated database to copy from."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.template = self._create("toygres_template")
        migrate.upgrade(self.template)

    def fresh(self) -> str:
        """The URL of a new migrated database."""
        return self._create(f"t_{uuid4().hex[:12]}", "toygres_template")

    def drop(self, url: str) -> None:
        """Remove a database that `fresh` made."""
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(_name_in(url))))

    def _create(self, name: str, template: str = "template0") -> str:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        self._execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url.replace("/postgres?", f"/{name}?")

    def _execute(self, statement: sql.Composable) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)


def _name_in(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


@pytest.fixture(scope="session")
def metadata_server() -> Iterator[MetadataServer]:
    """One server for each test process; its sockets and data live where a real home's would."""
    folder = Path(tempfile.mkdtemp(prefix="tg-meta-"))
    home = Home(folder / "home")
    home.make()
    metadata = Metadata(home, place.find(home))
    process, drain = _start(metadata.prepare())
    try:
        yield MetadataServer(metadata.url)
    finally:
        process.terminate()
        process.wait(timeout=20)
        drain.join(timeout=20)
        process.stderr.close()
        place.forget(home)
        shutil.rmtree(folder)


def _start(command: Command) -> tuple[subprocess.Popen[str], threading.Thread]:
    """Run a PostgreSQL; returns once it says that it is ready, with the thread that empties its log."""
    uid, gid = command.user or (None, None)
    process = subprocess.Popen(
        [*command.arguments, "-c", "fsync=off"],
        env=dict(command.environment),
        cwd=command.folder,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        user=uid,
        group=gid,
        extra_groups=None if uid is None else [],
    )
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if "ready to accept connections" in line:
            drain = threading.Thread(target=process.stderr.read, daemon=True)
            drain.start()
            return process, drain
    raise AssertionError("the metadata server didn't start:\n" + "".join(seen))


@pytest.fixture
def database_url(metadata_server: MetadataServer) -> Iterator[str]:
    """A metadata DB of the test's own, migrated and empty."""
    url = metadata_server.fresh()
    yield url
    metadata_server.drop(url)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """The metadata DB of the test's own."""
    opened = Store(database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def instance_ports() -> Iterator[str]:
    """Ports that only this test process gives to instances."""
    with reserved_block() as block:
        yield block


@pytest.fixture(autouse=True)
def _ports_of_our_own(instance_ports: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOYGRES_INSTANCE_PORTS", instance_ports)


@pytest.fixture(autouse=True)
def _no_home_of_the_testers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Toygres that the tester runs has the default home, and is none of a test's business."""
    monkeypatch.setenv("TOYGRES_HOME", "/nonexistent/toygres")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home of the test's own, with a token and keys; what servers left outside it goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="tg-"))
    made = Home(folder / "home")
    made.make()
    write_private(made.token, "test-token-0123456789")
    write_private(made.secret_keys, Fernet.generate_key().decode() + "\n")
    monkeypatch.setenv("TOYGRES_HOME", str(made.path))
    yield made
    place.forget(made)
    shutil.rmtree(folder)


@pytest.fixture
def settings(home: Home, database_url: str) -> Settings:
    """Settings on the test's own home and metadata DB, without a broker."""
    return load(home=home.path, database_url=database_url)


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    """What a process of the control plane works with, on the local platform."""
    connected = connect(settings)
    yield connected
    connected.close()
