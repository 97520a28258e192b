"""docs/parameters.md is what the lists say today."""

from __future__ import annotations

from pathlib import Path

from toygres.platforms.parameters import catalogue
from toygres.platforms.parameters.document import page

PAGE = Path(__file__).parents[2] / "docs" / "parameters.md"


def test_the_page_is_fresh() -> None:
    command = "python -m toygres.platforms.parameters.document > docs/parameters.md"
    assert PAGE.read_text() == page(), f"run: {command}"


def test_every_setting_is_on_the_page() -> None:
    text = page()
    names = {name for version in catalogue.VERSIONS for name in catalogue.parameters(version)}
    names |= {name for version in catalogue.VERSIONS for name in catalogue.withheld(version)}
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []
