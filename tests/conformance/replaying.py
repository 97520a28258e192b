"""The recordings, and how a recorded call is made again to a fake cluster."""

from __future__ import annotations

import gzip
import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fake_cluster import FakeCluster

Json = dict[str, Any]
FOLDER = Path(__file__).parent / "recordings"
NAMES = sorted(path.name.removesuffix(".jsonl.gz") for path in FOLDER.glob("*.jsonl.gz"))
_POWERLESS = "powerless"


def lines(name: str) -> Iterator[Json]:
    """The lines of a recording, in order."""
    with gzip.open(FOLDER / f"{name}.jsonl.gz", "rt") as file:
        for line in file:
            yield json.loads(line)


@dataclass(frozen=True)
class Answer:
    """An answer, recorded or replayed; a stream's body is the list of its events."""

    status: int
    body: Any
    warning: str

    @classmethod
    def recorded(cls, response: Json) -> Answer:
        """As the recording has it."""
        body = response["body"]
        if isinstance(body, str):
            body = [json.loads(line) for line in body.splitlines()]
        return cls(response["status"], body, response["headers"].get("Warning", ""))


class Caller:
    """Makes recorded calls as whom their answers name."""

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster
        self._powerless = cluster.user("system:serviceaccount:rec-refusals:powerless")

    def make(self, request: Json, recorded: Json) -> Answer:
        """Make one call again."""
        host = self._cluster.host.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=30)
        headers = request["headers"] | self._authorization(request, recorded)
        body = json.dumps(request["body"]) if request["body"] is not None else None
        connection.request(request["method"], request["path"], body, headers)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        watched = "watch=1" in request["path"]
        parsed = [json.loads(line) for line in text.splitlines()] if watched else json.loads(text)
        if watched and parsed and not isinstance(recorded["body"], str):
            # A stream of one event was recorded as that event.
            parsed = parsed[0]
        return Answer(response.status, parsed, response.headers.get("Warning", ""))

    def _authorization(self, request: Json, recorded: Json) -> Json:
        body = recorded["body"] if isinstance(recorded["body"], dict) else {}
        message = body.get("message", "")
        if recorded["status"] == 401:
            return {"Authorization": "Bearer nobody-knows-this"}
        if "system:anonymous" in message:
            return {}
        review = body.get("kind") == "SelfSubjectAccessReview"
        if _POWERLESS in message or (review and not body["status"]["allowed"]):
            return {"Authorization": f"Bearer {self._powerless}"}
        return {"Authorization": f"Bearer {self._cluster.token}"}
