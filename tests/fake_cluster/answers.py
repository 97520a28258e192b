"""What the API server says when it refuses: `Status` objects with the texts of a real one."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class Refusal(Exception):
    """An answer that isn't a success; `reason` is left out of the body when it is empty, as a real server does."""

    def __init__(
        self, status: int, reason: str, message: str, *, details: Json | None = None, headers: Json | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.details = details
        self.headers = headers or {}

    @property
    def body(self) -> Json:
        """The `Status` object."""
        body: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        body["message"] = self.message
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        return body | {"code": self.status}


def _details(name: str, group: str, kind: str, causes: list[Json] | None = None) -> Json:
    details: Json = {"name": name} if name else {}
    if group:
        details["group"] = group
    details["kind"] = kind
    if causes:
        details["causes"] = causes
    return details


def _qualified(plural: str, group: str) -> str:
    return f"{plural}.{group}" if group else plural


def not_found(plural: str, group: str, name: str) -> Refusal:
    """404 of an object."""
    message = f'{_qualified(plural, group)} "{name}" not found'
    return Refusal(404, "NotFound", message, details=_details(name, group, plural))


def no_such_path() -> Refusal:
    """404 of a path that no resource has."""
    return Refusal(404, "NotFound", "the server could not find the requested resource", details={})


def exists(plural: str, group: str, name: str) -> Refusal:
    """409 of a create."""
    message = f'{_qualified(plural, group)} "{name}" already exists'
    return Refusal(409, "AlreadyExists", message, details=_details(name, group, plural))


def modified(plural: str, group: str, name: str) -> Refusal:
    """409 of a stale resourceVersion."""
    return conflict(
        plural,
        group,
        name,
        "the object has been modified; please apply your changes to the latest version and try again",
    )


def conflict(plural: str, group: str, name: str, why: str) -> Refusal:
    """409 of anything but a field's manager."""
    message = f'Operation cannot be fulfilled on {_qualified(plural, group)} "{name}": {why}'
    return Refusal(409, "Conflict", message, details=_details(name, group, plural))


def invalid(kind: str, group: str, name: str, problems: list[tuple[str, str, str]]) -> Refusal:
    """422; a problem is (field, reason, message)."""
    causes = [{"reason": reason, "message": message, "field": field} for field, reason, message in problems]
    told = [f"{field}: {message}" for field, _, message in problems]
    text = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    message = f'{_qualified(kind, group)} "{name}" is invalid: {text}'
    return Refusal(422, "Invalid", message, details=_details(name, group, kind, causes))


def forbidden(plural: str, group: str, name: str, why: str, *, causes: list[Json] | None = None) -> Refusal:
    """403: rights, quota, Pod Security and the like."""
    what = f'{_qualified(plural, group)} "{name}"' if name else _qualified(plural, group)
    message = f"{what} is forbidden: {why}"
    return Refusal(403, "Forbidden", message, details=_details(name, group, plural, causes))


def unauthorized() -> Refusal:
    """401: no such token."""
    return Refusal(401, "Unauthorized", "Unauthorized")


def bad_request(message: str) -> Refusal:
    """400."""
    return Refusal(400, "BadRequest", message)


def expired(message: str) -> Refusal:
    """410: a resourceVersion that is forgotten."""
    return Refusal(410, "Expired", message)


def trouble(status: int, retry_after: float | None = None) -> Refusal:
    """What a server in trouble says; made up where the recordings have none."""
    reason, message = {
        429: ("TooManyRequests", "Too many requests, please try again later."),
        500: ("InternalError", "Internal error occurred: etcdserver: leader changed"),
        503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
        504: ("Timeout", "Timeout: request did not complete within the allotted timeout"),
    }.get(status, ("InternalError", "Internal error occurred"))
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    details = {} if retry_after is None else {"retryAfterSeconds": int(retry_after)}
    return Refusal(status, reason, message, details=details, headers=headers)
