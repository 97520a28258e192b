"""What a benchmark tells, and with which exit code it ends."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass

import pytest

from benchmarks.__main__ import main, run
from benchmarks.frame import catalogue
from benchmarks.frame.report import Bound, Figure, Report, Table, as_markdown
from benchmarks.frame.samples import interleaved, percentile


@dataclass
class Measured:
    """Measures nothing."""

    report: Report

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--pairs", type=int)

    def run(self, options: Namespace) -> Report:
        return self.report


def report(value: float) -> Report:
    table = Table("Parts", ("part", "ms"), (("copy", 1234.5), ("sync", 0.25)))
    return Report(bounds=(Bound("ratio", value, most=1.5),), figures=(Figure("floor", 12.0, "ms"),), tables=(table,))


@pytest.mark.parametrize(
    ("bound", "met"),
    [
        (Bound("b", 1.5, most=1.5), True),
        (Bound("b", 1.51, most=1.5), False),
        (Bound("b", 0.6, least=0.6), True),
        (Bound("b", 0.59, least=0.6), False),
        (Bound("b", 5, least=4, most=6), True),
    ],
)
def test_a_bound_is_met_up_to_its_limit(bound: Bound, met: bool):
    assert bound.met is met


@pytest.mark.parametrize(("value", "code"), [(1.0, 0), (2.0, 1)])
def test_a_missed_bound_is_the_exit_code(value: float, code: int, capsys: pytest.CaptureFixture[str]):
    assert run("measured", Measured(report(value)), ["--pairs", "3"]) == code
    said = capsys.readouterr().out
    assert ("MISSED" in said) is bool(code)
    assert "(at most 1.50)" in said
    assert "load" in said


def test_the_figures_come_as_json_with_the_machine_and_the_command(capsys: pytest.CaptureFixture[str]):
    run("measured", Measured(report(1.0)), ["--json", "--pairs", "3"])
    told = json.loads(capsys.readouterr().out)
    assert told["command"] == "uv run python -m benchmarks measured --pairs 3 --save"
    assert told["report"]["bounds"][0]["value"] == 1.0
    assert told["machine"]["cores"] >= 1


def test_markdown_has_a_row_for_each_part():
    assert "| copy | 1,234 |\n| sync | 0.25 |" in as_markdown(report(1.0))


def test_without_a_name_every_benchmark_is_listed(capsys: pytest.CaptureFixture[str]):
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [name for name in catalogue.names() if not any(line.startswith(f"{name} ") for line in lines)] == []


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]):
    assert main(["nothing"]) == 2
    assert "start" in capsys.readouterr().err


def test_pairs_are_measured_in_turns_and_neither_is_always_first():
    order: list[str] = []
    pairs = interleaved(2, lambda: float(order.append("floor") or 2), lambda: float(order.append("ours") or 3), "pair")
    assert order == ["floor", "ours", "ours", "floor"]
    assert pairs.ratio == pairs.median_of_ratios == 1.5


def test_a_percentile_is_one_of_the_values():
    assert percentile([5.0, 1.0, 3.0], 95) == 5.0
    assert percentile([float(value) for value in range(1, 101)], 95) == 95.0
