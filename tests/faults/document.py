"""The generated parts of docs/durability.md, in place: `PYTHONPATH=tests python -m faults.document`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from faults.declared import ROWS, Fault, Row
from stateful.defences import DEFENCES

from benchmarks.document import told
from benchmarks.frame import results

PAGE = Path(__file__).parents[2] / "docs" / "durability.md"


def page(before: str) -> str:
    """The page as it should be, with what stands between the marks of each part written anew."""
    for part, lines in (("faults", _faults()), ("defences", _defences()), ("chaos", _chaos())):
        begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
        whole = "\n".join([begin, "", *lines, "", end])
        before = re.sub(f"{begin}.*{end}", lambda _, whole=whole: whole, before, flags=re.DOTALL)
    return before


def _faults() -> Iterator[str]:
    groups = _alike()
    for letter, faults in groups.items():
        yield f"{letter}. A step has its turn, and"
        yield from (f"   - {fault}" for fault in faults)
    yield ""
    yield "| operation: step | " + " | ".join(groups) + " |"
    yield "|---" * (len(groups) + 1) + "|"
    for row in ROWS:
        yield f"| {row} | " + " | ".join(_cell(row, faults[0]) for faults in groups.values()) + " |"
    yield ""
    yield f"{len(ROWS)} rows, {len(Fault)} faults = {len(ROWS) * len(Fault)} runs."


def _alike() -> dict[str, list[Fault]]:
    """The faults that end alike in every row, under a letter."""
    ends = {fault: str([row.ends(fault) for row in ROWS]) for fault in Fault}
    groups = groupby(sorted(Fault, key=lambda fault: (ends[fault], list(Fault).index(fault))), key=ends.__getitem__)
    alike = sorted((list(faults) for _, faults in groups), key=len, reverse=True)
    return dict(zip("ABCDEFGH", alike, strict=False))


def _cell(row: Row, fault: Fault) -> str:
    operation, instance = row.ends(fault)
    return f"{operation}, `{instance}`"


def _defences() -> Iterator[str]:
    yield from (f"{number}. {defence.name}" for number, defence in enumerate(DEFENCES, 1))


def _chaos() -> Iterator[str]:
    last = results.last("chaos")
    yield told(last) if last else "No run of `benchmarks chaos` was saved yet."


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
