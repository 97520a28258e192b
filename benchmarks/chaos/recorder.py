"""What really came and went on the machine, seen from outside: folders, files and servers, as the kernel tells it."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from watchdog.observers.inotify_c import CallbackId, InotifyConstants, InotifyEvent, InotifyFD, Mask

from toygres.platforms.local.layout import DATA, INSTANCES, STARTS
from toygres.platforms.local.place import Place

_MASK = Mask(
    InotifyConstants.IN_CREATE
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_MOVE
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_ONLYDIR
)


@dataclass
class Recorder:
    """Watches one home's place; `doubles` are sentences about what was there twice at once."""

    place: Place
    made: int = 0
    removed: int = 0
    doubles: list[str] = field(default_factory=list)
    _there: dict[tuple[str, str], bool] = field(default_factory=lambda: defaultdict(bool))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _watched: list[_Callback] = field(default_factory=list)

    def start(self) -> None:
        """Watch from now on; the folders must be there."""
        self._inotify = InotifyFD()
        self._inotify.start()
        credentials = self.place.control / "credentials"
        for folder in (self.place.root / INSTANCES, self.place.root / STARTS, credentials):
            folder.mkdir(mode=0o700, exist_ok=True)
            if self.place.user is not None and folder != credentials:
                os.chown(folder, self.place.owner, self.place.group)
        self._watch(self.place.root / INSTANCES, self._anchor)
        self._watch(self.place.root / STARTS, self._start)
        self._watch(credentials, self._credentials)

    def stop(self) -> None:
        """Watch no more."""
        self._inotify.stop()
        self._inotify.join()

    def _watch(self, folder: Path, seen: Any) -> None:
        callback = _Callback(seen)
        self._watched.append(callback)
        self._inotify.add_callback(os.fsencode(folder), _MASK, callback, callback.id)

    def _anchor(self, event: InotifyEvent) -> None:
        name = os.fsdecode(event.name)
        if len(name) != 32:
            return
        if event.is_create or event.is_moved_to:
            self._came("folder", name)
            try:
                self._watch(self.place.root / INSTANCES / name, lambda inner: self._data(name, inner))
            except OSError:
                return
        elif event.is_delete or event.is_moved_from:
            self._went("data", name)
            self._went("folder", name)

    def _data(self, instance: str, event: InotifyEvent) -> None:
        if os.fsdecode(event.name) != DATA:
            return
        if event.is_create or event.is_moved_to:
            self._came("data", instance)
        elif event.is_delete or event.is_moved_from:
            self._went("data", instance)

    def _credentials(self, event: InotifyEvent) -> None:
        name = os.fsdecode(event.name)
        if not name.endswith(".json") or name.startswith("."):
            return
        if event.is_create or event.is_moved_to:
            self._came("credentials", name)
        elif event.is_delete or event.is_moved_from:
            self._went("credentials", name)

    def _start(self, event: InotifyEvent) -> None:
        """A server is about to run: no other of its data may."""
        name = os.fsdecode(event.name)
        if event.is_close_write:
            self.made += 1
            running = postmasters(self.place).get(name, [])
            if len(running) > 1:
                self.doubles.append(f"{len(running)} servers on the data of {name}: {running}")

    def _came(self, kind: str, name: str) -> None:
        with self._lock:
            self.made += 1
            if self._there[kind, name]:
                self.doubles.append(f"{kind} of {name} was made twice without a removal between")
            self._there[kind, name] = True

    def _went(self, kind: str, name: str) -> None:
        with self._lock:
            self.removed += self._there[kind, name]
            self._there[kind, name] = False


class _Callback:
    def __init__(self, seen: Any) -> None:
        self.id = CallbackId(id(self))
        self.on_event = seen

    def on_watch_deleted(self, _descriptor: object) -> None:
        """A folder is gone, which its parent has told."""

    def on_queue_overflow(self) -> None:
        """Say that the record has a hole: then it proves nothing."""
        raise RuntimeError("the kernel lost file events")


def postmasters(place: Place) -> dict[str, list[int]]:
    """The pids of the servers' first processes, by the instance's ID in hexadecimal."""
    found: dict[str, list[int]] = defaultdict(list)
    instances = str(place.root / INSTANCES)
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if len(words) > 2 and words[1] == "-D" and words[2].startswith(instances):
            found[Path(words[2]).parent.name].append(process.pid)
    return found
