"""What is said of a parameter that isn't on the list."""

from __future__ import annotations

import pytest

from toygres.platforms.parameters import catalogue
from toygres.platforms.parameters.near import names_like, refusal

KNOWN = catalogue.parameters("18")


@pytest.mark.parametrize(
    ("written", "meant"), [("wrok_mem", "work_mem"), ("shared_bufers", "shared_buffers"), ("Work_Mem", "work_mem")]
)
def test_a_slip_of_the_pen_is_recognised(written: str, meant: str) -> None:
    assert meant in names_like(written, KNOWN)
    assert meant in refusal(written, KNOWN, "18", "local")[1]


def test_nothing_is_suggested_for_what_is_like_nothing() -> None:
    assert names_like("x", KNOWN) == []
    assert refusal("x", KNOWN, "18", "local") == (
        "isn't a parameter of PostgreSQL 18",
        "one that `toygres parameters --platform local --version 18`"
        " or GET /v1/platforms/local/parameters?version=18 lists",
    )


def test_a_parameter_of_another_version_is_told_so() -> None:
    assert refusal("io_method", catalogue.parameters("15"), "15", "local")[0] == "isn't a parameter of PostgreSQL 15"


def test_what_is_withheld_is_told_with_its_reason() -> None:
    message, _ = refusal("archive_command", KNOWN, "18", "local")
    assert message == "can't be set, since it runs commands on the server's machine"
