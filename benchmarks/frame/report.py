"""What a run measured: figures, tables of parts, and the bounds that the figures must keep to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured value; `unit` is empty for a plain number or a ratio."""

    name: str
    value: float
    unit: str = ""

    def __str__(self) -> str:
        return with_unit(self.value, self.unit)


@dataclass(frozen=True)
class Bound:
    """A measured value that must be at most `most` and at least `least`, where these are given."""

    name: str
    value: float
    most: float | None = None
    least: float | None = None
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the value keeps to it."""
        return (self.most is None or self.value <= self.most) and (self.least is None or self.value >= self.least)

    @property
    def wanted(self) -> str:
        """The bound in words."""
        limits = (("at most", self.most), ("at least", self.least))
        return ", ".join(f"{word} {with_unit(limit, self.unit)}" for word, limit in limits if limit is not None)


@dataclass(frozen=True)
class Table:
    """Parts of what was measured: a row for each, its first cell the part's name."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]

    def cells(self) -> list[list[str]]:
        """The rows as text."""
        return [[cell if isinstance(cell, str) else shown(cell) for cell in row] for row in self.rows]


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that one run found. `notes` are sentences that the figures can't be understood without."""

    bounds: tuple[Bound, ...]
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        """Whether every bound is kept to."""
        return all(bound.met for bound in self.bounds)


def shown(value: float) -> str:
    """A number with three digits that tell something."""
    digits = 0 if abs(value) >= 100 or float(value).is_integer() else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def with_unit(value: float, unit: str) -> str:
    """A number and its unit."""
    return f"{shown(value)} {unit}".rstrip()


def as_text(report: Report) -> str:
    """The report for a terminal."""
    lines = [f"{_verdict(bound):7} {bound.name}: {_measured(bound)} ({bound.wanted})" for bound in report.bounds]
    lines += [f"        {figure.name}: {figure}" for figure in report.figures]
    for table in report.tables:
        lines += ["", table.title, *_aligned([list(table.columns), *table.cells()])]
    return "\n".join([*lines, *(("", *report.notes) if report.notes else ())])


def as_markdown(report: Report) -> str:
    """The report for the docs."""
    bounds = [[bound.name, _measured(bound), bound.wanted, _verdict(bound)] for bound in report.bounds]
    parts = [_markdown_table(["bound", "measured", "wanted", ""], bounds)]
    if report.figures:
        figures = [[figure.name, str(figure)] for figure in report.figures]
        parts.append(_markdown_table(["figure", "measured"], figures))
    parts += [f"{table.title}:\n\n{_markdown_table(table.columns, table.cells())}" for table in report.tables]
    return "\n\n".join([*parts, *report.notes])


def _measured(bound: Bound) -> str:
    return with_unit(bound.value, bound.unit)


def _verdict(bound: Bound) -> str:
    return "met" if bound.met else "MISSED"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]


def _markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---"] + ["---:"] * (len(columns) - 1)
    return "\n".join(f"| {' | '.join(row)} |" for row in [columns, rule, *rows])
