"""What a running `up` tells about itself in its home, so that every other command finds it without a variable."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from toygres.config import Settings
from toygres.home import Home, write_private
from toygres.processes import identity


@dataclass(frozen=True, kw_only=True)
class Running:
    """One `up`: its process, its addresses, and its children as (pid, start) by name."""

    pid: int
    started: str
    url: str
    flower_url: str
    processes: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def lives(self) -> bool:
        """Whether that `up` still runs."""
        return identity.lives(self.pid, self.started)


def find(home: Home) -> Running | None:
    """The `up` that wrote its addresses into the home, dead or alive; None when there is none."""
    written = home.read_running()
    try:
        return Running(
            pid=int(written["pid"]),
            started=str(written["started"]),
            url=str(written["url"]),
            flower_url=str(written["flower_url"]),
            processes={name: (int(pid), str(since)) for name, (pid, since) in written["processes"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def write(home: Home, settings: Settings, *, url: str, flower_url: str, pids: Mapping[str, int]) -> None:
    """Tell that this process is the home's `up`, and with which settings its children run."""
    processes = {name: (pid, since) for name, pid in pids.items() if (since := identity.started(pid)) is not None}
    told = {
        "pid": os.getpid(),
        "started": identity.started(os.getpid()),
        "url": url,
        "flower_url": flower_url,
        "processes": processes,
        "settings": {name: _plain(getattr(settings, name)) for name in type(settings).model_fields},
    }
    write_private(home.running, json.dumps(told, indent=1))


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, range):
        return f"{value[0]}-{value[-1]}"
    if isinstance(value, Path):
        return str(value)
    return [_plain(part) for part in value] if isinstance(value, tuple) else value
