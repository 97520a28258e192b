"""docs/benchmarks.md is what the last saved runs say."""

from __future__ import annotations

from pathlib import Path

from benchmarks.document import page
from benchmarks.frame import catalogue, results

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text() == page(), "run: python -m benchmarks.document > docs/benchmarks.md"


def test_every_saved_run_is_of_a_benchmark_that_there_is() -> None:
    assert {path.stem for path in results.FOLDER.glob("*.json")} <= set(catalogue.names())
