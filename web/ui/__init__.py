"""The page: plain HTML from the server, one small style sheet, one small script."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, TypedDict

from flask import Flask, session
from markupsafe import Markup, escape

from web.auth import CSRF_FIELD


class Folders(TypedDict):
    """Where the app finds the page's files."""

    template_folder: str
    static_folder: str


FOLDERS = Folders(template_folder="ui/templates", static_folder="ui/static")


def register(app: Flask) -> None:
    """Give the templates what they use."""
    app.jinja_env.filters.update(moment=moment, clock=clock, seconds=seconds, words=words, commands=commands)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.context_processor(_everywhere)


def moment(at: datetime) -> str:
    """A time for people, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock(at: datetime) -> str:
    """The time of day for people, in UTC, where the day is told beside it."""
    return at.astimezone(UTC).strftime("%H:%M:%S")


def seconds(duration: float) -> str:
    """A duration for people: `40 ms`, `12.3 s`, `4 min 5 s`."""
    if duration >= 100:
        return f"{int(duration // 60)} min {int(duration % 60)} s"
    return f"{duration * 1000:.0f} ms" if duration < 0.9995 else f"{duration:.1f} s"


def words(name: str) -> str:
    """A step's name as words."""
    return name.replace("_", " ")


def commands(sentence: str) -> Markup:
    """A sentence whose commands, between backticks as everywhere else, look like what one types."""
    # Where backticks have no partner they stay.
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(sentence))))  # noqa: S704 (escaped before)


def _everywhere() -> dict[str, Any]:
    return {"csrf_field": CSRF_FIELD, "csrf": session.get(CSRF_FIELD, ""), "signed_in": "signed_in" in session}
