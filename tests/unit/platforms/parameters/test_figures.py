"""Numbers as PostgreSQL reads and shows them; real servers are asked in the local platform's tests."""

from __future__ import annotations

import pytest

from toygres.platforms.parameters.figures import NotAFigure, read_integer, read_real, shown


@pytest.mark.parametrize(
    ("text", "unit", "number"),
    [
        ("10", "", 10),
        ("010", "", 8),
        ("0x1F", "", 31),
        ("-0x1F", "", -31),
        ("+5", "", 5),
        ("2.5", "", 2),
        ("3.5", "", 4),
        (".5", "", 0),
        ("1e3", "", 1000),
        ("010.5", "", 10),
        ("0", "ms", 0),
        ("1min", "ms", 60_000),
        ("1.5 h", "s", 5400),
        ("600us", "ms", 1),
        ("1d", "min", 1440),
        ("1GB", "8kB", 131_072),
        ("30.1GB", "kB", 30_822 * 1024),
        ("1000B", "kB", 1),
        ("9" * 30, "", int(float("9" * 30))),
    ],
)
def test_a_whole_number_is_what_postgresqls_own_rules_make_of_it(text: str, unit: str, number: int) -> None:
    assert read_integer(text, unit) == number


@pytest.mark.parametrize(
    ("text", "unit", "number"), [("0.1", "", 0.1), ("010", "", 10.0), ("2ms", "ms", 2.0), ("500us", "ms", 0.5)]
)
def test_a_fraction_is_what_postgresqls_own_rules_make_of_it(text: str, unit: str, number: float) -> None:
    assert read_real(text, unit) == number


@pytest.mark.parametrize(
    "text", ["", " ", "-", ".", "-.5", " .5", "e3", "1e", "08", "0b1", "0x", "inf", "nan", "1 2", "1__0", "1,5", "5x"]
)
def test_what_is_no_number_is_told_so(text: str) -> None:
    with pytest.raises(NotAFigure):
        read_integer(text, "")


@pytest.mark.parametrize("text", ["", "0x10", "inf", "nan", "1e400", "1e-400", "1e-310", "--1"])
def test_what_is_no_fraction_is_told_so(text: str) -> None:
    with pytest.raises(NotAFigure):
        read_real(text, "")


@pytest.mark.parametrize("text", ["1e999TB", "0x" + "f" * 100, "0" + "7" * 40, "1" * 201, "1e308TB"])
def test_what_is_too_large_is_refused_however_it_is_written(text: str) -> None:
    with pytest.raises(NotAFigure):
        read_integer(text, "kB")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        ("16384", "8kB", "128MB"),
        ("300", "s", "5min"),
        ("14400", "min", "10d"),
        ("4096", "kB", "4MB"),
        ("1025", "kB", "1025kB"),
        ("0", "ms", "0"),
        ("-1", "8kB", "-1"),
        ("100", "", "100"),
        ("0.5", "ms", "0.5ms"),
        ("", "", ""),
    ],
)
def test_a_number_is_shown_in_the_largest_unit_that_fits(value: str, unit: str, text: str) -> None:
    assert shown(value, unit) == text
