"""What is wrong with a body, in words of ours and without secrets."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from toygres.errors import FieldError
from web.schemas.asked import CreateInstance, InstancesQuery
from web.validation import field_errors, is_secret


def _errors(body: Any, model: type[CreateInstance] | type[InstancesQuery] = CreateInstance) -> dict[str, FieldError]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    return {error.field: error for error in field_errors(caught.value)}


def test_each_field_is_told_once_with_its_value_and_what_is_allowed():
    errors = _errors({"name": 5, "parameters": {"work_mem": None, "jit": []}})
    assert set(errors) == {"name", "parameters.work_mem", "parameters.jit"}
    assert errors["name"].value == 5
    assert errors["parameters.jit"].allowed == "a string, a number, true or false"


def test_a_parameter_with_dots_in_its_name_keeps_them():
    assert list(_errors({"name": "demo", "parameters": {"pg_stat.max": None}})) == ["parameters.pg_stat.max"]


@pytest.mark.parametrize("value", [7, ["secret"], {"secret": 1}])
def test_a_password_is_never_told(value: object):
    assert _errors({"name": "demo", "password": value})["password"].value is None


def test_a_misspelt_field_is_told_without_its_value():
    assert _errors({"name": "demo", "passwort": "secret"})["passwort"].value is None


def test_a_body_that_is_no_object_is_told_as_such():
    assert _errors(["secret"])["body"] == FieldError(
        field="body", value=None, message="isn't an object", allowed="one JSON object"
    )


def test_bounds_are_told():
    errors = _errors({"limit": "1000", "state": "happy"}, InstancesQuery)
    assert errors["limit"].allowed == "at most 200"
    assert "ready" in errors["state"].allowed


@pytest.mark.parametrize(("field", "secret"), [("password", True), ("password.0", True), ("name", False)])
def test_secret_fields_are_known(field: str, secret: bool):
    assert is_secret(field) is secret


@pytest.mark.parametrize(("value", "text"), [(True, "on"), (False, "off"), (64, "64"), (0.5, "0.5"), ("16MB", "16MB")])
def test_a_parameter_becomes_postgresqls_text(value: object, text: str):
    request = CreateInstance.model_validate({"name": "demo", "parameters": {"x": value}}).as_request()
    assert request.parameters == {"x": text}


def test_an_empty_password_is_not_taken_for_none():
    assert CreateInstance.model_validate({"name": "demo", "password": ""}).as_request().password == ""


def test_the_repr_of_a_request_hides_the_password():
    assert "battery" not in repr(CreateInstance.model_validate({"name": "demo", "password": "correct-horse-battery"}))
