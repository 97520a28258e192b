"""docs/operations.md is what the declarations say today."""

from __future__ import annotations

from pathlib import Path

import pytest

from toygres.domain.operation import Operation
from toygres.operations import OPERATIONS
from toygres.operations.document import page

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text() == page(), "run: python -m toygres.operations.document > docs/operations.md"


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda operation: operation.kind)
def test_every_step_and_its_undo_has_a_sentence(operation: Operation) -> None:
    functions = operation.functions().values()
    assert [function.__name__ for function in functions if not (function.__doc__ or "").strip().endswith(".")] == []
