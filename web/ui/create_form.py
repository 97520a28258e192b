"""The create form's fields, read as the same request that the API takes."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from toygres.errors import FieldError, Invalid
from web.schemas.asked import CreateInstance
from web.validation import field_errors

PLAIN_FIELDS = ("name", "version", "storage", "cpu", "memory", "storage_class", "service_type")
# One to a line.
LIST_FIELDS = ("allowed_cidrs", "allowed_namespaces")


def read_form(form: Mapping[str, str]) -> CreateInstance:
    """The request in `form`; fields left empty take their defaults. Raises Invalid."""
    asked: dict[str, object] = {name: form[name].strip() for name in PLAIN_FIELDS if form.get(name, "").strip()}
    if form.get("password"):
        asked["password"] = form["password"]
    asked["parameters"] = read_parameters(form.get("parameters", ""))
    asked |= {name: form.get(name, "").split() for name in LIST_FIELDS}
    try:
        return CreateInstance.model_validate(asked)
    except ValidationError as invalid:
        raise Invalid(field_errors(invalid)) from None


def read_parameters(text: str) -> dict[str, str]:
    """Parameters written one to a line, as `name = value`. Raises Invalid."""
    parameters = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, separator, value = (part.strip() for part in line.partition("="))
        if not separator or not name:
            allowed = "one parameter to a line, as name = value"
            raise Invalid([FieldError(field="parameters", value=line, message="can't be read", allowed=allowed)])
        parameters[name] = value
    return parameters
