"""Knows which runs of models are going on, and ends those that take too long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import onnxruntime as ort

from ocrsvc.errors import RunTooLong


class RunWatch:
    """Runs of all sessions, in any thread. ONNX Runtime looks at its flag between the nodes of a graph."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._running: dict[int, tuple[float, ort.RunOptions]] = {}

    @contextmanager
    def running(self, options: ort.RunOptions) -> Iterator[None]:
        """Count a run with these options for the duration of the block; raise RunTooLong if ``end`` has ended it."""
        with self._lock:
            self._running[id(options)] = self._clock(), options
        try:
            yield
        except Exception as error:  # ONNX Runtime's exceptions have no common base class
            if options.terminate:
                raise RunTooLong("A run of the model took too long and was ended.") from error
            raise
        finally:
            with self._lock:
                del self._running[id(options)]

    def end(self, *, older_than_seconds: float) -> int:
        """End the runs that have taken longer; return how many had not been ended before."""
        oldest, ended = self._clock() - older_than_seconds, 0
        with self._lock:
            for begun, options in self._running.values():
                if begun < oldest and not options.terminate:
                    options.terminate = True
                    ended += 1
        return ended


class WatchedSession:
    """Session of ONNX Runtime whose runs a RunWatch may end."""

    def __init__(self, session: ort.InferenceSession, watch: RunWatch) -> None:
        self._session = session
        self._watch = watch

    def run(
        self,
        outputs: Sequence[str] | None,
        feed: Mapping[str, Any],
        options: ort.RunOptions | None = None,
    ) -> list[Any]:
        """Run as ort.InferenceSession does; raise RunTooLong if the run has been ended."""
        options = options or ort.RunOptions()
        with self._watch.running(options):
            return list(self._session.run(outputs, feed, options))

    def get_providers(self) -> list[str]:
        """Return the execution providers in use, in order."""
        return list(self._session.get_providers())

    def get_inputs(self) -> list[Any]:
        """Return the inputs of the graph."""
        return list(self._session.get_inputs())
