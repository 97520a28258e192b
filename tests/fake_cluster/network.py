"""The addresses that pods and services get: ones that lead nowhere, or loopback addresses that really answer."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fake_cluster.cluster import FakeCluster

# Whoever comes through a pod's or a Service's address isn't the pod's own loopback; `pg_hba.conf` tells them apart.
_OUTSIDE = "127.99.0.1"
# Addresses of a group: the kernel refuses at once to connect to one ("Network is unreachable"), on whatever network a
# test runs, where private addresses may lead somewhere.
_NOWHERE = "233.252"
# One for the process, so that two clusters of it never hand out the same.
_NUMBERS = itertools.count(os.getpid() * 37 % 60_000)


class Network:
    """Hands out addresses, and lets those that answer lead to pods.

    With `pods` and `services` those addresses are of 127.0.0.0/8, all of which is this machine's on Linux, and
    the ports are the pods' own. Without, nobody can be reached there, and who tries is told so at once.
    """

    def __init__(self, *, pods: bool = False, services: bool = False) -> None:
        self.pods = pods
        self.services = services
        self._targets: dict[tuple[str, int], tuple[FakeCluster, int, list[str]]] = {}
        self._bridges: set[asyncio.Task[Any]] = set()
        self._listening: dict[tuple[str, int], asyncio.Server] = {}

    def pod_address(self) -> str:
        """A pod's address."""
        return self._loopback(100) if self.pods else self._after(_NOWHERE)

    def service_address(self) -> str:
        """A Service's cluster address."""
        return self._loopback(160) if self.services else self._after(_NOWHERE)

    def publish(self, cluster: FakeCluster, address: str, port: int, target: int, uids: list[str]) -> None:
        """Let `address` lead to these pods' `target` port from now on; an address that isn't ours is left alone."""
        if address.startswith("127."):
            new = (address, port) not in self._targets
            self._targets[address, port] = (cluster, target, uids)
            if new:
                cluster.in_server(self._listen((address, port)))

    def withdraw(self, address: str) -> None:
        """Let nothing answer at `address` any more."""
        for key in [key for key in self._targets if key[0] == address]:
            cluster = self._targets.pop(key)[0]
            cluster.in_server(self._close(key))

    async def close(self) -> None:
        """Let nothing answer any more, and end what goes through."""
        self._targets.clear()
        for key in list(self._listening):
            await self._close(key)
        for bridge in list(self._bridges):
            bridge.cancel()
        await asyncio.gather(*self._bridges, return_exceptions=True)

    async def _listen(self, key: tuple[str, int]) -> None:
        async def bridge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._bridge(key, reader, writer)

        server = await asyncio.start_server(bridge, *key)
        self._listening[key] = server
        if key not in self._targets:
            await self._close(key)

    async def _close(self, key: tuple[str, int]) -> None:
        server = self._listening.pop(key, None)
        if server is not None:
            server.close()

    async def _bridge(self, key: tuple[str, int], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            cluster, target, uids = self._targets[key]
            host, port = cluster.address_of(uids[0], target)
            onward = await asyncio.open_connection(host, port, local_addr=(_OUTSIDE, 0))
        except (KeyError, IndexError, OSError):
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._bridges.add(task)
        try:
            await asyncio.gather(copy(reader, onward[1]), copy(onward[0], writer))
        finally:
            self._bridges.discard(task)
            for each in (writer, onward[1]):
                each.transport.abort()

    def _loopback(self, second: int) -> str:
        while True:
            address = self._after(f"127.{second + os.getpid() % 60}")
            with socket.socket() as probe, suppress(OSError):
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, 5432))
                return address

    def _after(self, beginning: str) -> str:
        number = next(_NUMBERS) % 60_000
        return f"{beginning}.{number // 250}.{number % 250 + 2}"


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy one direction of a connection until it ends, and end the other side of it."""
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with suppress(OSError):
        writer.close()
