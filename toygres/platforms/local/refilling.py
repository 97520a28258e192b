"""Makes spare data directories in the background: at the beginning, and whenever a create may have taken one."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue

import structlog

from toygres.errors import ToygresError
from toygres.platforms.local import spares, template
from toygres.platforms.local.commands import Interrupt
from toygres.platforms.local.place import Place

log = structlog.get_logger(__name__)


class Refilling:
    """One process's making of spares; any thread may say what is wanted."""

    def __init__(self) -> None:
        # A PostgreSQL's `bin` folder, or None for the end.
        self._wanted: SimpleQueue[Path | None] = SimpleQueue()

    def want(self, binaries: Path) -> None:
        """Have a spare for this PostgreSQL made, if one is missing then."""
        self._wanted.put(binaries)

    def run(self, place: Place, versions: Mapping[str, Path], count: int, stop: threading.Event) -> None:
        """Make what is wanted, `count` for each PostgreSQL, until `stop` is set; begins with the first version.

        A spare that can't be made is tried again when the next one is wanted: a create doesn't need it.
        """
        interrupt = Interrupt()
        threading.Thread(target=self._end_at, args=(stop, interrupt), name="refilling-stop", daemon=True).start()
        for first in list(versions.values())[:1]:
            self.want(first)
        while (binaries := self._wanted.get()) is not None:
            # With none to be kept, every one that there is has no kind that is known.
            kinds = {template.name_of(place, known) for known in versions.values()} if count else set()
            try:
                spares.refill(place, binaries, count, kinds, interrupt)
            except (ToygresError, OSError) as failed:
                if not stop.is_set():
                    log.warning("spare_not_made", reason=str(failed))

    def _end_at(self, stop: threading.Event, interrupt: Interrupt) -> None:
        stop.wait()
        interrupt.set()
        self._wanted.put(None)
