"""A list-and-watch loop for one kind of object: everything once, then each change as it comes, until told to stop.

Our own, since the client library's informer waits for ever on a connection that went silent, and hammers a server that
refuses. A watch asks the server to end it after `quiet` seconds, and gives the connection up `_GRACE_SECONDS` later; it
goes on from the last resourceVersion seen (bookmarks count), and lists again only when the server has forgotten that.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from toygres.errors import Refused, Unavailable
from toygres.platforms.kubernetes import calls, streams, trouble
from toygres.platforms.kubernetes.client import Cluster, Request
from toygres.platforms.kubernetes.lines import Line
from toygres.platforms.kubernetes.resources import Resource

log = structlog.get_logger(__name__)

Object = dict[str, Any]

_QUIET_SECONDS = 30.0
_GRACE_SECONDS = 5.0
_LIST_SECONDS = 10.0
_FIRST_PAUSE, _LAST_PAUSE, _LONGEST_PLEA = 0.1, 5.0, 60.0
# A server sends a bookmark before it ends a watch. Where so many end without a word, its memory may have been put
# back behind the version that we go on from, and nothing would ever come.
_MOST_SILENT = 10
# A watch that ends in less, and without a word, isn't begun again at once.
_SOON_SECONDS = 1.0
_GONE = 410


@dataclass
class Counts:
    """How often the API server was asked, and how often that went wrong; for tests and for curious people."""

    lists: int = 0
    watches: int = 0
    failures: int = 0


class _Broken(Exception):
    """The conversation ended otherwise than it should; `why` is what to tell of it, `forget` to begin with a list."""

    def __init__(self, why: Refused | Unavailable, *, forget: bool = False) -> None:
        super().__init__(str(why))
        self.why = why
        self.forget = forget


class _Expired(Exception):
    """The server no longer knows the version that we would go on from."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which objects to watch: of one kind and namespace (None: all), by label and field selector.

    `keep` makes of each object what is to be remembered of it, as soon as it was read, so that a thousand whole ones
    are never in memory at once.
    """

    resource: Resource
    namespace: str | None
    selector: str = ""
    fields: str = ""
    keep: Callable[[Object], Object] = lambda found: found


@dataclass(frozen=True, kw_only=True)
class Told:
    """Whom to tell, on the thread that watches; what these raise ends the watch.

    `on_list` gets all objects there are, when it begins and whenever the server forgot where we were (what isn't among
    them is gone); `on_event` each event's type (ADDED, MODIFIED, DELETED) and object; `on_trouble` what broke, each
    time before it is tried again.
    """

    on_list: Callable[[list[Object]], object]
    on_event: Callable[[str, Object], object]
    on_trouble: Callable[[Refused | Unavailable], object] = lambda _why: None


class Watch:
    """One list-and-watch loop; `run` blocks until another thread calls `cut`.

    `heard_at` is when the API server last said something, even that there is nothing (`time.monotonic()`); `current`
    whether all there is was told and a watch stands that would tell of more. A server that hangs is noticed by the
    latter only when the watch is given up.
    """

    def __init__(self, cluster: Cluster, wanted: Wanted, told: Told, *, quiet: float = _QUIET_SECONDS) -> None:
        self.name = wanted.resource.plural
        self.counts = Counts()
        self.heard_at: float | None = None
        self.current = False
        self._cluster, self._wanted, self._told, self._quiet = cluster, wanted, told, quiet
        self._line = Line()
        self._version: str | None = None
        self._failed = 0
        self._silent = 0

    @property
    def bears_out(self) -> bool:
        """Whether it is current, and the server didn't end its last watch without a word (see `_MOST_SILENT`)."""
        return self.current and self._silent == 0

    def run(self) -> None:
        """Watch until `cut` is called. Raises what the callbacks raise, and Misconfigured."""
        try:
            while not self._line.is_cut:
                try:
                    self._turn()
                except _Expired:
                    self.current, self._version = False, None
                    self._forgotten()
                except _Broken as broken:
                    self.current = False
                    if broken.forget:
                        self._version = None
                    self._broke(broken.why)
        finally:
            self.current = False
            self._line.close()

    def cut(self) -> None:
        """End it at once, whatever it waits for; from any thread. Nothing is called any more after that."""
        self._line.cut()

    def _turn(self) -> None:
        if self._version is None:
            self._list()
        began, said = time.monotonic(), 0
        for kind, found in self._events():
            said += 1
            self._silent = 0
            self._heard()
            self._version = found["metadata"]["resourceVersion"]
            if kind != "BOOKMARK":
                self._told.on_event(kind, self._wanted.keep(found))
        self._ended(time.monotonic() - began, said)

    def _ended(self, seconds: float, said: int) -> None:
        """The server ended the watch in good order, as it was asked to; or so it seems."""
        if said:
            return
        if seconds < min(_SOON_SECONDS, self._quiet / 2):
            raise _Broken(trouble.unreachable(f"The watch of {self.name} ends as soon as it begins."))
        self._heard()
        self._silent += 1
        if self._silent >= _MOST_SILENT:
            self._silent, self._version = 0, None

    def _list(self) -> None:
        self.counts.lists += 1
        wanted = self._wanted
        kept: list[Object] = []
        more: str | None = None
        version = ""
        while more is None or more:
            request = calls.list_request(wanted.resource, wanted.namespace, wanted.selector, wanted.fields, more or "")
            page = self._page(request)
            kept += map(wanted.keep, page.get("items") or ())
            version, more = page["metadata"]["resourceVersion"], page["metadata"].get("continue") or ""
        if not self._line.is_cut:
            self.heard_at = time.monotonic()
            self._told.on_list(kept)
            self._version = version

    def _page(self, request: Request) -> Object:
        with self._spoken(request.doing):
            response = self._cluster.open(request, self._line, _LIST_SECONDS, also=(_GONE,))
            with streams.closing(response):
                if response.status == _GONE:
                    raise _Expired
                return trouble.Answer(response.status, {}, response.data).json()

    def _events(self) -> Iterator[tuple[str, Object]]:
        """Each event as it comes; ends when the server ends the watch. Raises _Expired, _Broken."""
        self.counts.watches += 1
        request = self._request()
        with self._spoken(request.doing):
            response = self._cluster.open(request, self._line, self._quiet + _GRACE_SECONDS, also=(_GONE,))
        with streams.closing(response):
            if response.status == _GONE:
                raise _Expired
            self.current = True
            events = streams.events(response)
            while True:
                with self._spoken(request.doing):
                    event = next(events, None)
                if event is None or self._line.is_cut:
                    return
                if event[0] == "ERROR":
                    raise _said(event[1], request.doing)
                yield event

    def _request(self) -> Request:
        given = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version or "",
            "timeoutSeconds": str(max(1, round(self._quiet))),
            "labelSelector": self._wanted.selector,
            "fieldSelector": self._wanted.fields,
        }
        query = tuple((name, value) for name, value in given.items() if value)
        return Request(f"watch {self.name}", "GET", self._wanted.resource.path(self._wanted.namespace), query)

    @contextmanager
    def _spoken(self, doing: str) -> Iterator[None]:
        """Tell trouble with the API server from whatever the callbacks raise."""
        try:
            with trouble.foreseen(doing):
                yield
        except (Refused, Unavailable) as why:
            raise _Broken(why) from None

    def _heard(self) -> None:
        self.heard_at = time.monotonic()
        self._failed = 0

    def _forgotten(self) -> None:
        # The first time there is only a list to be made; a server that never remembers isn't asked without end.
        if self._failed:
            self._broke(trouble.unreachable(f"The API server forgets where the watch of {self.name} was."))
        self._failed += 1

    def _broke(self, why: Refused | Unavailable) -> None:
        if self._line.is_cut:
            return
        self.counts.failures += 1
        if self._failed == 0:
            log.warning("kubernetes_watch_broke", resource=self.name, reason=str(why))
        self._told.on_trouble(why)
        plea = min(getattr(why, "retry_after", None) or 0.0, _LONGEST_PLEA)
        pause = min(_LAST_PAUSE, _FIRST_PAUSE * 2.0 ** min(self._failed, 16))
        self._failed += 1
        self._line.rest(max(plea, pause * random.uniform(0.5, 1.0)))  # noqa: S311


def watch_all(watches: Sequence[Watch], stop: threading.Event) -> None:
    """Run them on a thread each until `stop` is set. Raises what one of them raised, after all have ended.

    Wakes without polling: until `stop` is set one thread waits for that.
    """
    raised: list[BaseException] = []
    threads = [
        threading.Thread(target=_run, args=(each, watches, raised), name=f"watch-{each.name}", daemon=True)
        for each in watches
    ]
    threading.Thread(target=_cut_at, args=(stop, watches), name="watch-stop", daemon=True).start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


def _run(watch: Watch, watches: Sequence[Watch], raised: list[BaseException]) -> None:
    try:
        watch.run()
    except BaseException as error:
        raised.append(error)
        for each in watches:
            each.cut()


def _cut_at(stop: threading.Event, watches: Sequence[Watch]) -> None:
    stop.wait()
    for each in watches:
        each.cut()


def _said(status: Object, doing: str) -> Exception:
    """What to raise for an ERROR event."""
    code = int(status.get("code") or 500)
    if code == _GONE:
        return _Expired()
    return _Broken(trouble.judged(code, status, doing), forget=True)
