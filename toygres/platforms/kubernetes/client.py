"""The one door to a cluster's API: every call goes through `Cluster`, with a time-out and without hidden retries."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import structlog

from toygres.errors import Cause, CauseCode, Misconfigured, Unavailable
from toygres.platforms.kubernetes import access, trouble
from toygres.platforms.kubernetes.access import Access
from toygres.platforms.kubernetes.lines import Line
from toygres.platforms.kubernetes.patience import Patience
from toygres.platforms.kubernetes.resources import NAMESPACES
from toygres.platforms.kubernetes.trouble import Answer

log = structlog.get_logger(__name__)

JSON = "application/json"
APPLY = "application/apply-patch+yaml"

# Until a connection stands, TLS included, and the longest silence after that; in seconds.
_CONNECT_SECONDS = 3.0
_READ_SECONDS = 10.0
# Credentials that were refused aren't read again more often than this: it may run a login command.
_RENEW_SECONDS = 5.0
_UNAUTHORIZED = 401


@dataclass(frozen=True)
class Request:
    """One call: `doing` is what a person is told of it, such as `apply Secret demo`."""

    doing: str
    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    body: Mapping[str, Any] | None = None
    content_type: str = JSON
    accept: str = JSON


@dataclass(frozen=True)
class Described:
    """Which cluster this is, for a person to see before anything is written there."""

    server: str
    context: str | None
    source: str

    def __str__(self) -> str:
        """One line for a terminal."""
        return f"{self.server} ({f'context {self.context} of ' if self.context else ''}{self.source})"


class Cluster:
    """A cluster's API, for any number of threads. Making one reads and loads nothing.

    `context` is the kubeconfig's, None its current one; `kubeconfig` a path instead of what the environment says.
    """

    def __init__(self, context: str | None = None, kubeconfig: str | None = None) -> None:
        self._context = context
        self._kubeconfig = kubeconfig
        self._lock = threading.Lock()
        self._loaded: Access | None = None
        self._renewed_at = float("-inf")

    def describe(self) -> Described:
        """The server and the context; asks nobody. Raises Misconfigured."""
        loaded = self._access()
        return Described(loaded.server, loaded.context, loaded.source)

    def version(self) -> tuple[int, int]:
        """The server's version, such as (1, 36). Needs no rights. Raises Unavailable."""
        told = self.send(Request("read the version", "GET", "/version")).json()
        try:
            return _digits(told["major"]), _digits(told["minor"])
        except (KeyError, ValueError):
            raise trouble.unreachable("The Kubernetes API doesn't tell its version.") from None

    def identity(self, namespace: str) -> str | None:
        """What makes this cluster this one: the UID of the namespace; None while there is none.

        Raises Unavailable, Refused (`get` on the namespace itself is needed, which a Role in it can give).
        """
        asked = Request(f"get Namespace {namespace}", "GET", NAMESPACES.path(name=namespace))
        answer = self.send(asked, also=(404,))
        return str(answer.json()["metadata"]["uid"]) if answer.fine else None

    def send(
        self,
        request: Request,
        *,
        also: Sequence[int] = (),
        secrets: Sequence[str] = (),
        read_seconds: float = _READ_SECONDS,
    ) -> Answer:
        """Call, and give the whole answer: a success, or a status in `also`.

        A call that meets trouble is made again, three times within a second: a step makes a dozen, and would hardly
        ever be through where some of them fail. One that is made again may have been done already, so that a 404 or a
        409 says so. Raises Unavailable when it may succeed later, Refused when it can't, Misconfigured. No message of
        theirs has any of `secrets` in it.
        """
        patience = Patience(read_seconds)
        while True:
            try:
                return self._sent(request, also, secrets, read_seconds)
            except Unavailable as met:
                if not patience.again(met):
                    raise
                log.debug("kubernetes_call_again", doing=request.doing, reason=str(met))

    def _sent(self, request: Request, also: Sequence[int], secrets: Sequence[str], read_seconds: float) -> Answer:
        with trouble.foreseen(request.doing):
            response = self._asked(request, read_seconds, None)
            answer = _whole(response)
        return trouble.check(answer, request.doing, also=also, secrets=secrets)

    def open(self, request: Request, line: Line, read_seconds: float, *, also: Sequence[int] = ()) -> Any:
        """Call on `line` and give the urllib3 response, its body unread; whoever reads it closes it.

        `read_seconds` bounds each silence. Raises as `send` does; reading may raise urllib3's exceptions.
        """
        with trouble.foreseen(request.doing):
            response = self._asked(request, read_seconds, line)
            if response.status in range(200, 300) or response.status in also:
                return response
            answer = _whole(response)
        raise trouble.refusal(answer, request.doing)

    def handshake(self, path: str, query: Sequence[tuple[str, str]] = ()) -> tuple[str, dict[str, str], Any]:
        """URL, headers with credentials, and configuration for a connection that isn't the library's."""
        loaded = self._access()
        _, url, headers, _, _ = _serialized(loaded.client, Request("", "GET", path, query))
        return url, headers, loaded.configuration

    def renew(self) -> None:
        """Read the credentials anew, unless that was done some seconds ago: they were refused."""
        self._renew(self._access())

    def _access(self) -> Access:
        with self._lock:
            if self._loaded is None:
                self._loaded = access.load(self._context, self._kubeconfig)
            return self._loaded

    def _asked(self, request: Request, read_seconds: float, line: Line | None) -> Any:
        used = self._access()
        response = _exchange(used, request, read_seconds, line)
        if response.status != _UNAUTHORIZED:
            return response
        renewed = self._renew(used)
        if renewed is used:
            return response
        response.close()
        return _exchange(renewed, request, read_seconds, line)

    def _renew(self, refused: Access) -> Access:
        """Access with credentials read again; the same one where that was tried just now, or can't be done."""
        with self._lock:
            if self._loaded is not None and self._loaded is not refused:
                return self._loaded
            if time.monotonic() - self._renewed_at < _RENEW_SECONDS:
                return refused
            self._renewed_at = time.monotonic()
            try:
                self._loaded = access.load(self._context, self._kubeconfig)
            except Misconfigured as wrong:
                log.warning("kubeconfig_unreadable", reason=wrong.message)
                return refused
            return self._loaded


def ensure_namespace(cluster: Cluster, body: Mapping[str, Any]) -> str:
    """The UID of the namespace, which is made when it isn't there. Raises Refused, Unavailable.

    One that is there is left as it is, and needs `get` on itself only.
    """
    name = str(body["metadata"]["name"])
    if uid := cluster.identity(name):
        return uid
    asked = Request(f"create Namespace {name}", "POST", NAMESPACES.path(), body=body)
    answer = cluster.send(asked, also=(409,))
    uid = str(answer.json()["metadata"]["uid"]) if answer.fine else cluster.identity(name)
    if uid is None:
        told, remedy = f"Namespace {name} came and went.", "See who deletes it; it is tried again by itself."
        raise Unavailable(told, remedy, cause=Cause(code=CauseCode.CHANGED_MEANWHILE, message=told, remedy=remedy))
    return uid


def _exchange(used: Access, request: Request, read_seconds: float, line: Line | None) -> Any:
    client = used.client if line is None else line.client(used.configuration)
    began = time.monotonic()
    answered = client.call_api(*_serialized(client, request), _request_timeout=(_CONNECT_SECONDS, read_seconds))
    log.debug(
        "kubernetes_call",
        method=request.method,
        path=request.path,
        status=answered.status,
        milliseconds=round((time.monotonic() - began) * 1000, 1),
    )
    return answered.response


def _serialized(client: Any, request: Request) -> Any:
    """What the library's client sends: its method, URL, headers with credentials, body, and no form."""
    path = f"{request.path}?{urlencode(request.query)}" if request.query else request.path
    return client.param_serialize(
        request.method,
        path,
        header_params={"Accept": request.accept, "Content-Type": request.content_type},
        body=request.body,
        auth_settings=["BearerToken"],
    )


def _whole(response: Any) -> Answer:
    """The answer with its body read; the connection goes back to its pool."""
    body = response.data
    return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, body)


def _digits(text: str) -> int:
    return int("".join(char for char in text if char.isdecimal()))
