"""What the hand-written pages name exists: files, links, states, exit codes, commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from toygres.cli import COMMAND_MODULES
from toygres.cli.exit_codes import ExitCode
from toygres.domain.instance import InstanceState
from toygres.domain.operation import OperationState, StepState

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_of_ours_that_is_named_exists(page: Path) -> None:
    named = re.findall(r"`((?:toygres|worker|web|bin|docs)/[^\s`]*)`", page.read_text())
    # <kind>, <plural> and x stand for any.
    files = [path for path in named if not re.search(r"[<*{]|/x\.py", path)]
    assert [path for path in files if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    ("section", "states"), [("Instance", InstanceState), ("Operation", OperationState), ("Step", StepState)]
)
def test_every_state_is_in_its_diagram_with_a_way_in(
    section: str, states: type[InstanceState] | type[OperationState] | type[StepState]
) -> None:
    text = (ROOT / "docs" / "states.md").read_text()
    diagram = text.partition(f"## {section}\n")[2].partition("```mermaid")[2].partition("```")[0]
    edges = re.findall(r"^ +(\S+) --> (\S+?)(?::|$)", diagram, re.MULTILINE)
    assert {end for _, end in edges} - {"[*]"} == {state.value for state in states}
    assert {begin for begin, _ in edges} - {"[*]"} <= {state.value for state in states}


def test_the_readme_tells_every_exit_code() -> None:
    told = re.findall(r"^\| (\d+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert [int(code) for code in told] == [code.value for code in ExitCode]


def test_the_readme_names_only_commands_that_exist() -> None:
    named = re.findall(r"bin/toygres ([a-z-]+)", (ROOT / "README.md").read_text())
    assert {name.replace("-", "_") for name in named} <= set(COMMAND_MODULES)
