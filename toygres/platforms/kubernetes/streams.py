"""A watch's answer read event by event, as the API server sends them: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from toygres.platforms.kubernetes import trouble

Object = dict[str, Any]

_READ = 1 << 16


@contextmanager
def closing(response: Any) -> Iterator[None]:
    """Give its connection back at the end, or close it when something is left unread."""
    try:
        yield
    finally:
        response.close()
        response.release_conn()


def events(response: Any) -> Iterator[tuple[str, Object]]:
    """Type and object of each event as it comes; one that was cut in the middle is dropped. Raises Unavailable."""
    rest = b""
    for chunk in _chunks(response):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from map(_event, filter(None, whole))


def _chunks(response: Any) -> Iterator[bytes]:
    if response.chunked:
        yield from response.stream(amt=None, decode_content=False)
    else:
        while chunk := response.read1(_READ, decode_content=False):
            yield chunk


def _event(line: bytes) -> tuple[str, Object]:
    try:
        event = json.loads(line)
        return event["type"], event["object"]
    except (ValueError, TypeError, KeyError):
        raise trouble.unreachable("A watch of the Kubernetes API said something that isn't an event.") from None
