"""docs/configuration.md is what the settings say today."""

from __future__ import annotations

from pathlib import Path

from toygres.config import Settings
from toygres.config_document import page

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text() == page(), "run: python -m toygres.config_document > docs/configuration.md"


def test_every_setting_is_told_in_one_sentence() -> None:
    assert [name for name, field in Settings.model_fields.items() if not (field.description or "").endswith(".")] == []
