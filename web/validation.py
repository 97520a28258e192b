"""What is wrong with a body or a query, field by field, in words of ours and without what may be a secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from toygres.errors import FieldError

# The value of a field that isn't known may be a password whose field was misspelt.
_NEVER_SHOWN = frozenset({"extra_forbidden", "missing"})
_PARAMETER = ("isn't a value", "a string, a number, true or false")
# By pydantic's names for what can be wrong: what we say, and what is allowed.
_SAID = {
    "extra_forbidden": ("there is no such field", "only the fields that /openapi.json describes"),
    "missing": ("is needed", "any value that /openapi.json describes"),
    "model_type": ("isn't an object", "one JSON object"),
    "dict_type": ("isn't an object", "an object of names and values"),
    "string_type": ("isn't a string", "a string, in quotation marks"),
    "string_unicode": ("isn't valid Unicode", "a string of valid Unicode"),
    "string_pattern_mismatch": ("holds a NUL character", "characters other than NUL"),
    "int_parsing": ("isn't a whole number", "a whole number"),
    "float_parsing": ("isn't a number", "a number"),
}


def field_errors(invalid: ValidationError) -> list[FieldError]:
    """One error for each field; branches of a union that failed alike are told once."""
    told: dict[str, FieldError] = {}
    for error in invalid.errors(include_url=False):
        found = _field_error(error)
        told.setdefault(found.field, found)
    return list(told.values())


def is_secret(field: str) -> bool:
    """Whether what `field` holds must never be shown."""
    return field.partition(".")[0] == "password"


def _field_error(error: ErrorDetails) -> FieldError:
    path = error["loc"]
    field = ".".join(str(part) for part in path) or "body"
    message, allowed = _SAID.get(error["type"]) or _by_pydantic(error)
    # What names a branch of the union that a parameter's value is isn't part of its path.
    if path[:1] == ("parameters",) and len(path) > 1:
        field, (message, allowed) = f"parameters.{path[1]}", _PARAMETER if len(path) > 2 else (message, allowed)
    hidden = error["type"] in _NEVER_SHOWN or is_secret(field)
    return FieldError(field=field, value=None if hidden else _scalar(error["input"]), message=message, allowed=allowed)


def _scalar(value: object) -> object:
    return value if isinstance(value, str | int | float | bool) else None


def _by_pydantic(error: ErrorDetails) -> tuple[str, str]:
    context: Mapping[str, Any] = error.get("ctx", {})
    bounds = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    allowed = [f"{words} {context[key]}" for key, words in bounds.items() if key in context]
    if "max_length" in context:
        allowed.append(f"at most {context['max_length']} characters or items")
    return error["msg"][:1].lower() + error["msg"][1:], " and ".join(allowed) or str(context.get("expected", ""))
