"""Logs what C libraries write to standard error, such as libjpeg's warnings about a picture."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator

logger = logging.getLogger("ocrsvc.native")

_STANDARD_ERROR = 2
_MOST_CHARACTERS = 500  # bytes; longer lines are split


@contextlib.contextmanager
def logged() -> Iterator[None]:
    """Log each line that native code writes to standard error; ``sys.stderr`` still writes to the original."""
    sys.stderr.flush()
    kept = os.dup(_STANDARD_ERROR)
    reading, writing = os.pipe()
    os.dup2(writing, _STANDARD_ERROR)
    os.close(writing)
    thread = threading.Thread(target=_log, args=(reading,), name="ocrsvc-native", daemon=True)
    thread.start()
    previous = sys.stderr
    with os.fdopen(os.dup(kept), "w", buffering=1, encoding="utf-8", errors="backslashreplace") as stream:
        sys.stderr = stream
        try:
            yield
        finally:
            sys.stderr = previous
            os.dup2(kept, _STANDARD_ERROR)  # closes the writing end of the pipe
            os.close(kept)
            thread.join(1.0)


def _log(descriptor: int) -> None:
    with os.fdopen(descriptor, "rb") as pipe:
        # Read in pieces, because an endless line must not fill the memory.
        while line := pipe.readline(_MOST_CHARACTERS):
            if text := line.decode("utf-8", "replace").strip():
                logger.warning("a library reports", extra={"said": text})
