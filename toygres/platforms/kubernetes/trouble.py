"""What went wrong in a call to Kubernetes, in our own words; the client library's exceptions end here.

Unavailable heals by waiting and is tried again, Refused is final; which of the two an answer is, `causes.answers`
knows. `str()` of the library's exceptions is a page with the whole answer in it, and is shown to nobody.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from toygres.errors import Cause, CauseCode, Refused, Unavailable

_SUCCESSES = range(200, 300)
_LONGEST_MESSAGE = 2000
_HIDDEN = "[hidden]"
# urllib3 begins its messages with the object that they come from.
_OBJECT = re.compile(r"^(?:<[^>]*>|\w+\([^)]*\)): ")
_REACH_IT = "It is tried again by itself; see that the API server runs and can be reached from here."


@dataclass(frozen=True)
class Answer:
    """What the API server answered: HTTP status, headers by lower-case name, the body as sent."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def fine(self) -> bool:
        """Whether what was asked for was done."""
        return self.status in _SUCCESSES

    def json(self) -> dict[str, Any]:
        """The body as an object. Raises Unavailable when it is none: then a proxy answered, or half of it came."""
        read = _object(self.body)
        if read is None:
            raise unreachable("The Kubernetes API's answer isn't an object; something else may answer in its place.")
        return read


@contextmanager
def foreseen(doing: str) -> Iterator[None]:
    """Raise Unavailable when the API server can't be talked to inside; `doing` names the call: `get Secret demo`."""
    import urllib3.exceptions
    from kubernetes.client.exceptions import ApiException
    from kubernetes.config.config_exception import ConfigException

    try:
        yield
    except ApiException as error:
        # One without an answer: so the library tells trouble with TLS, after a line with the exception's name.
        name, _, said = str(error.reason or "no reason given").partition("\n")
        raise unreachable(f"No safe connection to the Kubernetes API ({doing}): {said or name}") from None
    except ConfigException as error:
        raise unreachable(f"The credentials for the Kubernetes API can't be read ({doing}): {error}") from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise unreachable(f"The Kubernetes API doesn't answer ({doing}): {_reason(error)}.") from None


def check(answer: Answer, doing: str, *, also: Sequence[int] = (), secrets: Sequence[str] = ()) -> Answer:
    """The answer when it is a success or its status is in `also`. Raises Refused or Unavailable, without `secrets`."""
    if answer.fine or answer.status in also:
        return answer
    raise refusal(answer, doing, secrets)


def refusal(answer: Answer, doing: str, secrets: Sequence[str] = ()) -> Refused | Unavailable:
    """What to raise for an answer that isn't a success."""
    return judged(answer.status, _status(answer), doing, retry_after=retry_after(answer), secrets=secrets)


def judged(
    code: int, status: Mapping[str, Any], doing: str, *, retry_after: float | None = None, secrets: Sequence[str] = ()
) -> Refused | Unavailable:
    """What to raise for a `Status` of the API that came with that HTTP code."""
    from toygres.platforms.kubernetes.causes import answers

    message = _without(secrets, str(status.get("message") or ""))[:_LONGEST_MESSAGE]
    verdict = answers.verdict(code, str(status.get("reason") or ""), message, status.get("details") or {})
    call = f"{doing}: HTTP {code}: {message}" if message else f"{doing}: HTTP {code}"
    cause = replace(verdict.cause, evidence=(*verdict.cause.evidence, call))
    if not verdict.heals:
        return Refused(cause)
    return Unavailable(cause.message, cause.remedy, retry_after, cause)


def retry_after(answer: Answer) -> float | None:
    """How many seconds the server asked to be left alone for, if it did."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def conflicting(answer: Answer) -> bool:
    """Whether an apply met fields that another field manager owns; other 409s only ask to look again."""
    return answer.status == 409 and any(cause.get("reason") == "FieldManagerConflict" for cause in _causes(answer))


def complains_of(answer: Answer, *fields: str) -> bool:
    """Whether the answer names one of those fields as a cause, such as `metadata.uid`."""
    return any(cause.get("field") in fields for cause in _causes(answer))


def unreachable(message: str, remedy: str = _REACH_IT) -> Unavailable:
    """What to raise when nobody answers, or not in a way that can be understood."""
    cause = Cause(code=CauseCode.PLATFORM_UNREACHABLE, message=message, remedy=remedy)
    return Unavailable(cause.message, remedy, cause=cause)


def _status(answer: Answer) -> dict[str, Any]:
    """The `Status` that came with an answer; one made of its text where something else answered."""
    return _object(answer.body) or {"message": answer.body[:200].decode(errors="replace").strip()}


def _causes(answer: Answer) -> Sequence[Mapping[str, Any]]:
    details = _status(answer).get("details") or {}
    return details.get("causes") or ()


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        read = json.loads(text)
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


def _without(secrets: Sequence[str], text: str) -> str:
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return text


def _reason(error: BaseException) -> str:
    """The innermost words of a transport error, without the names and addresses of objects."""
    for inner in (getattr(error, "reason", None), *error.args):
        if isinstance(inner, BaseException):
            return _reason(inner)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return _OBJECT.sub("", str(error)).strip(".") or type(error).__name__
