"""Identities as they are stored and as they are shown."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toygres.domain import ids
from toygres.errors import Invalid


def test_each_identity_is_a_fresh_uuid_of_version_7() -> None:
    made = [ids.new() for _ in range(100)]
    assert len(set(made)) == 100
    assert {uuid.version for uuid in made} == {7}


def test_identities_sort_by_the_millisecond_they_were_made_in() -> None:
    made = [ids.new() for _ in range(100)]
    times = [uuid.int >> 80 for uuid in made]
    assert times == sorted(times)


@given(st.uuids(version=4), st.sampled_from([ids.INSTANCE, ids.OPERATION, ids.EVENT]))
def test_what_is_shown_is_read_as_the_same(uuid: UUID, prefix: str) -> None:
    text = ids.shown(prefix, uuid)
    assert text.startswith(f"{prefix}_")
    assert ids.parse(prefix, text) == uuid


@pytest.mark.parametrize(
    "text", ["", "demo", "ins_", "ins_short", "ins_" + "z" * 26, "ins_" + "u" * 26, "INS_01h455vb4pex5vsknk084sn02q"]
)
def test_what_isnt_an_identity_is_none(text: str) -> None:
    assert ids.parse(ids.INSTANCE, text) is None


def test_an_identity_of_another_kind_is_none() -> None:
    assert ids.parse(ids.INSTANCE, ids.shown(ids.OPERATION, ids.new())) is None


@given(st.text(max_size=40))
def test_any_text_is_read_or_none(text: str) -> None:
    found = ids.parse(ids.INSTANCE, text)
    assert found is None or ids.shown(ids.INSTANCE, found) == text


def test_a_cursor_that_no_list_gave_out_is_refused() -> None:
    assert ids.parse_cursor(ids.INSTANCE, None) is None
    with pytest.raises(Invalid):
        ids.parse_cursor(ids.INSTANCE, "made up")
