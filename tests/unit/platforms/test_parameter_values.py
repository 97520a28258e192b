"""Whether a value fits a server parameter."""

from __future__ import annotations

import pytest

from toygres.platforms.parameters import allowed, check
from toygres.platforms.protocol import Parameter


def _parameter(kind: str, unit: str = "", minimum: str = "", maximum: str = "", *choices: str) -> Parameter:
    return Parameter(
        name="p",
        type=kind,
        unit=unit,
        minimum=minimum,
        maximum=maximum,
        restart=False,
        description="",
        choices=choices,
    )


BUFFERS = _parameter("integer", "8kB", "16", "1073741823")
TIMEOUT = _parameter("integer", "ms", "0", "2147483647")
COST = _parameter("real", "", "0", "1.7e308")


@pytest.mark.parametrize("value", ["16", "128kB", "16MB", "7TB", " 1GB "])
def test_memory_is_read_in_any_of_postgresqls_units(value: str) -> None:
    assert check(BUFFERS, value) is None


@pytest.mark.parametrize(
    ("value", "trouble"),
    [
        ("8kB", "out of range"),
        ("9999999TB", "out of range"),
        ("16ms", "unit"),
        ("16 MB x", "number"),
        ("", "number"),
        ("1GB\nport=1", "number"),
        ("١٦", "number"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(value: str, trouble: str) -> None:
    assert trouble in (check(BUFFERS, value) or "")


def test_a_time_is_read_in_any_of_postgresqls_units() -> None:
    assert check(TIMEOUT, "30s") is None
    assert check(TIMEOUT, "1d") is None
    assert "out of range" in (check(TIMEOUT, "-1") or "")


def test_a_plain_number_has_no_unit() -> None:
    assert check(COST, "1.1") is None
    assert "unit" in (check(COST, "1.1MB") or "")


def test_truth_values_and_choices_are_closed_sets() -> None:
    assert check(_parameter("bool"), "on") is None
    assert check(_parameter("bool"), "maybe") is not None
    level = _parameter("enum", "", "", "", "replica", "logical")
    assert check(level, "logical") is None
    assert check(level, "minimal") is not None
    assert allowed(level) == "one of replica, logical"


@pytest.mark.parametrize("value", ["UTC", "Europe/Berlin", "iso, ymd"])
def test_a_plain_text_stays_on_its_line(value: str) -> None:
    assert check(_parameter("string"), value) is None


@pytest.mark.parametrize("value", ["x\ny", "'", "\\", "a\0", "$(x)", "x" * 201])
def test_a_text_that_could_leave_its_line_is_refused(value: str) -> None:
    assert check(_parameter("string"), value) is not None


def test_what_is_allowed_is_said_with_its_unit() -> None:
    assert allowed(BUFFERS) == "16 to 1073741823, in units of 8kB or with a unit such as 64MB"
