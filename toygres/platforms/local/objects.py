"""All that exists for an instance on this machine, as a person would name it."""

from __future__ import annotations

from pathlib import Path

import psutil

from toygres.platforms.local import credentials, processes
from toygres.platforms.local.layout import Layout


def objects(layout: Layout) -> list[str]:
    """Every process, port, folder and file of the instance; the fence, which outlives it on purpose, isn't named."""
    running = processes.all_of(layout)
    found = [f"process {process.pid} ({_title(process)})" for process in running]
    if running and (port := _port(layout)):
        found.append(f"port {port}")
    found += [f"folder {path}" for path in (*_anchors(layout), layout.sockets) if path.is_dir()]
    found += [f"file {path}" for path in (layout.started, *credentials.files(layout)) if path.exists()]
    return found


def _anchors(layout: Layout) -> list[Path]:
    return [layout.anchor, layout.removed_anchor]


def _port(layout: Layout) -> str:
    lines = processes.pid_file(layout)
    return lines[3].strip() if len(lines) > 3 else ""


def _title(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return "ended"
