"""The OpenAPI document: what APIFlask writes, with our error shape, the token, and plain schema names."""

from __future__ import annotations

import json
import re
from typing import Any

from apiflask import APIFlask

from web.errors import MEDIA_TYPE
from web.schemas import told

Document = dict[str, Any]

DESCRIPTION = (
    "Order PostgreSQL databases. Every change is an operation with named steps: an order is answered with 202 and the"
    " operation to follow. Times are RFC 3339 in UTC, durations are seconds, sizes are quantities such as 512Mi."
    " Errors are RFC 9457 problems."
)
_BODY_OPTIONAL = frozenset({"retry_operation"})
_OPEN_PATHS = frozenset({"/healthz", "/readyz"})
_EVERYWHERE = {
    "400": "The request can't be read.",
    "421": "The Host header names none of this server's names.",
    "500": "Something went wrong inside Toygres.",
}
_WITH_BODY = {"413": "The request is too large.", "415": "The request's body isn't JSON."}
_MEANINGS = {
    "401": "No valid token came with the request.",
    "404": "There is no such thing.",
    "409": "It can't be done in the state that things are in.",
    "422": "A field is unknown, or its value isn't offered.",
    "503": "A part that Toygres needs doesn't answer; try again after Retry-After seconds.",
}
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemOut"}}}
_LOCATION = {"description": "The operation's path.", "schema": {"type": "string"}}


def configure(app: APIFlask) -> None:
    """Describe `app` at /openapi.json."""
    app.config.update(
        DESCRIPTION=DESCRIPTION,
        SECURITY_SCHEMES={"bearer": {"type": "http", "scheme": "bearer", "description": "The home's token."}},
        AUTO_SERVERS=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_404_RESPONSE=False,
    )
    app.spec_processor(finished)


def finished(written: Document | str) -> Document | str:
    """The document that APIFlask wrote, as callers read it."""
    document = _plain_names(written)
    schemas = document["components"]["schemas"]
    schemas.update(_problem_schemas())
    schemas.pop("HTTPError", None)
    document["security"] = [{"bearer": []}]
    for path, methods in document["paths"].items():
        for operation in methods.values():
            _finish(operation, is_open=path in _OPEN_PATHS)
    return document


def _finish(operation: Document, *, is_open: bool) -> None:
    """Say of one endpoint how each of its errors looks, and whether it needs the token."""
    responses = operation["responses"]
    operation["summary"] = operation["summary"].removesuffix(".")
    errors = (
        _EVERYWHERE
        | (_WITH_BODY if "requestBody" in operation else {})
        | ({} if is_open else {"401": _MEANINGS["401"]})
    )
    for status in [*errors, *responses]:
        # The readiness page is the one that answers 503 with something else than a problem.
        if status in errors or (status in _MEANINGS and not is_open):
            responses[status] = {"description": errors.get(status) or _MEANINGS[status], "content": _PROBLEM}
    if is_open:
        operation["security"] = []
    if "requestBody" in operation:
        operation["requestBody"]["required"] = operation["operationId"] not in _BODY_OPTIONAL
    if "202" in responses and operation["operationId"] != "cancel_operation":
        responses["202"]["headers"] = {"Location": _LOCATION}
    operation["responses"] = dict(sorted(responses.items()))


def _plain_names(document: Document | str) -> Document:
    """One schema `Y` where APIFlask writes a copy `X.Y` for each `X` that holds it."""
    plain: Document = json.loads(re.sub(r'(#/components/schemas/)\w+\.(\w+")', r"\1\2", json.dumps(document)))
    schemas = plain["components"]["schemas"]
    plain["components"]["schemas"] = {name.rpartition(".")[2]: schema for name, schema in sorted(schemas.items())}
    return plain


def _problem_schemas() -> Document:
    schema = told.ProblemOut.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), "ProblemOut": schema}
