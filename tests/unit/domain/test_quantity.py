"""Kubernetes quantities, read and written."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toygres.domain.quantity import format_bytes, format_millicores, parse_bytes, parse_millicores


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("1024", 1024),
        ("512Mi", 512 * 2**20),
        ("1.5Gi", 3 * 2**29),
        ("1k", 1000),
        ("2M", 2_000_000),
        ("1000m", 1),
        ("1Ei", 2**60),
    ],
)
def test_sizes_are_read_in_every_unit(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize(
    ("text", "count"), [("1", 1000), ("0.5", 500), ("250m", 250), ("1.001", 1001), ("2k", 2_000_000)]
)
def test_cores_are_read_in_thousandths(text: str, count: int) -> None:
    assert parse_millicores(text) == count


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1Gi",
        "1Gi ",
        "1Gi\n",
        "-1",
        "+1",
        "1 Gi",
        "1gi",
        "1KB",
        "1e3",
        "Gi",
        ".5Gi",
        "1.",
        "\u0661Gi",
        "0x10",
        "1" * 19,
    ],
)
def test_what_isnt_a_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="isn't a quantity"):
        parse_bytes(text)


@pytest.mark.parametrize("text", ["0.1", "1m", "0.0000001Ki"])
def test_a_part_of_a_byte_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="whole number of bytes"):
        parse_bytes(text)


def test_less_than_a_thousandth_of_a_core_is_refused() -> None:
    with pytest.raises(ValueError, match="finer"):
        parse_millicores("0.0005")


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (1, "1"), (2**30, "1Gi"), (3 * 2**29, "1536Mi"), (1000, "1000"), (2**10, "1Ki")]
)
def test_sizes_are_written_in_the_largest_exact_unit(count: int, text: str) -> None:
    assert format_bytes(count) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0"), (250, "250m"), (1000, "1"), (1500, "1500m")])
def test_cores_are_written_whole_where_they_are(count: int, text: str) -> None:
    assert format_millicores(count) == text


@given(st.integers(min_value=0, max_value=10**18 - 1))
def test_a_size_that_was_written_is_read_as_the_same(count: int) -> None:
    assert parse_bytes(format_bytes(count)) == count


@given(st.integers(min_value=0, max_value=10**12))
def test_cores_that_were_written_are_read_as_the_same(count: int) -> None:
    assert parse_millicores(format_millicores(count)) == count


@given(st.text(max_size=12))
def test_any_text_is_a_count_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert parse_bytes(text) >= 0
