"""One leader among many workers: the lead ends with its worker's row, so it passes on however that one died."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from toygres.errors import Unavailable
from toygres.store.session import Store

_LOOK_SECONDS = 1.0

# It writes only when the lead changes hands; of two that try at once the second finds the first one alive.
_LEAD = """
WITH taken AS (
    INSERT INTO toygres.leaders AS l (matter, worker)
    SELECT %(matter)s, %(worker)s
    WHERE EXISTS (SELECT FROM toygres.workers w WHERE w.id = %(worker)s)
      AND NOT EXISTS (
          SELECT FROM toygres.leaders o JOIN toygres.workers w ON w.id = o.worker WHERE o.matter = %(matter)s)
    ON CONFLICT (matter) DO UPDATE SET worker = excluded.worker, since = toygres.toygres_now()
    WHERE NOT EXISTS (SELECT FROM toygres.workers w WHERE w.id = l.worker)
    RETURNING l.worker
)
SELECT %(worker)s = coalesce(
    (SELECT worker FROM taken),
    (SELECT o.worker FROM toygres.leaders o JOIN toygres.workers w ON w.id = o.worker WHERE o.matter = %(matter)s)
) AS leads
"""


class Leadership:
    """The lead in one matter, called `matter`; `worker_id` is this worker's number, which may change."""

    def __init__(self, store: Store, matter: str, worker_id: Callable[[], int]) -> None:
        self._store = store
        self._matter = matter
        self._worker_id = worker_id

    @contextlib.contextmanager
    def held(self, stop: threading.Event) -> Iterator[threading.Event | None]:
        """Wait for the lead; yields an event that is set once it is lost, or None when told to stop instead."""
        while not self.leads():
            if stop.wait(_LOOK_SECONDS):
                yield None
                return
        lost = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(stop, lost), daemon=True)
        watcher.start()
        try:
            yield lost
        finally:
            lost.set()
            watcher.join(timeout=2 * _LOOK_SECONDS)

    def leads(self, *, if_unknown: bool = False) -> bool:
        """Take the lead when nobody alive has it; whether this worker leads. `if_unknown`: the DB doesn't answer."""
        try:
            row = self._store.one(_LEAD, matter=self._matter, worker=self._worker_id())
        except Unavailable:
            return if_unknown
        return bool(row and row.leads)

    def _watch(self, stop: threading.Event, lost: threading.Event) -> None:
        """Tell when another has the lead, or we are to stop. While the DB is away, nobody can have taken it."""
        while not lost.is_set() and not stop.wait(_LOOK_SECONDS):
            if not self.leads(if_unknown=True):
                break
        lost.set()
