"""Whether a value fits a server parameter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toygres.platforms.parameters import catalogue
from toygres.platforms.parameters.values import allowed, check
from toygres.platforms.protocol import Parameter


def _parameter(
    kind: str, unit: str = "", minimum: str = "", maximum: str = "", *choices: str, **more: str
) -> Parameter:
    also = tuple(filter(None, [more.pop("also", "")]))
    return Parameter(
        name=more.pop("name", "p"),
        type=kind,
        unit=unit,
        minimum=minimum,
        maximum=maximum,
        restart=False,
        description="",
        choices=choices,
        also=also,
        **more,
    )


BUFFERS = _parameter("integer", "8kB", "16", "1073741823")
TIMEOUT = _parameter("integer", "ms", "0", "2147483647")
COST = _parameter("real", "", "0", "1.7e308")
PAGES = _parameter("integer", "8kB", "0", "131072", multiple_of="16")
HOLED = _parameter("integer", "kB", "128", "16777216", also="0")


@pytest.mark.parametrize("value", ["16", "128kB", "16MB", "7TB", " 1GB ", "0x10", "020", "16.4", "1.6e1", "0.5GB"])
def test_memory_is_read_in_any_of_postgresqls_units(value: str) -> None:
    assert check(BUFFERS, value) is None


@pytest.mark.parametrize(
    ("value", "trouble"),
    [
        ("8kB", "out of range"),
        ("9999999TB", "out of range"),
        ("16ms", "unit 'ms'"),
        ("16mb", "unit 'mb'"),
        ("16 MB x", "number"),
        ("", "number"),
        ("018", "number"),
        ("nan", "number"),
        ("1e400", "out of range"),
        ("1GB\nport=1", "character"),
        ("16\t", "character"),
        ("١٦", "character"),
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


def test_a_hole_in_the_range_has_its_one_value() -> None:
    assert check(HOLED, "0") is None
    assert "out of range" in (check(HOLED, "1") or "")
    assert allowed(HOLED).startswith("0 or 128 to 16777216")


def test_pages_come_in_sixteens() -> None:
    assert check(PAGES, "256kB") is None
    assert check(PAGES, "100") == "isn't a multiple of 16"
    assert "a multiple of 16" in allowed(PAGES)


@pytest.mark.parametrize("value", ["on", "OFF", "true", "f", "Ye", "n", "1", "0", "of"])
def test_truth_is_written_in_any_of_postgresqls_ways(value: str) -> None:
    assert check(_parameter("bool"), value) is None


@pytest.mark.parametrize("value", ["maybe", "o", "", "2", " on", "onn", "01"])
def test_what_could_be_true_or_false_is_neither(value: str) -> None:
    assert check(_parameter("bool"), value) == "isn't a truth value"


def test_choices_are_a_closed_set_in_any_case() -> None:
    level = _parameter("enum", "", "", "", "replica", "logical")
    assert check(level, "logical") is None
    assert check(level, "Logical") is None
    assert check(level, "minimal") is not None
    assert allowed(level) == "one of replica, logical"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timezone", "UTC"),
        ("timezone", "europe/berlin"),
        ("log_timezone", "America/Port-au-Prince"),
        ("datestyle", "iso, ymd"),
        ("datestyle", "SQL"),
        ("default_text_search_config", "pg_catalog.english"),
        ("search_path", '"$user", public'),
        ("search_path", "app,public"),
        ("log_connections", "receipt, authorization"),
        ("log_connections", "on"),
    ],
)
def test_a_text_of_its_parameters_form_is_taken(name: str, value: str) -> None:
    assert check(_parameter("string", name=name), value) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timezone", "Mars/Olympus"),
        ("timezone", "../../etc/passwd"),
        ("timezone", "localtime"),
        ("timezone", ""),
        ("datestyle", "iso, ymd, 'x'"),
        ("default_text_search_config", "a.b.c"),
        ("search_path", "public, pg_catalog"),
        ("search_path", "pg_temp"),
        ("search_path", 'public; "x'),
        ("search_path", ", ".join(["public"] * 30)),
        ("log_connections", "everything"),
        ("some_other_text", "x"),
    ],
)
def test_any_other_text_is_refused(name: str, value: str) -> None:
    assert check(_parameter("string", name=name), value) == "isn't a value that it can have"


@pytest.mark.parametrize("value", ["x\ny", "a\0", "\x1b[2J", "é", "x\r", "\u2028", "\x7f"])
@pytest.mark.parametrize("kind", ["bool", "integer", "real", "enum", "string"])
def test_only_printable_ascii_is_let_through(kind: str, value: str) -> None:
    known = _parameter(kind, "", "0", "9", value, name="timezone")
    assert check(known, value) == "holds a character that it can't have"


@given(st.sampled_from([(v, n) for v in catalogue.VERSIONS for n in catalogue.parameters(v)]), st.text(max_size=300))
def test_any_text_gets_an_answer(of: tuple[str, str], value: str) -> None:
    known = catalogue.parameters(of[0])[of[1]]
    assert check(known, value) != ""
    assert allowed(known)


def test_what_is_allowed_is_said_with_its_unit() -> None:
    assert allowed(BUFFERS) == "16 to 1073741823, in units of 8kB or with a unit such as 64MB"
    assert allowed(TIMEOUT) == "0 to 2147483647, in units of ms or with a unit such as 500ms"
    assert allowed(_parameter("integer", "", "1", "9")) == "a whole number, 1 to 9"
