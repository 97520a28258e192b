"""Asks a broker, without Celery, whether it answers and writes."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from toygres.config import variable
from toygres.errors import Unavailable

_SECONDS = 2.0
_MEND = "Its log tells why: a full disk or memory, for one. What is ordered waits until then."


def ask_broker(url: str, prefix: str) -> None:
    """Return when it answers, and writes; nothing is left there. Raises Unavailable, without the URL's password."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    # By itself the client tries again for ten seconds.
    limits: dict[str, Any] = {
        "socket_timeout": _SECONDS,
        "socket_connect_timeout": _SECONDS,
        "retry": Retry(NoBackoff(), 0),
    }
    parts = urlsplit(url)
    try:
        if parts.scheme == "redis+socket":
            client = redis.Redis(unix_socket_path=unquote(parts.path), **limits)
        else:
            client = redis.Redis.from_url(url, **limits)
        with client:
            # A full broker answers what only reads. This would write, if the list were there.
            client.lpushx(f"{prefix}doctor", "")
    except redis.AuthenticationError:
        message, remedy = (
            "The broker refuses the login",
            f"Correct the user or the password in {variable('redis_url')}.",
        )
        raise Unavailable(message, remedy) from None
    except redis.ResponseError as refusal:
        # What it says may name users and keys; its first word, where that isn't a class yet, tells enough.
        kind = str(refusal).partition(" ")[0] if type(refusal) is redis.ResponseError else type(refusal).__name__
        raise Unavailable(f"The broker refuses to write ({kind})", _MEND) from None
    except (redis.RedisError, OSError, ValueError):
        remedy = f"See that it runs, and that {variable('redis_url')} names it."
        raise Unavailable("The broker doesn't answer", remedy) from None
