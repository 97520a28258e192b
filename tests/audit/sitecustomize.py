"""Writes down every program that a Python process starts, with arguments and environment, into $CANARY_SPAWNS.

Python imports this by its name from PYTHONPATH; a process that lives for a millisecond is written down as well.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

_FILE = os.environ.get("CANARY_SPAWNS")


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen":
        program, words, _, environment = arguments
    elif event in ("os.exec", "os.posix_spawn"):
        program, words, environment = arguments
    else:
        return
    seen = os.environ if environment is None else environment
    # As one string each: a secret in bytes, a list or a path is found as it stands.
    line = json.dumps([_text(program), _text(words), _text(dict(seen))]).encode() + b"\n"
    descriptor = os.open(str(_FILE), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.write(descriptor, line)
    os.close(descriptor)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{_text(name)}={_text(what)}" for name, what in value.items())
    if isinstance(value, list | tuple):
        return "\n".join(_text(part) for part in value)
    return os.fsdecode(value) if isinstance(value, bytes | os.PathLike) else str(value)


if _FILE:
    sys.addaudithook(_note)
