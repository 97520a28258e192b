"""The metadata DB for as long as one command runs: the one that is named, that of the home's `up`, or the home's own.

The home's own is run by whichever process needs it and finds it down: several commands and an `up` may come and go at
any time, and whoever is left runs it again. It is the same data each time, so it is the same installation.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from pydantic import SecretStr

from toygres.config import Settings, load
from toygres.errors import Conflict, Misconfigured, ToygresError, Unavailable
from toygres.home import Home
from toygres.platforms.local import place
from toygres.processes import child, disk, keys, outside, running
from toygres.processes.control_plane import end_leftovers
from toygres.processes.lock import only_up
from toygres.processes.metadata import Metadata, find_data
from toygres.processes.supervisor import NotStarted
from toygres.store import schema
from toygres.store.session import Store

_START_SECONDS = 60.0
_STOP_SECONDS = 5.0
_LOOK_SECONDS = 0.02
_BUSY_SECONDS = 0.1
_HANDOVER_SECONDS = 20.0
# How every Unavailable of the store begins.
_AWAY = "The metadata database"

T = TypeVar("T")


@contextmanager
def database(
    home: Home, say: Callable[[str], None], interrupted: Callable[[], bool], **overrides: object
) -> Iterator[Database]:
    """A metadata DB that answers and is migrated, in this block.

    Raises Misconfigured, Unavailable, NotStarted, and KeyboardInterrupt once `interrupted()`.
    """
    home.make()
    disk.require_room(home)
    forget_dead_up(home)
    found = running.find(home)
    settings = load(**overrides)
    if found is None:
        keys.make_secret_keys(home, settings)
    own = _own(home, settings, beside_up=found is not None)
    if own is None:
        url = _url(settings)
        outside.note(home, **{outside.DATABASE: outside.without_secrets(url)})
        _migrate(url, say)
        yield Database(settings, None)
        return
    # The way there is noted once it has led there: another namespace may be refused.
    outside.note_platforms(home, settings, fresh=find_data(home) is None, way=False)
    with run(home, own, settings, say, interrupted) as held:
        yield held


@contextmanager
def run(
    home: Home, own: Metadata, settings: Settings, say: Callable[[str], None], interrupted: Callable[[], bool]
) -> Iterator[Database]:
    """The home's own metadata DB, answering and migrated in this block. Raises as `database` does."""
    embedded = Embedded(home, own)
    try:
        embedded.start(interrupted)
        held = Database(settings.model_copy(update={"database_url": SecretStr(own.url)}), embedded)
        held.patiently(lambda: _migrate(own.url, say))
        yield held
    finally:
        embedded.stop()


@dataclass(frozen=True)
class Database:
    """The metadata DB of one command: the settings with its address."""

    settings: Settings
    embedded: Embedded | None

    def mend(self) -> None:
        """It doesn't answer: have it run, where that is ours to do."""
        if self.embedded is not None:
            self.embedded.mend()

    def patiently(self, call: Callable[[], T]) -> T:
        """What `call` gives, called again while the home's own DB passes from one process to another.

        `call` must be safe twice. Raises what it raises, Unavailable too once it has been away for long.
        """
        deadline = time.monotonic() + _HANDOVER_SECONDS
        while True:
            try:
                return call()
            except Unavailable as away:
                ours = self.embedded is not None and away.message.startswith(_AWAY)
                if not ours or time.monotonic() > deadline:
                    raise
            self.mend()
            threading.Event().wait(_BUSY_SECONDS)


class Embedded:
    """The home's own metadata DB: kept running, by this process while no other runs it."""

    def __init__(self, home: Home, metadata: Metadata) -> None:
        self._home = home
        self._metadata = metadata
        # Its parent must be a thread that lives as long: the thread's end is the server's.
        self._thread = threading.Thread(target=self._run, name="metadata", daemon=True)
        self._stopping = threading.Event()
        self._down = threading.Event()
        self._answers = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._trouble: ToygresError | OSError | None = None

    def start(self, interrupted: Callable[[], bool]) -> None:
        """Return once it answers. Raises what kept it from it, and KeyboardInterrupt."""
        self._thread.start()
        while not self._answers.wait(_LOOK_SECONDS):
            if interrupted():
                raise KeyboardInterrupt
            if self._trouble is not None:
                raise self._trouble

    def mend(self) -> None:
        """It doesn't answer: run it, unless somebody else does."""
        self._down.set()

    def stop(self) -> None:
        """End it, if this process runs it."""
        self._stopping.set()
        self._down.set()
        process = self._process
        if process is None:
            self._thread.join(_STOP_SECONDS)
            return
        with self._alone() as alone:
            process.send_signal(signal.SIGINT)
            self._thread.join(_STOP_SECONDS)
            if self._thread.is_alive():
                process.kill()
                self._thread.join(_STOP_SECONDS)
            if alone:
                with contextlib.suppress(OSError, ToygresError):
                    self._metadata.clear()

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Keep others from starting it in this block; False when an `up` has it already."""
        with contextlib.ExitStack() as stack:
            for last in (False, False, True):
                try:
                    stack.enter_context(only_up(self._home))
                    break
                except Conflict:
                    if last:
                        yield False
                        return
                    threading.Event().wait(_BUSY_SECONDS)
            yield True

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._process = self._ensure()
                self._answers.set()
                if self._process is not None:
                    self._process.wait()
                    self._process = None
                else:
                    self._down.wait()
                    self._down.clear()
        except (ToygresError, OSError) as trouble:
            self._trouble = trouble

    def _ensure(self) -> subprocess.Popen[bytes] | None:
        """Return once it answers: the server, when it was started here."""
        deadline = time.monotonic() + _START_SECONDS
        while not self._stopping.is_set() and not _answers(self._metadata.url):
            with contextlib.suppress(Conflict), only_up(self._home):
                return None if _answers(self._metadata.url) else self._started()
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"Another `toygres` is starting or stopping on {self._home.path}, and its metadata DB doesn't "
                    "answer."
                )
            self._stopping.wait(_BUSY_SECONDS)
        return None

    def _started(self) -> subprocess.Popen[bytes]:
        command = self._metadata.prepare()
        began = child.end_of(command.log)
        process = child.spawn(command)
        deadline = time.monotonic() + _START_SECONDS
        while not self._metadata.ready():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                process.wait()
                lines = "".join(f"\n    {line}" for line in child.last_lines(command.log, since=began))
                raise NotStarted(f"The metadata DB didn't start; the end of {command.log}:{lines}")
            threading.Event().wait(_LOOK_SECONDS)
        return process


def forget_dead_up(home: Home) -> None:
    """Forget the addresses of an `up` that was killed, and end what it left, as the next `up` would."""
    found = running.find(home)
    if found is not None and not found.lives:
        with contextlib.suppress(Conflict), only_up(home):
            end_leftovers(home)


def _own(home: Home, settings: Settings, *, beside_up: bool) -> Metadata | None:
    """The home's own metadata DB, when it is the one to be used."""
    if settings.database_url is not None and not beside_up:
        return None
    own = Metadata(home, place.find(home, place.Tenant.METADATA))
    return own if settings.database_url is None or own.url == _url(settings) else None


def _url(settings: Settings) -> str:
    return settings.database_url.get_secret_value() if settings.database_url is not None else ""


def _answers(url: str) -> bool:
    try:
        with closing(Store(url, connections=1)) as store:
            return store.one("SELECT 1 AS one") is not None
    except Unavailable:
        return False


def _migrate(url: str, say: Callable[[str], None]) -> None:
    with closing(Store(url, connections=1)) as store, contextlib.suppress(Misconfigured):
        schema.require_current(store)
        return
    say("Preparing the metadata DB")
    # Alembic takes most of a second to import.
    from toygres.store.migrate import upgrade

    upgrade(url)
