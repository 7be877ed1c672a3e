"""Shares one ReaderThread between all engines of a process that have the same settings.

Models take 150 MB and half a second to load, and two readers would compete for the cores. This registry is the only
state of the package that belongs to the process; everything else belongs to an object. A reader stays until all its
engines are closed, or the program ends: an engine that is dropped without ``close`` keeps it, so that
``OCR()(picture)`` in a loop loads the models once.
"""

from __future__ import annotations

import atexit
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocrsvc.engine.loop import ReaderThread

if TYPE_CHECKING:
    from ocrsvc.settings import Settings


@dataclass(slots=True)
class _Entry:
    thread: ReaderThread
    users: int


class SharedReaders:
    """Readers by their settings, each with the number of its users; the last one to release a reader closes it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}

    def acquire(self, settings: Settings) -> ReaderThread:
        """Return the reader with these settings, started if there is none yet; raises what ``Reader.start`` does."""
        key = settings.model_dump_json()
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = _Entry(ReaderThread(settings), 0)
            entry.users += 1
            return entry.thread

    def release(self, thread: ReaderThread) -> None:
        """Give back what ``acquire`` returned."""
        with self._lock:
            key, entry = next((key, each) for key, each in self._entries.items() if each.thread is thread)
            entry.users -= 1
            if entry.users:
                return
            del self._entries[key]
        thread.close()

    def close(self) -> None:
        """Close all readers, at the end of the program."""
        with self._lock:
            threads = [entry.thread for entry in self._entries.values()]
            self._entries = {}
        for thread in threads:
            thread.close()

    def forget(self) -> None:
        """Start anew in a forked process, which has none of the threads."""
        self._lock = threading.Lock()
        self._entries = {}


READERS = SharedReaders()
atexit.register(READERS.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=READERS.forget)
