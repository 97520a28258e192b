"""The API as the CLI calls it: where it is, who asks, and each answer as JSON or as one of Toygres' errors."""

from __future__ import annotations

import ipaddress
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from toygres.cli.problems import error_of
from toygres.errors import Misconfigured, Unavailable
from toygres.home import Home

if TYPE_CHECKING:
    import httpx

Json = dict[str, Any]

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
PAGE_LIMIT = 200
START_ONE = "Start one with `toygres up`, or name another with TOYGRES_URL."


@dataclass(frozen=True)
class Client:
    """One Toygres, reached over HTTP. Makes no connection before the first call; its repr doesn't show the token."""

    url: str
    token: str = field(repr=False)

    @classmethod
    def find(cls) -> Client:
        """The Toygres that TOYGRES_URL names, else the one that this home's `up` runs.

        Raises Unavailable when there is neither, and Misconfigured when there is no token for it.
        """
        url = os.environ.get("TOYGRES_URL")
        if not url:
            return cls.from_home(Home.find())
        token = _token_from_environment()
        if token is None:
            raise Misconfigured(
                "TOYGRES_URL is set, but there is no token for it.",
                "Set TOYGRES_TOKEN_FILE to a file that holds the token, or TOYGRES_TOKEN.",
            )
        return cls(url.rstrip("/"), token)

    @classmethod
    def from_home(cls, home: Home) -> Client:
        """The Toygres that this home's `up` runs; a token in the environment wins over the home's."""
        url = home.read_running().get("url")
        if not isinstance(url, str):
            raise Unavailable(f"No Toygres runs from {home.path}.", START_ONE)
        return cls(url.rstrip("/"), _token_from_environment() or _read_token(home.token))

    def get(self, path: str, *, extra_seconds: float = 0.0, **query: str | float | None) -> Json:
        """What is at `path`; `extra_seconds` is how much longer than usual the answer may take."""
        asked = {name: value for name, value in query.items() if value is not None}
        return self._json("GET", path, query=asked, extra_seconds=extra_seconds)

    def post(self, path: str, body: Json | None = None) -> Json:
        """Order something. Never sent twice: the caller can't know whether the first was carried out."""
        return self._json("POST", path, body=body)

    def delete(self, path: str) -> Json:
        """Order that what is at `path` goes."""
        return self._json("DELETE", path)

    def items(self, path: str, *, state: str | None = None) -> Iterator[Json]:
        """Every item of a list, however many pages it takes."""
        cursor: str | None = None
        while True:
            page = self.get(path, state=state, limit=PAGE_LIMIT, cursor=cursor)
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def _json(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        query: dict[str, str | float] | None = None,
        extra_seconds: float = 0.0,
    ) -> Json:
        # Half a second to import: only for the commands that call.
        import httpx

        timeout = httpx.Timeout(ANSWER_SECONDS + extra_seconds, connect=CONNECT_SECONDS)
        try:
            with self._http(timeout) as http:
                answer = http.request(method, self.url + path, params=query, json=body, headers=self._headers())
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise Misconfigured(f"{self.url!r} isn't an address.", "Write it as http://HOST:PORT.") from None
        except httpx.ConnectError:
            raise Unavailable(f"No Toygres answers at {self.url}.", START_ONE) from None
        except httpx.HTTPError as trouble:
            raise Unavailable(f"{self.url} gave no answer: {str(trouble) or type(trouble).__name__}.") from None
        return self._read(answer)

    def _http(self, timeout: httpx.Timeout) -> httpx.Client:
        import httpx

        return httpx.Client(
            timeout=timeout,
            # A proxy named in the environment must not see what is meant for this machine.
            trust_env=not _is_loopback(self.url),
            # Loading the authorities takes longer than a call; over plain HTTP there is nothing to verify.
            verify=self.url.startswith("https:"),
        )

    def _headers(self) -> dict[str, str]:
        import importlib.metadata

        return {
            "Accept": "application/json, application/problem+json",
            "Authorization": f"Bearer {self.token}",
            "User-Agent": f"toygres-cli/{importlib.metadata.version('toygres')}",
            "X-Request-Id": uuid.uuid4().hex,
        }

    def _read(self, answer: httpx.Response) -> Json:
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Unavailable(f"What answers at {self.url} isn't Toygres (HTTP {answer.status_code}).", START_ONE)
        if answer.is_success:
            return found
        raise error_of(answer.status_code, found)


def instance_path(ref: str, *more: str) -> str:
    """The path of an instance named by name or ID, or of something that belongs to it."""
    return "/".join(("/v1/instances", quote(ref, safe=""), *more))


def operation_path(operation_id: str, *more: str) -> str:
    """The path of an operation, or of something that can be done to it."""
    return "/".join(("/v1/operations", quote(operation_id, safe=""), *more))


def _token_from_environment() -> str | None:
    named, given = os.environ.get("TOYGRES_TOKEN_FILE"), os.environ.get("TOYGRES_TOKEN")
    if named:
        return _read_token(Path(named))
    return _checked(given, "TOYGRES_TOKEN") if given else None


def _read_token(path: Path) -> str:
    try:
        text = path.read_text(errors="replace")
    except OSError as trouble:
        raise Misconfigured(f"The token in {path} can't be read: {trouble.strerror}.") from None
    return _checked(text, str(path))


def _checked(text: str, source: str) -> str:
    token = text.strip()
    # Anything else can't travel in a header.
    if not token or not token.isascii() or not token.isprintable():
        raise Misconfigured(f"{source} holds no token.", "It is one line of printable ASCII.")
    return token


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
