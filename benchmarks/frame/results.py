"""The last saved run of each benchmark, as JSON beside the benchmarks: what docs/benchmarks.md is made from."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.frame.machine import Machine
from benchmarks.frame.report import Report

FOLDER = Path(__file__).parents[1] / "results"


@dataclass(frozen=True, kw_only=True)
class Result:
    """One run: when it began (UTC), the command that repeats it, and on which machine it found what."""

    benchmark: str
    command: str
    began_at: str
    machine: Machine
    report: Report


_ADAPTER = TypeAdapter(Result)


def as_json(result: Result) -> str:
    """The result as it is saved."""
    return json.dumps(dataclasses.asdict(result), indent=1) + "\n"


def save(result: Result) -> None:
    """Put the result in the place of the last one."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{result.benchmark}.json").write_text(as_json(result))


def last(name: str) -> Result | None:
    """The last saved run of the benchmark `name`, or None."""
    try:
        return _ADAPTER.validate_json((FOLDER / f"{name}.json").read_bytes())
    except FileNotFoundError:
        return None
