"""One started Reader with an event loop in a thread of its own, so that any thread may ask it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from ocrsvc.reading.reader import Reader
    from ocrsvc.settings import Settings

Answer = TypeVar("Answer")


class ReaderThread:
    """Loads the models at the first use and runs the Reader's coroutines in a background thread."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._loop = asyncio.new_event_loop()
        # A daemon, so that a program which forgets to close still ends.
        self._thread = threading.Thread(target=self._loop.run_forever, name="ocrsvc", daemon=True)
        self._thread.start()
        try:
            self.reader: Reader = self.submit(self._started()).result()
        except BaseException:
            self._stop()
            raise

    def submit(self, coroutine: Coroutine[Any, Any, Answer]) -> Future[Answer]:
        """Start a coroutine on the reader's loop; cancelling the future cancels it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def close(self) -> None:
        """Finish what was accepted, then stop the reader, its processes and the thread."""
        self.submit(self.reader.close()).result()
        self._stop()

    async def _started(self) -> Reader:
        from ocrsvc.reading.reader import Reader

        reader = Reader(self.settings)
        try:
            await reader.start(warm=False)  # a first picture is read sooner without
        except BaseException:
            await reader.close()
            raise
        return reader

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
