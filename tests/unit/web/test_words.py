"""Times, durations and steps as the page writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from web.schemas.told import rfc3339
from web.ui import clock, commands, moment, seconds, words


@pytest.mark.parametrize(
    ("duration", "text"),
    [(0.04, "40 ms"), (0.9996, "1.0 s"), (12.34, "12.3 s"), (99.9, "99.9 s"), (245, "4 min 5 s")],
)
def test_durations_are_written_for_people(duration: float, text: str):
    assert seconds(duration) == text


def test_times_are_written_in_utc():
    at = datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert moment(at) == "2025-12-31 23:30:00 UTC"
    assert clock(at) == "23:30:00"
    assert rfc3339(at) == "2025-12-31T23:30:00.000Z"
    assert rfc3339(datetime(2026, 1, 1, tzinfo=UTC)).endswith("Z")


def test_a_step_reads_as_words():
    assert words("apply_storage") == "apply storage"


@pytest.mark.parametrize(
    ("sentence", "html"),
    [
        ("`toygres list` shows <them>.", "<code>toygres list</code> shows &lt;them&gt;."),
        ("`<b>`", "<code>&lt;b&gt;</code>"),
        ("one ` alone", "one ` alone"),
    ],
)
def test_commands_are_marked_and_everything_else_stays_text(sentence: str, html: str):
    assert commands(sentence) == html
