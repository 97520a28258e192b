"""The HTTP server: a kmock server in a thread of its own, whose answers are ours."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import kmock
import yaml
from aiohttp import web

from fake_cluster import api, portforward, rights
from fake_cluster.answers import Refusal, no_such_path, trouble
from fake_cluster.calls import Call
from fake_cluster.resources import Route, discovery, route

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

Json = dict[str, Any]
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


class Handler(kmock.RawHandler):
    """Answers one request; kmock listens and parses."""

    cluster: FakeCluster
    calls: set[asyncio.Task[Any]]

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        self.calls.add(task)
        try:
            return await self._answer(request)
        except Refusal as refusal:
            return _json(refusal.status, refusal.body, refusal.headers)
        except ConnectionError:
            raise
        except Exception as error:
            # A mistake of the fake's own: told when its block ends.
            self.cluster.clock.failures.append(error)
            raise
        finally:
            self.calls.discard(task)

    async def end(self) -> None:
        """End every call that runs."""
        calls = list(self.calls)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        cluster = self.cluster
        if cluster.faults.down:
            _abort(request)
            raise trouble(503)
        who = cluster.rights.identify(request.headers.get("Authorization"))
        if (document := discovery(request.path)) is not None:
            cluster.count("get", "discovery")
            return _json(200, document)
        found = route(request.path)
        if found is None:
            raise no_such_path()
        verb, query = _verb(request, found), dict(request.query)
        cluster.count(verb, _counted(found))
        body = await request.read()
        trouble_kind = await self._trouble(request, verb, _counted(found))
        rights.check(who, verb, found.resource, found.subresource, found.namespace, found.name)
        if verb == "watch":
            return await cluster.watches.serve(request, found, query)
        if found.subresource == "portforward":
            return await portforward.serve(cluster, request, found)
        answer = self._done(request, verb, Call(found, query, _parsed(body), *_from(request)), who)
        if trouble_kind == "lost":
            _abort(request)
        return answer

    def _done(self, request: web.BaseRequest, verb: str, call: Call, who: rights.Identity) -> web.StreamResponse:
        with self.cluster.store.lock:
            if verb == "patch" and api.makes(self.cluster, call):
                part = call.route.subresource
                rights.check(who, "create", call.route.resource, part, call.route.namespace, call.route.name)
            status, body = api.answer(self.cluster, verb, call, who)
        warnings = ", ".join(f"299 - {json.dumps(text)}" for text in call.warnings)
        headers = {"Warning": warnings} if warnings else {}
        if isinstance(body, str):
            return web.Response(status=status, text=body, headers=headers)
        return _json(status, body, headers)

    async def _trouble(self, request: web.BaseRequest, verb: str, resource: str) -> str:
        faults = self.cluster.faults
        if faults.latency:
            await asyncio.sleep(faults.latency)
        kind = faults.choose(verb, resource)
        if kind.isdigit():
            raise trouble(int(kind), faults.retry_after if kind in {"429", "503"} else None)
        if kind == "hang":
            await asyncio.sleep(faults.hang)
        if kind in {"reset", "hang"}:
            _abort(request)
            raise trouble(503)
        return kind


def _abort(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()


def _verb(request: web.BaseRequest, found: Route) -> str:
    if request.method == "GET":
        watching = request.query.get("watch", "").lower() in {"1", "true"}
        return "watch" if watching else "get" if found.name else "list"
    if request.method == "DELETE":
        return "delete" if found.name else "deletecollection"
    if found.subresource == "portforward":
        return "create"
    return _VERBS[request.method]


def _counted(found: Route) -> str:
    return f"{found.resource.key}/{found.subresource}" if found.subresource else found.resource.key


def _parsed(body: bytes) -> Any:
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return yaml.safe_load(body)


def _from(request: web.BaseRequest) -> tuple[str, str]:
    return request.headers.get("Content-Type", ""), request.headers.get("User-Agent", "")


def _json(status: int, body: Json, headers: Mapping[str, str] | None = None) -> web.Response:
    text = json.dumps(body, separators=(",", ":"))
    return web.Response(status=status, text=text, content_type="application/json", headers=dict(headers or {}))


class Server:
    """The server's thread; `port` is known once `start` returned."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.port = 0
        self._cluster = cluster
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="fake cluster's API server", daemon=True)

    def start(self) -> None:
        """Listen; raises what kept it from that."""
        self._thread.start()
        self._ready.wait()
        if self._failed is not None:
            raise self._failed

    def stop(self) -> None:
        """Close every connection and end the thread."""
        if self._loop is not None and self._over is not None:
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def soon(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in the server's thread; dropped when the server is over."""
        if self._loop is None or self._loop.is_closed():
            coroutine.close()
        else:
            asyncio.run_coroutine_threadsafe(coroutine, self._loop).add_done_callback(self._done)

    def _done(self, future: Future[None]) -> None:
        if not future.cancelled() and (error := future.exception()) is not None:
            self._cluster.clock.failures.append(error)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failed = error
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        handler = Handler()
        handler.cluster, handler.calls = self._cluster, set()
        async with handler, kmock.Server(handler) as server:
            self.port = server.port
            self._ready.set()
            await self._over.wait()
            await self._cluster.network.close()
            await handler.end()
