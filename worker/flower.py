"""Flower, kept from answering to foreign names: by itself it answers to whatever name it is called by.

Its configuration file, which is Python, calls `refuse_foreign_hosts` before the command makes Flower's application.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import flower.command
from flower.app import Flower
from tornado.httputil import HTTPServerRequest
from tornado.web import ErrorHandler

from toygres.hosts import is_known, known_names

_MISDIRECTED = 421


class GuardedFlower(Flower):  # type: ignore[misc]
    """Flower for requests whose Host header names this server; static files and its open pages are no exception."""

    names: frozenset[str] = frozenset()

    def find_handler(self, request: HTTPServerRequest, **more: Any) -> Any:
        """What answers the request: for a foreign name a refusal, whatever it asks for."""
        if is_known(request.host, self.names):
            return super().find_handler(request, **more)
        return self.get_handler_delegate(request, ErrorHandler, {"status_code": _MISDIRECTED})


def refuse_foreign_hosts(names: Iterable[str]) -> None:
    """Have `celery flower` answer to loopback's names and to `names` only."""
    GuardedFlower.names = known_names(names)
    flower.command.Flower = GuardedFlower
