"""`pods/portforward`: a WebSocket in the v4 and v5 channel protocols, bridged to where the pod really listens."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from fake_cluster import reading
from fake_cluster.answers import Refusal, bad_request
from fake_cluster.resources import Route

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

_V5 = "v5.channel.k8s.io"
_PROTOCOLS = (_V5, "v4.channel.k8s.io", "channel.k8s.io")
_CLOSE_CHANNEL = 255


async def serve(cluster: FakeCluster, request: web.BaseRequest, route: Route) -> web.StreamResponse:
    """Bridge every port asked for; channels 2n carry data, channels 2n+1 errors."""
    pod = reading.get(cluster, Route(route.resource, route.namespace, route.name))
    ports = [int(port) for value in request.query.getall("ports", []) for port in value.split(",")]
    if not ports:
        raise bad_request('query parameter "ports" is required')
    if (pod.get("status") or {}).get("phase") != "Running":
        phase = (pod.get("status") or {}).get("phase", "Unknown")
        raise Refusal(500, "", f"unable to forward port because pod is not running. Current status={phase}")
    socket = web.WebSocketResponse(protocols=_PROTOCOLS, max_msg_size=0)
    await socket.prepare(request)
    forwards = [_Forward(cluster, request, socket, pod["metadata"]["uid"], i, port) for i, port in enumerate(ports)]
    cluster.forwards.update(forwards)
    try:
        for forward in forwards:
            await forward.open()
        async for message in socket:
            if message.type == WSMsgType.BINARY and message.data:
                await _received(socket, forwards, message.data)
    finally:
        cluster.forwards.difference_update(forwards)
        for forward in forwards:
            forward.close()
    return socket


async def _received(socket: web.WebSocketResponse, forwards: list[_Forward], data: bytes) -> None:
    if data[0] == _CLOSE_CHANNEL and socket.ws_protocol == _V5:
        forwards[data[1] // 2].finish()
    elif data[0] % 2 == 0 and data[0] // 2 < len(forwards):
        await forwards[data[0] // 2].write(data[1:])


class _Forward:
    """One port of one port-forward."""

    def __init__(
        self,
        cluster: FakeCluster,
        request: web.BaseRequest,
        socket: web.WebSocketResponse,
        uid: str,
        index: int,
        port: int,
    ) -> None:
        self._cluster = cluster
        self._request = request
        self._socket = socket
        self._loop = asyncio.get_running_loop()
        self._uid = uid
        self._index = index
        self._port = port
        self._writer: asyncio.StreamWriter | None = None
        self._copying: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Greet on both channels and connect; a failure is told on the error channel."""
        greeting = struct.pack("<H", self._port)
        await self._send(0, greeting)
        await self._send(1, greeting)
        try:
            host, port = self._cluster.address_of(self._uid, self._port)
            reader, self._writer = await asyncio.open_connection(host, port)
        except OSError:
            text = (
                f"an error occurred forwarding {self._port} -> {self._port}: error forwarding port {self._port} to pod "
            )
            text += f'{self._uid}: failed to connect to localhost:{self._port} inside namespace "{self._uid}", '
            text += f"IPv4: dial tcp4 127.0.0.1:{self._port}: connect: connection refused"
            await self._send(1, text.encode())
            return
        self._copying = asyncio.create_task(self._copy(reader))

    async def write(self, data: bytes) -> None:
        if self._writer is not None and data:
            self._writer.write(data)
            await self._writer.drain()

    def finish(self) -> None:
        """The client sends nothing more."""
        if self._writer is not None and self._writer.can_write_eof():
            self._writer.write_eof()

    def close(self) -> None:
        if self._copying is not None:
            self._copying.cancel()
        if self._writer is not None:
            self._writer.transport.abort()

    def cut(self) -> None:
        """Cut the connection below the WebSocket, from any thread."""
        self._loop.call_soon_threadsafe(lambda: self._request.transport and self._request.transport.abort())

    async def _copy(self, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.read(65536):
                await self._send(0, data)
        except ConnectionError:
            pass
        if not self._socket.closed:
            await self._socket.close()

    async def _send(self, part: int, data: bytes) -> None:
        if not self._socket.closed:
            await self._socket.send_bytes(bytes([self._index * 2 + part]) + data)
