"""Ends and removes all that local servers of one home have on this machine, however broken its records are."""

from __future__ import annotations

import json
import os
import pwd
import re
import signal
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from toygres.home import Home
from toygres.platforms.local import process_ends, processes
from toygres.platforms.local.layout import Layout, all_ids
from toygres.platforms.local.place import Place, ServerUser, Tenant

_STRAYS_SECONDS = 5.0
# How `place` names what it makes outside a home, and where.
_OUTSIDE = re.compile(r"/[^\"\n]*/toygres-[0-9a-f]{8}(?![0-9a-f])")
_PROGRAMS = frozenset({"postgres", "initdb", "sh", "cp", "rm", "tar", processes.LAUNCHER})


@dataclass(frozen=True)
class Found:
    """What a home's records name: folders of servers inside and outside it, and records that tell nothing."""

    inside: tuple[Path, ...]
    outside: tuple[Path, ...]
    unreadable: tuple[Path, ...]


def find(home: Home) -> Found:
    """Every folder that servers of the home may have; an unreadable record is searched for names of ours."""
    outside: list[Path] = []
    unreadable: list[Path] = []
    for record in (tenant.record(home) for tenant in Tenant if os.path.lexists(tenant.record(home))):
        named = _named(_read(record))
        outside += [Path(name) for name in named or () if Path(name) not in outside]
        unreadable += [] if named is not None else [record]
    inside = tuple(home.path / tenant for tenant in Tenant if _is_folder(home.path / tenant))
    return Found(inside=inside, outside=tuple(outside), unreadable=tuple(unreadable))


def _named(text: str) -> list[str] | None:
    """The folders that a record names; None when it tells nothing."""
    try:
        told = json.loads(text)
        if told["root"] is None or isinstance(told["root"], str):
            return [told[name] for name in ("root", "sockets") if isinstance(told.get(name), str)]
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    return _OUTSIDE.findall(text) or None


def is_ours(folder: Path, home: Home) -> bool:
    """Whether `folder`, outside the home, is one that `place` made for it: by its name, its kind and its owner."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    named = _OUTSIDE.fullmatch(str(folder)) is not None and ".." not in folder.parts
    return named and stat.S_ISDIR(found.st_mode) and found.st_uid in _owners(home)


def candidates(home: Home) -> list[Path]:
    """Folders that this home's servers or another home's live in, for a person to look through."""
    bases = {Path("/var/lib"), Path(tempfile.gettempdir()), Path("/tmp")}  # noqa: S108
    return sorted(found for base in bases for found in base.glob("toygres-*") if is_ours(found, home))


def end_servers(home: Home, folder: Path) -> int:
    """End every server and helper that works in `folder`; how many instances had processes.

    Raises Unavailable when some live on.
    """
    where = _place(home, folder)
    with_processes = [layout for layout in _layouts(where) if processes.all_of(layout)]
    for layout in with_processes:
        processes.stop_fast(processes.leaders(layout))
    for layout in with_processes:
        processes.end(layout)
    _end_strays(where)
    return len(with_processes)


def count_data(home: Home, folder: Path) -> int:
    """How many instances have data in `folder`."""
    return sum(layout.data.is_dir() for layout in _layouts(_place(home, folder)))


def _end_strays(where: Place) -> None:
    """What isn't an instance's: the metadata DB, commands that make its data, programs that a tenant started."""
    for number, seconds in ((signal.SIGINT, _STRAYS_SECONDS), (signal.SIGKILL, _STRAYS_SECONDS)):
        left = list(_strays(where))
        for process in left:
            # A server tells its own processes.
            if number is signal.SIGKILL or not _is_servers_own(process):
                processes.send(process, number)
        for process in left:
            process_ends.wait(process, seconds)


def _strays(where: Place) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.uids().real == where.owner and process.pid != os.getpid() and _works_in(process, where):
                yield process


def _works_in(process: psutil.Process, where: Place) -> bool:
    command = process.cmdline()
    root = str(where.root)
    seen = [*command[1:], process.cwd().removesuffix(" (deleted)")]
    if not any(word == root or word.startswith(f"{root}/") for word in seen):
        return False
    # Where servers have a user of their own, whatever runs there was started by one of them.
    return where.owner in _servers_uids() or _program(command) in _PROGRAMS


def _is_servers_own(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.cmdline()[:1] != [] and process.cmdline()[0].startswith("postgres:")
    return True


def _program(command: list[str]) -> str:
    first = command[0] if command else ""
    return "postgres" if first.startswith("postgres:") else first.rpartition("/")[2]


def _layouts(where: Place) -> list[Layout]:
    try:
        return [Layout(where, instance_id) for instance_id in all_ids(where)]
    except OSError:
        return []


def _place(home: Home, folder: Path) -> Place:
    """The folder with whoever owns it: who runs this may be another than who ran `up`."""
    found = folder.stat()
    user = None if found.st_uid == os.geteuid() else ServerUser("servers", found.st_uid, found.st_gid)
    return Place(root=folder, sockets=folder / "sockets", user=user, control=home.path)


def _owners(home: Home) -> set[int]:
    return {os.geteuid(), home.path.stat().st_uid, *_servers_uids()}


def _servers_uids() -> set[int]:
    uids = set()
    for tenant in Tenant:
        with suppress(KeyError):
            uids.add(pwd.getpwnam(tenant.user).pw_uid)
    return uids if os.geteuid() == 0 else set()


def _read(record: Path) -> str:
    try:
        return record.read_text(errors="replace")
    except OSError:
        return ""


def _is_folder(path: Path) -> bool:
    with suppress(OSError):
        return stat.S_ISDIR(path.lstat().st_mode)
    return False
