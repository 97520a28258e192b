"""What an instance may be called, and what is made from its name."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toygres.domain import ids
from toygres.domain.names import is_name, object_name


@pytest.mark.parametrize("text", ["a", "demo", "a-b", "a1", "a--b", "a" * 40])
def test_these_are_names(text: str) -> None:
    assert is_name(text)


@pytest.mark.parametrize(
    "text",
    ["", "1a", "-a", "a-", "A", "aB", "a_b", "a.b", "a b", "demo\n", "é", "a" * 41, "ins_01h455vb4pex5vsknk084sn02q"],
)
def test_these_are_not(text: str) -> None:
    assert not is_name(text)


@given(st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True))
def test_an_objects_name_is_a_dns_label_with_room_for_a_pods_suffix(name: str) -> None:
    made = object_name(name, ids.new())
    assert made.startswith(f"{name}-")
    assert len(made) <= 52
    assert is_name(made[:1] + made[-1:])


def test_a_successor_of_the_same_name_has_other_objects() -> None:
    first, second = UUID(int=1 << 64 | 1), UUID(int=1 << 64 | 2)
    assert object_name("demo", first) != object_name("demo", second)
