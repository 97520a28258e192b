"""What the queue itself can tell: whether the broker takes messages, and how old its oldest one is."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.retry import Retry

from toygres.config import Settings
from toygres.errors import Misconfigured, Unavailable
from worker.app import QUEUE

# Seconds after which messages that nobody takes, although somebody could, are a trouble.
NEGLECTED_SECONDS = 10.0
_MEND_BROKER = "Its log tells why: a full disk, for one. What is ordered waits until then."


class Queue:
    """The list in Redis that steps wait in; every call is bounded by half a second or so."""

    def __init__(self, settings: Settings) -> None:
        if settings.redis_url is None:
            raise Misconfigured("REDIS_URL isn't set, and no `toygres up` runs in this home.")
        self._key = settings.redis_prefix + QUEUE
        self._client = connect(settings.redis_url.get_secret_value())

    def oldest_age(self) -> float | None:
        """For how many seconds the oldest message has waited; None when none waits.

        By the clock of the machines that publish, so that the metadata DB's may be set otherwise.

        Raises Unavailable when the broker doesn't answer, or refuses to write: then nobody can say what is lost, and
        nobody can take anything.
        """
        message = self._write_and(lambda pipe: pipe.lindex(self._key, -1))
        if message is None:
            return None
        published_at = _published_at(message)
        return None if published_at is None else max(0.0, time.time() - published_at)

    def ping(self) -> None:
        """Return when the broker answers, and writes. Raises Unavailable."""
        self._write_and()

    def answers(self) -> bool:
        """Whether the broker answers, and writes."""
        try:
            self.ping()
        except Unavailable:
            return False
        return True

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _write_and(self, ask: Callable[[Pipeline], object] | None = None) -> Any:
        """See that the broker writes, and ask it something in the same round trip; the answer. Raises Unavailable."""
        pipe = self._client.pipeline(transaction=False)
        # A broker whose disk or memory is full answers what only reads. This would write, if the list were there.
        pipe.lpushx(f"{self._key}.never", "")
        if ask is not None:
            ask(pipe)
        try:
            answers: list[Any] = pipe.execute(raise_on_error=False)
        except redis.RedisError as error:
            raise Unavailable("The broker doesn't answer.") from error
        for refusal in answers:
            if isinstance(refusal, redis.RedisError):
                raise Unavailable(f"The broker refuses to write ({_kind(refusal)}).", _MEND_BROKER) from refusal
        return answers[-1]


def _kind(refusal: redis.RedisError) -> str:
    """Which refusal it is. The rest may name users and keys, and whoever asks for readiness reads it."""
    return str(refusal).partition(" ")[0] if type(refusal) is redis.ResponseError else type(refusal).__name__


def _published_at(message: bytes) -> float | None:
    try:
        return float(json.loads(message)["headers"]["published_at"])
    except (ValueError, KeyError, TypeError):
        # Not one of ours: the worker refuses it, and it tells nothing of what is behind it.
        return None


def connect(url: str) -> redis.Redis:
    """A client for the same URL as Celery's, whose form for Unix sockets is its own."""
    # By itself the client tries again for ten seconds.
    limits: dict[str, Any] = {
        "socket_timeout": 0.5,
        "socket_connect_timeout": 0.5,
        "retry": Retry(NoBackoff(), 0),
    }
    parts = urlsplit(url)
    if parts.scheme == "redis+socket":
        return redis.Redis(unix_socket_path=unquote(parts.path), **limits)
    return redis.Redis.from_url(url, **limits)
