"""What `up` itself sees to of the instances' servers: who is gone when it begins, and all of them when it ends."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from toygres.config import Settings
from toygres.errors import Misconfigured, ToygresError, Unavailable
from toygres.platforms.local.platform import LocalPlatform
from toygres.processes.timed import finished_within
from toygres.store import servers

_NAME = "local"
# Looking at all processes takes its time on a busy machine, and to know that all have ended is worth more.
_SLACK_SECONDS = 2.0


class Servers:
    """The servers of one home's instances. `say` hears sentences for the person who watches."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._platform = LocalPlatform(_NAME, settings)
        self._say = say
        self._here = False

    def take_over(self, database_url: str) -> None:
        """Before anybody answers: no instance reads available whose server is gone, and what is awaited runs again.

        Servers that an earlier `up` left running stay as they are. Raises Unavailable, and Misconfigured when the
        metadata DB's instances live on another machine or in another home: they aren't ours to stop or start.
        """
        if servers.known_identity(database_url, _NAME) not in (None, self._platform.identity()):
            raise Misconfigured(
                "The local instances that this metadata DB knows live on another machine, or in another home.",
                "Run `toygres up` there, with that home. Here, worker and web can run by themselves beside it.",
            )
        self._here = True
        if not self._exist():
            return
        for name in servers.found_gone(database_url, _NAME, self._platform.running()):
            self._say(f"{name}: its server ended while no Toygres ran")
        for awaited in servers.awaited(database_url, _NAME):
            try:
                self._platform.resume(awaited.id, awaited.port, awaited.version)
            except (ToygresError, OSError) as trouble:
                # The step that waits for it will see it missing, and say why.
                self._say(f"A server couldn't be run again: {trouble}")

    def end(self, seconds: float) -> tuple[UUID, ...]:
        """Once no worker runs: end every server within `seconds`; those that are left even so."""
        if not self._exist():
            return ()
        ended = finished_within(seconds + _SLACK_SECONDS, lambda: self._platform.shut_down(seconds))
        if ended is None:
            self._say("Servers of instances are still stopping; they end by themselves.")
            return tuple(self._platform.running())
        if ended.cut_short:
            self._say(
                f"{len(ended.cut_short)} servers took too long and were ended at once; they recover at their start."
            )
        return ended.left

    def record(self, database_url: str, left: tuple[UUID, ...], seconds: float) -> None:
        """Have the instances read stopped whose servers were ended, and what was to start or stop them ended."""
        if not self._here:
            return
        try:
            names = finished_within(seconds, lambda: servers.ended(database_url, _NAME, left))
        except Unavailable as trouble:
            names, why = None, trouble.message
        else:
            why = "The metadata database is too slow."
        if names is None:
            self._say(f"That the servers have stopped couldn't be written down: {why}")
        for name in names or ():
            self._say(f"{name}: stopped")

    def _exist(self) -> bool:
        # Finding the place of the servers would make it.
        return self._settings.home_folder.place.exists()
