"""The two ways to show an operation's steps on stderr: a list redrawn in place, or a line for each change."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Self

from toygres.cli.output import say, seconds_text, sentences

if TYPE_CHECKING:
    from rich.console import Console, Group

Json = dict[str, Any]

REDRAWS_PER_SECOND = 8

# A hop from step to step waits for less than this; that is no news.
TOLD_FROM_SECONDS = 1.0
# Waiting for these nobody need do anything.
_ORDINARY = frozenset({"Starting", "Stopping"})

# State: the mark, the mark where only ASCII can be shown, the style.
MARKS = {
    "pending": ("·", ".", "dim"),
    "running": ("▸", ">", "cyan"),
    "waiting": ("◌", "~", "yellow"),
    "done": ("✓", "+", "green"),
    "failed": ("✗", "x", "red"),
    "skipped": ("-", "-", "dim"),
    "undone": ("↺", "<", "magenta"),
}


class Display:
    """Where an operation's steps are shown while it runs."""

    def __enter__(self) -> Self:
        """Begin to show."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave what was shown as it stands."""

    def show(self, operation: Json) -> None:
        """Show the operation as it now is."""
        raise NotImplementedError


class LineDisplay(Display):
    """One line for each step that changed: for logs and pipes."""

    def __init__(self) -> None:
        self._said: dict[int, str] = {}
        self._begun = False

    def show(self, operation: Json) -> None:
        """Say what changed since the last call."""
        if not self._begun:
            self._begun = True
            say(f"{heading(operation)}, {len(operation['steps'])} steps")
        for step in operation["steps"]:
            line, said = step_line(step), self._said.get(step["position"])
            # Another look at what is waited for is no news.
            looks = step["state"] == "running" and step_line({**step, "state": "waiting"}) == said
            if step["state"] != "pending" and line != said and not looks:
                say(line)
                self._said[step["position"]] = line


class LiveDisplay(Display):
    """The whole list, steps to come included, redrawn in place with the time that has passed."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        self._ascii_only = console.options.ascii_only
        self._began = time.monotonic()
        self._operation: Json | None = None
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=REDRAWS_PER_SECOND)

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Draw once more and leave it there."""
        self._live.stop()

    def show(self, operation: Json) -> None:
        """Draw the operation anew."""
        self._operation = operation
        self._live.refresh()

    def _draw(self) -> Group | str:
        if self._operation is None:
            return ""
        return drawing(self._operation, time.monotonic() - self._began, ascii_only=self._ascii_only)


def display_for(*, lines: bool) -> Display:
    """A drawing on a terminal, else a line for each change."""
    if lines or not sys.stderr.isatty():
        return LineDisplay()
    from rich.console import Console

    console = Console(stderr=True)
    return LineDisplay() if console.is_dumb_terminal else LiveDisplay(console)


def drawing(operation: Json, elapsed_seconds: float, *, ascii_only: bool) -> Group:
    """The heading, one row for each step, and under them how the operation stands."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    for step in operation["steps"]:
        fancy, plain, style = MARKS[step["state"]]
        name = f"  {step['name']}" if step["undoes"] else step["name"]
        row = (plain if ascii_only else fancy, name, step["state"], detail(step))
        table.add_row(*(Text(cell, style=style) for cell in row))
    standing = f"{operation['state']}, {seconds_text(elapsed_seconds)}"
    return Group(Text(heading(operation), style="bold"), table, Text(standing, style="dim"))


def heading(operation: Json) -> str:
    """What is done to which instance, and under which ID."""
    return f"{operation['title']}: {operation['instance']['name']}, {operation['id']}"


def step_line(step: Json) -> str:
    """A step on one line; an undo names what it undoes."""
    told = detail(step)
    undone = f" (undoes {step['undoes']})" if step["undoes"] else ""
    return f"  {step['name']}{undone}: {step['state']}" + (f", {told}" if told else "")


def _cause(step: Json) -> str:
    """What a step waits or failed for; while something is wrong that may heal, what to do as well."""
    cause = step["cause"]
    ordinary = step["state"] != "waiting" or cause["code"] in _ORDINARY
    return str(cause["message"]) if ordinary else sentences(cause["message"], cause["remedy"])


def detail(step: Json) -> str:
    """What there is to say of a step: its times once it ended, its attempts, and why it waits or failed."""
    said = []
    if step["state"] in ("done", "failed"):
        said.append(seconds_text(step["worked_seconds"]))
        if step["waited_seconds"] >= TOLD_FROM_SECONDS:
            said.append(f"waited {seconds_text(step['waited_seconds'])}")
    if step["attempts"] > 1:
        said.append(f"attempt {step['attempts']}")
    if step["cause"]:
        said.append(_cause(step))
    if step.get("told"):
        said.append(step["told"])
    return ", ".join(said)
