"""Watches: what changed since a resourceVersion, and on; bookmarks, an end in good order, and trouble on purpose."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

from fake_cluster import reading
from fake_cluster.answers import expired
from fake_cluster.resources import Route
from fake_cluster.selectors import Test
from fake_cluster.store import Change

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

Json = dict[str, Any]
_LEAST_SECONDS = 1800.0


class Watches:
    """The watches that run; `open` is how many."""

    def __init__(self, cluster: FakeCluster, *, bookmark_seconds: float = 60.0) -> None:
        self.bookmark_seconds = bookmark_seconds
        self.pace = 1.0
        self.stalled = False
        self._cluster = cluster
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wakers: dict[asyncio.Event, web.BaseRequest] = {}
        cluster.store.listeners.append(lambda change: self._wake())

    @property
    def open(self) -> int:
        return len(self._wakers)

    def cut(self) -> int:
        """Cut every watch as a network does; how many there were."""
        requests = list(self._wakers.values())
        for request in requests:
            self._soon(lambda request=request: request.transport and request.transport.abort())
        return len(requests)

    def stall(self, *, on: bool = True) -> None:
        """Let every watch fall silent, connections and all, or speak again."""
        self.stalled = on
        self._wake()

    def _wake(self) -> None:
        self._soon(lambda: [event.set() for event in self._wakers])

    def _soon(self, action: Any) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(action)

    async def serve(self, request: web.BaseRequest, route: Route, query: Mapping[str, str]) -> web.StreamResponse:
        """Answer a watch until its time is over or the client goes."""
        self._loop = asyncio.get_running_loop()
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        event = asyncio.Event()
        self._wakers[event] = request
        try:
            async for line in self._lines(route, query, event):
                await response.write(line)
            if not self.stalled:
                await response.write_eof()
        except ConnectionError:
            pass
        finally:
            del self._wakers[event]
        return response

    async def _lines(self, route: Route, query: Mapping[str, str], event: asyncio.Event) -> AsyncIterator[bytes]:
        wanted = reading.selected(route.resource, query)
        position, first = self._begin(route, query, wanted)
        if first:
            yield first
        if position is None:
            return
        loop = asyncio.get_running_loop()
        end = loop.time() + float(query.get("timeoutSeconds") or _LEAST_SECONDS) / self.pace
        bookmarks = query.get("allowWatchBookmarks", "").lower() in {"true", "1"}
        bookmark = loop.time() + self.bookmark_seconds
        while (left := end - loop.time()) > 0:
            event.clear()
            if not self.stalled:
                position, lines = self._news(route, wanted, position)
                if lines:
                    yield lines
                if bookmarks and loop.time() >= bookmark:
                    bookmark = loop.time() + self.bookmark_seconds
                    yield _bookmark(route, position)
            await _wait(event, min(left, max(bookmark - loop.time(), 0.01)) if bookmarks else left)
        if bookmarks and not self.stalled:
            yield _bookmark(route, position)

    def _begin(self, route: Route, query: Mapping[str, str], wanted: Test) -> tuple[int | None, bytes]:
        store, asked = self._cluster.store, query.get("resourceVersion", "")
        with store.lock:
            if asked in {"", "0"}:
                found = [value for value in store.list(route.resource.key, route.namespace) if wanted(value)]
                return store.version, b"".join(_line("ADDED", value) for value in found)
            if int(asked) < store.forgotten:
                status = expired(f"too old resource version: {asked} ({store.forgotten})").body
                return None, _line("ERROR", status)
            return int(asked), b""

    def _news(self, route: Route, wanted: Test, position: int) -> tuple[int, bytes]:
        store = self._cluster.store
        with store.lock:
            changes, version = store.since(position), store.version
        lines = [line for change in changes if (line := _told(change, route, wanted))]
        return max(position, version), b"".join(lines)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return


def _told(change: Change, route: Route, wanted: Test) -> bytes:
    if change.resource != route.resource.key:
        return b""
    if route.namespace and change.object["metadata"].get("namespace") != route.namespace:
        return b""
    if route.name and change.object["metadata"]["name"] != route.name:
        return b""
    was = change.before is not None and wanted(change.before)
    now = change.type != "DELETED" and wanted(change.object)
    if not was and not now:
        return b""
    return _line("MODIFIED" if was and now else "ADDED" if now else "DELETED", change.object)


def _line(kind: str, value: Json) -> bytes:
    return json.dumps({"type": kind, "object": value}, separators=(",", ":")).encode() + b"\n"


def _bookmark(route: Route, position: int) -> bytes:
    resource = route.resource
    metadata = {"resourceVersion": str(position), "creationTimestamp": None}
    return _line("BOOKMARK", {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata})
