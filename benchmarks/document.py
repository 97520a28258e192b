"""docs/benchmarks.md, written from the last saved runs: `python -m benchmarks.document > docs/benchmarks.md`."""

from __future__ import annotations

import sys

from benchmarks.frame import catalogue, results
from benchmarks.frame.report import as_markdown
from benchmarks.frame.results import Result

_HEAD = """\
# Benchmarks

<!-- Written by `python -m benchmarks.document > docs/benchmarks.md`; a test checks that it is fresh. -->

Each benchmark measures its floor (what the same work takes without Toygres) in the same run and in turns, tells the
ratio, and exits 1 when a bound is missed. `uv run python -m benchmarks` lists them, `--json` gives the figures,
`--save` keeps a run for this page. Bounds in seconds or bytes hold for a machine like the one named, or a better one,
that has nothing else to do.
"""


def page() -> str:
    """The whole page, in Markdown."""
    return "\n".join([_HEAD, *(_section(name) for name in catalogue.names())])


def _section(name: str) -> str:
    said = catalogue.sentence(catalogue.load(name))
    result = results.last(name)
    return f"## {name}\n\n{said}\n\n{told(result) if result else 'No run of it was saved yet.'}\n"


def told(result: Result) -> str:
    """One run, in Markdown, with the command that repeats it."""
    return f"{as_markdown(result.report)}\n\n`{result.command}`, {result.began_at}: {result.machine}."


if __name__ == "__main__":
    sys.stdout.write(page())
