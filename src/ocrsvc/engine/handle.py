"""An engine's share of a reader: taken at the first use, given back once."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from ocrsvc.engine.sharing import READERS
from ocrsvc.errors import ShuttingDown

if TYPE_CHECKING:
    from ocrsvc.engine.loop import ReaderThread
    from ocrsvc.settings import Settings


class ReaderHandle:
    """Takes the shared reader of some settings when it is first needed. All methods may be called by any thread."""

    def __init__(self, settings: dict[str, Any]) -> None:
        from ocrsvc.diagnosis import configuration

        self.settings: Settings = configuration.load_offline(**settings)
        self._lock = threading.Lock()
        self._thread: ReaderThread | None = None
        self._process = os.getpid()
        self._closed = False

    def thread(self) -> ReaderThread:
        """Return the reader's thread; loads the models at the first call. Raises ShuttingDown after ``close``."""
        with self._lock:
            if self._closed:
                raise ShuttingDown("This OCR object is closed.")
            if self._thread is None or self._process != os.getpid():  # a forked process has no threads
                self._thread = READERS.acquire(self.settings)
                self._process = os.getpid()
            return self._thread

    def close(self) -> None:
        """Give the reader back; harmless if repeated."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is not None and self._process == os.getpid():
            READERS.release(thread)
