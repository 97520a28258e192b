"""Ordering instances over HTTP as a client does, and following each operation to its end."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from toygres.cli.client import Client

Json = dict[str, Any]

_ENDED = frozenset({"succeeded", "failed", "cancelled", "superseded"})
_POLL_SECONDS = 25
_ANSWER_SECONDS = 60.0


@dataclass(frozen=True)
class Ordered:
    """An operation as it ended; sent at `began_at` (seconds since 1970), its end was told `seconds` later."""

    operation: Json
    began_at: float
    seconds: float

    @property
    def name(self) -> str:
        """The instance's name."""
        return str(self.operation["instance"]["name"])

    def parts(self) -> list[tuple[str, float, float]]:
        """What it is made of, in order: a name, the seconds that it waited, and those that it worked."""
        created, ended = (datetime.fromisoformat(self.operation[at]).timestamp() for at in ("created_at", "ended_at"))
        steps = [(step["name"], step["waited_seconds"], step["worked_seconds"]) for step in self.operation["steps"]]
        return [
            ("request, until it is written down", 0.0, created - self.began_at),
            *steps,
            ("end, until the client is told", self.began_at + self.seconds - ended, 0.0),
        ]


class Orders:
    """One client with connections that it keeps; used by any number of threads."""

    def __init__(self, client: Client) -> None:
        self._http = httpx.Client(
            base_url=client.url,
            headers={"Authorization": f"Bearer {client.token}"},
            timeout=_ANSWER_SECONDS,
            trust_env=False,
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=64),
        )
        # Making the first connection is no part of what is measured.
        self._http.get("/readyz")

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def create(self, name: str) -> Ordered:
        """Order an instance; returns once it is ready."""
        began_at, began = time.time(), time.perf_counter()
        operation = self._followed(self._order(name))
        return Ordered(operation, began_at, time.perf_counter() - began)

    def create_at_once(self, names: list[str]) -> list[Ordered]:
        """Order all of them together; returns once the last is ready, whose seconds are the longest."""
        began_at, began = time.time(), time.perf_counter()
        with ThreadPoolExecutor(len(names)) as pool:
            ordered = list(pool.map(self._order, names))
        return [Ordered(self._followed(operation), began_at, time.perf_counter() - began) for operation in ordered]

    def delete(self, names: Iterable[str]) -> None:
        """Delete instances; returns once they are gone."""
        ordered = [_checked(self._http.delete(f"/v1/instances/{name}"))["operation"] for name in names]
        for operation in ordered:
            self._followed(operation)

    def _order(self, name: str) -> Json:
        operation: Json = _checked(self._http.post("/v1/instances", json={"name": name}))["operation"]
        return operation

    def _followed(self, operation: Json) -> Json:
        while operation["state"] not in _ENDED:
            query = {"after_revision": operation["revision"], "wait_seconds": _POLL_SECONDS}
            operation = _checked(self._http.get(f"/v1/operations/{operation['id']}", params=query))
        if operation["state"] != "succeeded":
            raise SystemExit(f"{operation['kind']} of {operation['instance']['name']} ended {operation}")
        return operation


def _checked(answer: httpx.Response) -> Json:
    if not answer.is_success:
        raise SystemExit(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}")
    found: Json = answer.json()
    return found
