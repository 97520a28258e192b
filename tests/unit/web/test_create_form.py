"""The create form, read as the API's request."""

from __future__ import annotations

import pytest

from toygres.errors import Invalid
from web.ui.create_form import read_form, read_parameters


def test_fields_left_empty_take_their_defaults():
    request = read_form({"name": " demo ", "storage": " ", "cpu": "", "password": "", "csrf": "x"}).as_request()
    assert request.name == "demo"
    assert request.storage is request.cpu is request.password is None


def test_a_password_keeps_its_spaces():
    assert read_form({"name": "demo", "password": " a b "}).as_request().password == " a b "


def test_parameters_are_read_line_by_line():
    assert read_parameters("a = 1\n\n  b=x = y \r\n") == {"a": "1", "b": "x = y"}


@pytest.mark.parametrize("text", ["a", "= 1", "a = 1\nb"])
def test_a_line_that_is_no_parameter_is_refused(text: str):
    with pytest.raises(Invalid) as refused:
        read_parameters(text)
    assert refused.value.errors[0].field == "parameters"


def test_a_missing_name_is_refused_by_field():
    with pytest.raises(Invalid) as refused:
        read_form({})
    assert [error.field for error in refused.value.errors] == ["name"]


def test_who_may_connect_too_is_read_line_by_line():
    asked = {"name": "demo", "service_type": "LoadBalancer", "allowed_cidrs": "10.0.0.0/8\r\n\n 192.0.2.0/24 "}
    request = read_form({**asked, "allowed_namespaces": "", "storage_class": " fast "}).as_request()
    assert request.allowed_cidrs == ("10.0.0.0/8", "192.0.2.0/24")
    assert request.allowed_namespaces == ()
    assert (request.service_type, request.storage_class) == ("LoadBalancer", "fast")
