"""The generated parts of docs/durability.md are what the declarations and the list of defences say today."""

from __future__ import annotations

from faults.document import PAGE, page


def test_the_page_is_fresh() -> None:
    written = PAGE.read_text()
    assert written == page(written), "run: PYTHONPATH=tests python -m faults.document"


def test_there_is_a_place_for_the_last_run_under_fire() -> None:
    assert PAGE.read_text().count("<!-- chaos: ") == 2
