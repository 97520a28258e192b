"""The whole control plane on one machine: started in order, kept running, stopped within seconds, nothing left."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

import toygres
from toygres import config
from toygres.errors import ToygresError
from toygres.home import Home
from toygres.platforms.local import place
from toygres.platforms.local.exposure import require_told
from toygres.processes import child, disk, flower, keys, leftovers, outside, ports, running
from toygres.processes.broker import Broker
from toygres.processes.child import Command
from toygres.processes.metadata import Metadata, find_data
from toygres.processes.readiness import Readiness
from toygres.processes.servers import Servers
from toygres.processes.supervisor import NotStarted, Supervisor
from toygres.processes.table import PROCESSES, ProcessRow, Stage
from toygres.services import connect

_STORES_SECONDS = 60.0
_MIGRATION_SECONDS = 600.0
_PAGE_SECONDS = 60.0
# What the stores get at the end of the time in which all is to stop, and the most that the others need before.
_STORES_STOP_SECONDS = 0.9
_OTHERS_STOP_SECONDS = 2.2
_RECORD_SECONDS = 0.4
_LAST_SECONDS = _STORES_STOP_SECONDS + _RECORD_SECONDS
_LEAST_STOP_SECONDS = 0.3
_REACHED_BY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


class ControlPlane:
    """Every process of one home. `say` hears sentences for the person who watches.

    Once `interrupted` is set, starting raises KeyboardInterrupt at the next thing that it would wait for.
    """

    def __init__(self, home: Home, say: Callable[[str], None], interrupted: threading.Event) -> None:
        self._home = home
        self._say = say
        self._settings = config.load()
        self._supervisor = Supervisor(say, self._tell_again, interrupted)
        self._telling = threading.Lock()
        self._stores: dict[str, Metadata | Broker] = {}
        self._sockets: dict[str, socket.socket] = {}
        self._servers = Servers(self._settings, say)
        self._migrated = False

    @property
    def url(self) -> str:
        """Where the API and the page are."""
        return self._address(self._settings.port)

    @property
    def flower_url(self) -> str:
        """Where Flower is."""
        return self._address(self._settings.flower_port)

    def start(self) -> None:
        """Start everything; returns once the page answers.

        Raises Misconfigured before anything runs, and NotStarted with the log's end when a process ends instead.
        """
        require_told(self._settings)
        keys.make_token(self._home)
        keys.make_secret_keys(self._home, self._settings)
        self._take_ports()
        self._start_stores()
        self._migrate()
        self._require_places()
        self._servers.take_over(self._database_url())
        self._start_stage(Stage.ANSWERING)
        self._await_page()
        self._supervisor.settle()
        self._sockets.pop("flower_port").close()
        self._start_stage(Stage.REST)

    def stop(self, seconds: float) -> None:
        """Stop everything within `seconds`, in the opposite order; what doesn't end in time is killed."""
        deadline = time.monotonic() + seconds
        for listening in self._sockets.values():
            listening.close()
        others = min(_OTHERS_STOP_SECONDS, max(_LEAST_STOP_SECONDS, seconds - _LAST_SECONDS))
        self._stop_processes(others, lambda process: process.stage is not Stage.STORES)
        left = self._servers.end(max(_LEAST_STOP_SECONDS, deadline - time.monotonic() - _LAST_SECONDS))
        if self._migrated:
            self._servers.record(self._database_url(), left, _RECORD_SECONDS)
        self._stop_processes(_STORES_STOP_SECONDS, lambda process: process.stage is Stage.STORES)
        for store in self._stores.values():
            with contextlib.suppress(OSError, ToygresError):
                store.clear()
        with contextlib.suppress(OSError):
            self._home.running.unlink(missing_ok=True)

    def _stop_processes(self, seconds: float, chosen: Callable[[ProcessRow], bool]) -> None:
        names = [process.name for process in PROCESSES if chosen(process)]
        for name in self._supervisor.stop(names, seconds):
            self._say(f"{name} didn't stop in time and was killed.")

    def _take_ports(self) -> None:
        for setting in ("port", "flower_port"):
            self._sockets[setting] = ports.listen(self._settings, setting, self._say)
        chosen = {setting: ports.port_of(listening) for setting, listening in self._sockets.items()}
        self._settings = self._settings.model_copy(update=chosen)
        flower.write_options(self._home, self._settings)

    def _start_stores(self) -> None:
        if self._settings.database_url is None:
            where = place.find(self._home, place.Tenant.METADATA)
            self._stores["metadata"] = metadata = Metadata(self._home, where)
            outside.note_platforms(self._home, self._settings, fresh=find_data(self._home) is None, way=False)
            self._settings = self._settings.model_copy(update={"database_url": SecretStr(metadata.url)})
        if self._settings.redis_url is None:
            self._stores["broker"] = broker = Broker(self._home)
            self._settings = self._settings.model_copy(update={"redis_url": SecretStr(broker.url)})
        self._note_external()
        self._tell_where()
        for store in self._stores.values():
            self._supervisor.start(store.prepare())
        for name, store in self._stores.items():
            self._supervisor.await_ready(f"The {name}", store.ready, _STORES_SECONDS)

    def _require_places(self) -> None:
        """Return when each platform is the place that the metadata DB knows. Raises Misconfigured.

        What leads there is noted then: without it nobody finds those instances when the home is to go.
        """
        if {self._settings.platform, *self._settings.platforms} <= {"local"}:
            return
        connect(self._settings, connections=2).close()
        if "metadata" in self._stores:
            outside.note_platforms(self._home, self._settings, fresh=False)

    def _note_external(self) -> None:
        """Write down whose servers we are about to put something into, for `destroy-everything` to name."""
        urls = {
            outside.DATABASE: None if "metadata" in self._stores else self._settings.database_url,
            outside.REDIS: None if "broker" in self._stores else self._settings.redis_url,
        }
        told = {name: outside.without_secrets(url.get_secret_value()) for name, url in urls.items() if url}
        if told:
            outside.note(self._home, **told, **{outside.REDIS_PREFIX: self._settings.redis_prefix})

    def _migrate(self) -> None:
        metadata = self._stores.get("metadata")
        if not isinstance(metadata, Metadata):
            self._run_migration()
        elif metadata.schema() != _newest_schema():
            self._run_migration()
            metadata.note_schema(_newest_schema())
        self._migrated = True

    def _database_url(self) -> str:
        url = self._settings.database_url
        return url.get_secret_value() if url is not None else ""

    def _run_migration(self) -> None:
        command = self._command("migrate", (sys.executable, "-m", "toygres", "migrate"))
        log_began = child.end_of(command.log)
        migration = child.spawn(command)
        try:
            self._supervisor.await_ready("The migration", lambda: migration.poll() is not None, _MIGRATION_SECONDS)
        finally:
            migration.kill()
            migration.wait()
        if migration.returncode:
            lines = "".join(f"\n    {line}" for line in child.last_lines(command.log, since=log_began))
            raise NotStarted(f"The metadata DB can't be migrated:{lines}")

    def _start_stage(self, stage: Stage) -> None:
        for process in PROCESSES:
            if process.stage is stage and process.command is not None and process.inside is None:
                self._supervisor.start(self._process(process, (*process.command(self._home), *process.alone)))

    def _await_page(self) -> None:
        page = Readiness(_REACHED_BY.get(self._settings.bind, self._settings.bind), self._settings.port)
        try:
            self._supervisor.await_ready("The page", page, _PAGE_SECONDS)
        except NotStarted as failed:
            raise NotStarted(f"{failed} {page.answer}".rstrip()) from None
        finally:
            page.close()

    def _process(self, process: ProcessRow, arguments: tuple[str, ...]) -> Command:
        command = self._command(process.name, (child.program(arguments[0]), *arguments[1:]))
        if process.name == "web":
            descriptor = self._sockets["port"].fileno()
            handed_on = (*command.arguments[:-1], f"--bind=fd://{descriptor}", command.arguments[-1])
            command = dataclasses.replace(command, arguments=handed_on, inherited=(descriptor,))
        return dataclasses.replace(command, stop_signal=process.stop_signal, death_signal=process.death_signal)

    def _command(self, name: str, arguments: tuple[str, ...]) -> Command:
        return Command(
            name=name,
            arguments=arguments,
            # Celery looks for its app in the working folder first: nothing there is called like ours.
            folder=self._home.path,
            log=self._home.logs / f"{name}.log",
            environment=child.environment(self._home.path),
        )

    def _tell_where(self) -> None:
        with self._telling:
            running.write(
                self._home,
                self._settings,
                url=self.url,
                flower_url=self.flower_url,
                pids=self._supervisor.pids(),
            )

    def _tell_again(self) -> None:
        """As above, for a thread that a full disk mustn't end, and its process with it."""
        try:
            self._tell_where()
        except OSError as failed:
            told = disk.trouble(self._home, failed)
            why = f"{told.message} {told.remedy}" if told else f"{self._home.running} can't be written: {failed}."
            self._say(f"{why} What is ordered waits until then.")

    def _address(self, port: int) -> str:
        host = _REACHED_BY.get(self._settings.bind, self._settings.bind)
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def end_leftovers(home: Home) -> None:
    """End what an `up` of this home left running when it was killed, and forget its addresses.

    Only its one `up` may do this, and before it reads its settings: those addresses would be among them.
    """
    found = running.find(home)
    if found is not None:
        leftovers.end(found.processes.values())
    home.running.unlink(missing_ok=True)


def _newest_schema() -> str:
    """The newest version of the schema that this code brings; importing what knows it would take a second."""
    versions = Path(toygres.__file__).parent / "store" / "migrations" / "versions"
    return max(version.stem for version in versions.glob("[0-9]*.py"))
