"""Verifiers, as PostgreSQL makes them itself."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toygres.platforms.local import scram


def test_it_is_the_verifier_of_the_standards_example() -> None:
    # RFC 7677, section 3: user "user", password "pencil".
    made = scram.verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    assert made == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
        "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


def test_each_verifier_has_a_salt_of_its_own() -> None:
    assert scram.verifier("same") != scram.verifier("same")


@pytest.mark.parametrize(
    ("password", "prepared"),
    [
        ("plain ASCII \\ ' \"", "plain ASCII \\ ' \""),
        ("a\u00a0b", "a b"),  # a space is a space
        ("soft\u00adhyphen", "softhyphen"),
        ("\u2168", "IX"),  # compatible forms are one
        ("e\u0301", "é"),
        ("bell\u0007é", "bell\u0007é"),  # forbidden, so left as it is
        ("\u0627\u0031", "\u0627\u0031"),  # right-to-left at one end only: left as it is
        ("\u00ad", "\u00ad"),  # nothing would remain
    ],
)
def test_passwords_are_prepared_as_clients_do(password: str, prepared: str) -> None:
    assert scram.prepared(password) == prepared


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=20).filter(lambda text: not any("\ud800" <= letter <= "\udfff" for letter in text)))
def test_no_verifier_can_leave_its_quotes(password: str) -> None:
    made = scram.verifier(password)
    assert "'" not in made
    assert "\\" not in made
    assert made.isprintable()
