"""The observer's source: tells which instance's server changed, woken by files and processes, never by a clock."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from toygres.platforms.local import processes
from toygres.platforms.local.folder import opened
from toygres.platforms.local.folder_events import FolderEvents, folder_events
from toygres.platforms.local.layout import STARTS, Layout, all_ids
from toygres.platforms.local.observe import observe
from toygres.platforms.local.place import Place
from toygres.platforms.local.process_ends import End, end_of

# What an instance looked like; two looks that are alike are one to whoever is told.
Look = tuple[str, str]


def watch(place: Place, changed: Callable[[UUID], None], stop: threading.Event) -> None:
    """Call `changed` with the ID of each instance once, then whenever its server changed, until `stop` is set.

    Raises what `changed` raises, and OSError when the system can't watch any more folders.
    """
    with opened(place) as root:
        root.make(STARTS)
    inbox = _Inbox()
    events = folder_events()
    threading.Thread(target=_wake_at, args=(stop, inbox), name="watch-stop", daemon=True).start()
    try:
        watcher = _Watcher(place, changed, inbox, events)
        watcher.begin()
        while not stop.is_set():
            watcher.turn()
        watcher.close()
    finally:
        events.close()
        inbox.close()


class _Inbox:
    """Instances to look at, put in by any thread; its socket can be read when there are some."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: set[UUID | None] = set()
        self.receiver, self._sender = socket.socketpair()
        self.receiver.setblocking(False)
        self._sender.setblocking(False)

    def put(self, instance_id: UUID | None) -> None:
        """Have this instance looked at; None for all."""
        with self._lock:
            self._pending.add(instance_id)
            with suppress(OSError):
                self._sender.send(b"!")

    def take(self) -> set[UUID | None]:
        """What was put in since."""
        with self._lock:
            with suppress(BlockingIOError):
                while self.receiver.recv(4096):
                    pass
            taken, self._pending = self._pending, set()
        return taken

    def close(self) -> None:
        """Nobody takes anything any more."""
        with self._lock:
            self.receiver.close()
            self._sender.close()


class _Watcher:
    """What is watched, and what each instance looked like."""

    def __init__(self, place: Place, changed: Callable[[UUID], None], inbox: _Inbox, events: FolderEvents) -> None:
        self._place, self._changed, self._inbox, self._events = place, changed, inbox, events
        self._looks: dict[UUID, Look] = {}
        self._ends: dict[UUID, End] = {}
        self._folders: dict[UUID, Path] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(inbox.receiver, selectors.EVENT_READ, None)

    def begin(self) -> None:
        """Watch the starts first, so that none falls between the two; then look at all there is."""
        self._events.add(self._place.root / STARTS, self._started)
        for instance_id in all_ids(self._place):
            self._look(instance_id)

    def turn(self) -> None:
        """Wait for something to happen, and look at whom it happened to."""
        ready = self._selector.select()
        ended = {key.data for key, _ in ready if key.data is not None}
        for instance_id in ended:
            self._drop_end(instance_id)
        for instance_id in self._named(self._inbox.take()) | ended:
            self._look(instance_id)

    def close(self) -> None:
        """Give all descriptors back."""
        for instance_id in list(self._ends):
            self._drop_end(instance_id)
        self._selector.close()

    def _named(self, taken: set[UUID | None]) -> set[UUID]:
        known = set(self._looks) | set(all_ids(self._place)) if None in taken else set()
        return known | {instance_id for instance_id in taken if instance_id is not None}

    def _started(self, name: str) -> None:
        instance_id = None
        if name:
            with suppress(ValueError):
                instance_id = UUID(hex=name)
            if instance_id is None:
                return
        self._inbox.put(instance_id)

    def _look(self, instance_id: UUID) -> None:
        layout = Layout(self._place, instance_id)
        self._watch_folder(layout)
        self._watch_process(layout)
        status = observe(layout, None)
        look = (status.phase.value, status.cause.code.value if status.cause else "")
        if self._looks.get(instance_id) != look:
            self._looks[instance_id] = look
            self._changed(instance_id)

    def _watch_folder(self, layout: Layout) -> None:
        if not layout.data.is_dir():
            if folder := self._folders.pop(layout.id, None):
                self._events.remove(folder)
        elif layout.id not in self._folders:
            self._folders[layout.id] = layout.data
            self._events.add(layout.data, lambda name: self._data_changed(layout.id, name))

    def _data_changed(self, instance_id: UUID, name: str) -> None:
        if name in ("postmaster.pid", ""):
            self._inbox.put(instance_id)

    def _watch_process(self, layout: Layout) -> None:
        found = processes.postmaster(layout) or next(iter(processes.leaders(layout)), None)
        known = self._ends.get(layout.id)
        if found is None or (known and known.pid == found.pid):
            return
        self._drop_end(layout.id)
        if end := end_of(found):
            self._ends[layout.id] = end
            self._selector.register(end.descriptor, selectors.EVENT_READ, layout.id)

    def _drop_end(self, instance_id: UUID) -> None:
        if end := self._ends.pop(instance_id, None):
            self._selector.unregister(end.descriptor)
            end.close()


def _wake_at(stop: threading.Event, inbox: _Inbox) -> None:
    stop.wait()
    inbox.put(None)
