"""`toygres up`: start the control plane, order an instance if one is named, and serve until Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated

import typer

from toygres import memory
from toygres.cli import app, given_password
from toygres.cli.client import Client
from toygres.cli.exit_codes import ExitCode
from toygres.cli.output import say, sentences
from toygres.cli.welcome import welcome
from toygres.domain.names import NAME_RULE, is_name
from toygres.errors import Misconfigured, ToygresError
from toygres.home import Home

# Everything has stopped within these.
_STOP_SECONDS = 4.8
_NAME_ANOTHER = "Name another in TOYGRES_HOME."


def _checked(name: str | None) -> str | None:
    if name is not None and not is_name(name):
        raise typer.BadParameter(f"{name!r} isn't a name: {NAME_RULE}")
    return name


@app.command()
def up(
    name: Annotated[
        str | None, typer.Argument(help="An instance to create, or to start, as well.", callback=_checked)
    ] = None,
    *,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once it's ready; `down` stops it.")] = False,
    ready_fd: Annotated[int | None, typer.Option(hidden=True, help="Where to tell that it's ready.")] = None,
) -> None:
    """Start Toygres on this machine; Ctrl-C stops it, and every server on this machine with it."""
    home = Home.find()
    if name is not None:
        # Before anything is started: one that can't be used is an error at once.
        given_password.given()
    if detach:
        from toygres.cli.detach import start_detached

        start_detached(home)
        welcome(home, name)
        return
    with _told_to_stop() as stop:
        _serve(home, name, ready_fd, stop)


def _serve(home: Home, name: str | None, ready_fd: int | None, stop: _Stop) -> None:
    # Half a second to import, and what it imports is this command's alone.
    from toygres.processes.child import leave_no_core
    from toygres.processes.control_plane import ControlPlane, end_leftovers
    from toygres.processes.disk import blamed, require_room
    from toygres.processes.lock import only_up
    from toygres.processes.supervisor import NotStarted

    leave_no_core()
    _make(home)
    with only_up(home):
        require_room(home)
        end_leftovers(home)
        plane = ControlPlane(home, say, stop.requested)
        serving = False
        try:
            with suppress(KeyboardInterrupt):
                say(f"Starting Toygres in {home.path}")
                with blamed(home, NotStarted, Misconfigured):
                    _tell_places()
                    plane.start()
                serving = True
                with stop.interrupting():
                    _begin(home, name, ready_fd)
                memory.give_back()
                stop.requested.wait()
            say("Stopping")
        finally:
            plane.stop(_STOP_SECONDS)
    say("Everything has stopped." if serving else "Interrupted; everything has stopped.")
    raise typer.Exit(ExitCode.OK if serving else ExitCode.INTERRUPTED)


def _make(home: Home) -> None:
    """Make the home. Raises Misconfigured and Unavailable."""
    try:
        home.make()
    except OSError as error:
        from toygres.processes.disk import trouble

        why = trouble(home, error)
        raise why or Misconfigured(f"The home {home.path} can't be made: {error}.", _NAME_ANOTHER) from None


def _tell_places() -> None:
    """Say where instances will be made, before anything is written there. Raises Misconfigured."""
    from toygres.config import settings
    from toygres.platforms import registry

    for platform in registry.build(settings()).values():
        if platform.kind != "local":
            say(f"Instances on {platform.name}: {platform.describe()}")


def _begin(home: Home, name: str | None, ready_fd: int | None) -> None:
    from toygres.cli.orders import start_servers

    start_servers(Client.from_home(home))
    if ready_fd is not None:
        # Whoever waits there greets the person: what is said here ends in a log, where a URI mustn't be.
        os.write(ready_fd, b"ready")
        os.close(ready_fd)
        return
    try:
        welcome(home, name)
    except (ToygresError, typer.Exit) as error:
        # What ends in an exit has told why already.
        if message := getattr(error, "message", ""):
            say(sentences(message, getattr(error, "remedy", "")))
    say("\nCtrl-C stops everything on this machine; the data stays.")


class _Stop:
    """Notes a signal to stop; turns it into a KeyboardInterrupt only where that is safe.

    Raised in one of the hooks around a fork, it would leave the lock of `logging` held for ever.
    """

    def __init__(self) -> None:
        self._interrupts = False
        self.requested = threading.Event()

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Until the end of this block, which mustn't fork, a signal interrupts what is going on."""
        self._interrupts = True
        try:
            if self.requested.is_set():
                raise KeyboardInterrupt
            yield
        finally:
            self._interrupts = False

    def __call__(self, *_: object) -> None:
        self.requested.set()
        if self._interrupts:
            self._interrupts = False
            raise KeyboardInterrupt


@contextmanager
def _told_to_stop() -> Iterator[_Stop]:
    stop = _Stop()
    signals = [signal.SIGINT, signal.SIGTERM]
    # nohup has it ignored, and means it.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in signals}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
