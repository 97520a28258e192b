"""One connection to a port of a pod, through a WebSocket of the API server: bytes there and back.

One thread does both ends, since a TLS connection isn't to be read and written by two at once. The library's own
port-forward has no time-outs, and keeps the reason of a failure from everybody.
"""

from __future__ import annotations

import selectors
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from toygres.errors import Refused, Unavailable
from toygres.platforms.kubernetes import trouble
from toygres.platforms.kubernetes.client import Cluster
from toygres.platforms.kubernetes.resources import PODS
from toygres.platforms.kubernetes.trouble import Answer

_PROTOCOLS = "v5.channel.k8s.io,v4.channel.k8s.io"
_DATA, _ERROR, _CLOSED = 0, 1, 255
# What one side may send ahead of the other's reading; in bytes.
_AHEAD = 1 << 20
_CHUNK = 1 << 14
_UNAUTHORIZED, _NOT_FOUND = 401, 404


class Tunnel:
    """A way to `port` of the pod. `connect` first, then `carry`; `cut` ends either, from another thread."""

    def __init__(self, cluster: Cluster, namespace: str, pod: str, port: int, seconds: float) -> None:
        self.said = ""
        self._cluster, self._seconds = cluster, seconds
        self._path, self._port = PODS.path(namespace, pod, "portforward"), port
        self._pod, self._doing = pod, f"forward port {port} of Pod {pod}"
        self._socket: Any = None
        self._channel = _DATA
        self._begun: set[int] = set()
        self._there, self._back = bytearray(), bytearray()

    def connect(self) -> None:
        """Connect, in `seconds` for each of TCP, TLS and handshake. Raises Refused, Unavailable, Misconfigured."""
        import websocket

        url, headers, configuration = self._cluster.handshake(self._path, [("ports", str(self._port))])
        try:
            self._socket = websocket.WebSocket(sslopt=_tls(configuration) if url.startswith("https") else None)
            self._socket.connect(
                "ws" + url.removeprefix("http"),
                header=[f"sec-websocket-protocol: {_PROTOCOLS}", *_credentials(headers)],
                timeout=self._seconds,
                redirect_limit=0,
                **_proxy(configuration, url),
            )
        except websocket.WebSocketBadStatusException as answered:
            raise self._refusal(answered) from None
        except (websocket.WebSocketException, OSError) as error:
            raise trouble.unreachable(f"The Kubernetes API doesn't answer ({self._doing}): {error}.") from None

    def _refusal(self, answered: Any) -> Refused | Unavailable:
        headers = {str(name).lower(): str(value) for name, value in (answered.resp_headers or {}).items()}
        answer = Answer(answered.status_code, headers, answered.resp_body or b"")
        if answer.status == _UNAUTHORIZED:
            self._cluster.renew()
        if answer.status == _NOT_FOUND:
            return trouble.unreachable(f"Pod {self._pod} isn't there.", "Wait: it is tried again by itself.")
        return trouble.refusal(answer, self._doing)

    def carry(self, near: socket.socket) -> None:
        """Carry bytes until one end closes; what was said of a failure is in `said` then. Closes neither."""
        import websocket

        try:
            with selectors.DefaultSelector() as selector:
                near.setblocking(False)
                self._pump(near, selector)
        except (ConnectionResetError, BrokenPipeError, websocket.WebSocketConnectionClosedException):
            pass
        except (websocket.WebSocketException, OSError) as error:
            self.said = self.said or str(error)

    def cut(self) -> None:
        """End what goes on, from another thread."""
        found = getattr(self._socket, "sock", None)
        if found is not None:
            with suppress(OSError):
                socket.socket.shutdown(found, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection without waiting for a farewell."""
        if self._socket is not None:
            self._socket.shutdown()

    def _pump(self, near: socket.socket, selector: selectors.BaseSelector) -> None:
        far = self._socket.sock
        for end in (near, far):
            selector.register(end, selectors.EVENT_READ)
        near_open = far_open = True
        while (near_open or self._there) and (far_open or self._back):
            hungry = far_open and len(self._back) < _AHEAD
            _want(selector, near, reading=near_open and len(self._there) < _AHEAD, writing=bool(self._back))
            _want(selector, far, reading=hungry, writing=bool(self._there))
            # What TLS has decrypted already, no selector tells of.
            pending = hungry and _pending(far)
            ready = {key.fileobj: events for key, events in selector.select(0 if pending else None)}
            if pending or ready.get(far, 0) & selectors.EVENT_READ:
                far_open = self._receive()
            if ready.get(near, 0) & selectors.EVENT_READ:
                near_open = self._take(near)
            if self._back and ready.get(near, 0) & selectors.EVENT_WRITE:
                del self._back[: near.send(self._back)]
            if self._there and ready.get(far, 0) & selectors.EVENT_WRITE:
                del self._there[: far.send(self._there[:_CHUNK])]

    def _take(self, near: socket.socket) -> bool:
        """Frame what the near end sent; whether it may send more."""
        read = near.recv(_CHUNK)
        if read:
            self._frame(bytes([_DATA]) + read, "BINARY")
        return bool(read)

    def _frame(self, payload: bytes, kind: str) -> None:
        from websocket import ABNF

        self._there += ABNF.create_frame(payload, getattr(ABNF, f"OPCODE_{kind}")).format()

    def _receive(self) -> bool:
        """Unpack one frame; whether there may be more."""
        from websocket import ABNF

        frame = self._socket.recv_frame()
        if frame.opcode == ABNF.OPCODE_CLOSE:
            return False
        if frame.opcode == ABNF.OPCODE_PING:
            # Queued behind what is half sent; the library would send it into the middle of that.
            self._frame(frame.data, "PONG")
            return True
        if frame.opcode in (ABNF.OPCODE_BINARY, ABNF.OPCODE_TEXT) and frame.data:
            self._channel = frame.data[0]
            return self._unpack(frame.data[1:])
        return frame.opcode != ABNF.OPCODE_CONT or self._unpack(frame.data)

    def _unpack(self, payload: bytes) -> bool:
        if self._channel == _CLOSED:
            return payload[:1] != bytes([_DATA])
        if self._channel not in self._begun:
            # Each channel's first message only repeats the port.
            self._begun.add(self._channel)
        elif self._channel == _DATA:
            self._back += payload
        elif self._channel == _ERROR:
            self.said += payload.decode(errors="replace")
            return False
        return True


def _want(selector: selectors.BaseSelector, end: socket.socket, *, reading: bool, writing: bool) -> None:
    events = (selectors.EVENT_READ if reading else 0) | (selectors.EVENT_WRITE if writing else 0)
    registered = end in selector.get_map()
    if not events:
        if registered:
            selector.unregister(end)
    elif registered:
        selector.modify(end, events)
    else:
        selector.register(end, events)


def _pending(far: socket.socket) -> bool:
    return isinstance(far, ssl.SSLSocket) and far.pending() > 0


def _credentials(headers: Mapping[str, str]) -> list[str]:
    return [f"{name}: {value}" for name, value in headers.items() if name.lower() == "authorization"]


def _tls(configuration: Any) -> dict[str, Any]:
    """The same demands on the server's certificate as the client library makes in all other calls."""
    from urllib3.util.ssl_ import create_urllib3_context

    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE)
    if configuration.assert_hostname is False:
        context.check_hostname = False
    if configuration.ssl_ca_cert or configuration.ca_cert_data:
        context.load_verify_locations(cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data)
    else:
        context.load_default_certs()
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    named = configuration.tls_server_name
    return {"context": context, **({"server_hostname": named} if named else {})}


def _proxy(configuration: Any, url: str) -> dict[str, Any]:
    from kubernetes.client.rest import should_bypass_proxies

    if not configuration.proxy or should_bypass_proxies(url, configuration.no_proxy or ""):
        return {}
    parts = urlsplit(configuration.proxy)
    given = {"http_proxy_host": parts.hostname, "http_proxy_port": parts.port or 80}
    return {**given, **({"http_proxy_auth": (parts.username, parts.password or "")} if parts.username else {})}
