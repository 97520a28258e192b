"""Tells when something changes in a folder, by inotify on Linux and whatever watchdog has elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from watchdog.observers.inotify_c import InotifyEvent


class FolderEvents(Protocol):
    """Watches folders, not what is below them, until it is closed."""

    def add(self, folder: Path, changed: Callable[[str], None]) -> None:
        """Call `changed`, in a thread, with the name of each entry of `folder` that is made, written or removed.

        The name is empty when events were lost or the folder itself is gone. Raises OSError.
        """

    def remove(self, folder: Path) -> None:
        """Watch `folder` no more; one that isn't watched is fine."""

    def close(self) -> None:
        """Watch nothing any more."""


def folder_events() -> FolderEvents:
    """The best watcher that this system has."""
    return _Inotify() if sys.platform == "linux" else _Observer()


class _Inotify:
    """One inotify descriptor and one thread for all folders; watchdog's observer would take a thread for each."""

    def __init__(self) -> None:
        from watchdog.observers.inotify_c import InotifyConstants, InotifyFD, Mask

        self._mask = Mask(
            InotifyConstants.IN_CREATE
            | InotifyConstants.IN_CLOSE_WRITE
            | InotifyConstants.IN_DELETE
            | InotifyConstants.IN_MOVE
            | InotifyConstants.IN_ONLYDIR
            | InotifyConstants.IN_DONT_FOLLOW
        )
        self._inotify = InotifyFD()
        self._inotify.start()
        self._watched: dict[Path, tuple[Any, _InotifyCallback]] = {}

    def add(self, folder: Path, changed: Callable[[str], None]) -> None:
        callback = _InotifyCallback(changed)
        descriptor = self._inotify.add_callback(str(folder).encode(), self._mask, callback, callback.id)
        self._watched[folder] = (descriptor, callback)

    def remove(self, folder: Path) -> None:
        if watched := self._watched.pop(folder, None):
            descriptor, callback = watched
            self._inotify.remove_callbacks([(descriptor, callback.id)])

    def close(self) -> None:
        self._inotify.stop()
        self._inotify.join()


class _InotifyCallback:
    """What watchdog calls; every kind of event is told alike, since whoever is told looks for itself."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        from watchdog.observers.inotify_c import CallbackId

        self.id = CallbackId(id(self))
        self._changed = changed

    def on_event(self, event: InotifyEvent) -> None:
        self._changed(os.fsdecode(event.name))

    def on_watch_deleted(self, _descriptor: object) -> None:
        self._changed("")

    def on_queue_overflow(self) -> None:
        self._changed("")


class _Observer:
    """watchdog's own observer: a thread for each folder."""

    def __init__(self) -> None:
        from watchdog.observers import Observer

        self._observer = Observer()
        self._observer.start()
        self._watches: dict[Path, Any] = {}

    def add(self, folder: Path, changed: Callable[[str], None]) -> None:
        from watchdog.events import FileSystemEvent, FileSystemEventHandler

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                changed(Path(os.fsdecode(event.dest_path or event.src_path)).name)

        self._watches[folder] = self._observer.schedule(Handler(), str(folder), recursive=False)

    def remove(self, folder: Path) -> None:
        if watch := self._watches.pop(folder, None):
            self._observer.unschedule(watch)

    def close(self) -> None:
        self._observer.stop()
        self._observer.join()
