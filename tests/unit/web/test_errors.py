"""Which problem each error becomes."""

from __future__ import annotations

import pytest
from flask import Flask
from werkzeug.exceptions import ImATeapot, MethodNotAllowed

from toygres.errors import Bug, Conflict, FieldError, Invalid, Misconfigured, NotFound, Unauthorized, Unavailable
from web.errors import problem_for


@pytest.mark.parametrize(
    ("error", "status", "slug"),
    [
        (
            Invalid([FieldError(field="name", value="X", message="isn't a name", allowed="a to z")]),
            422,
            "invalid-value",
        ),
        (NotFound("There is no instance 'x'."), 404, "not-found"),
        (Conflict("The name 'x' is taken."), 409, "conflict"),
        (Unauthorized("No token."), 401, "unauthorized"),
        (Unavailable("The metadata database doesn't answer."), 503, "unavailable"),
        (Misconfigured("The key is wrong."), 500, "internal-error"),
        (Bug("an invariant broke"), 500, "internal-error"),
        (ValueError("secret"), 500, "internal-error"),
        (MethodNotAllowed(["GET"]), 405, "method-not-allowed"),
        (ImATeapot(), 418, "http-418"),
    ],
)
def test_every_error_has_its_status_and_kind(error: Exception, status: int, slug: str):
    problem = problem_for(error)
    assert (problem.status, problem.slug) == (status, slug)


def test_what_we_did_not_foresee_tells_nothing_of_itself():
    assert "secret" not in repr(problem_for(ValueError("secret")))


def test_a_conflict_names_what_is_in_the_way():
    body = _body(Conflict("Busy.", "Wait.", operation_id="op_1", instance_id="ins_1"))
    assert body["operation"] == "op_1"
    assert body["instance"] == "ins_1"


def test_a_refused_password_is_not_in_the_body():
    error = FieldError(field="password", value="hunter2hunter2", message="can't be used", allowed="8 to 128")
    assert _body(Invalid([error]))["errors"][0]["value"] is None


def test_a_long_value_is_cut():
    error = FieldError(field="name", value="x" * 10_000, message="isn't a name", allowed="a to z")
    assert len(str(_body(Invalid([error]))["errors"][0]["value"])) == 200


def _body(error: Exception) -> dict:
    with Flask("test").app_context():
        return problem_for(error).to_json()
