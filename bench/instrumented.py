"""``ocrsvc serve`` with timers around ONNX Runtime and picture decoding, and with a profiler if ``--profile`` is given.

Variables OCRSVC_* configure it. At SIGUSR1 it writes to the file OUT, as JSON, the CPU seconds of the process so far,
those of each timer, and the profile.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from types import CodeType
from typing import Any

import onnxruntime as ort
from profiler import Profiler

from ocrsvc.commands import cli
from ocrsvc.pages import decoding
from ocrsvc.pages.source import Source


class Timers:
    """CPU seconds that threads spend in the functions that are watched, by the name given to them."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._lock = threading.Lock()
        self._watched: set[tuple[object, str]] = set()

    def watch(self, name: str, owner: Any, attribute: str, then: Callable[[Any], None] | None = None) -> None:
        """Time the function ``owner.attribute`` from now on. ``then`` gets what it returns."""
        if (owner, attribute) in self._watched:
            return
        self._watched.add((owner, attribute))
        self.seconds.setdefault(name, 0.0)
        setattr(owner, attribute, self._timed(name, getattr(owner, attribute), then))

    @property
    def code(self) -> CodeType:
        """Return the code of the function that stands in for those watched."""
        code: CodeType = self._timed("", len, None).__code__
        return code

    def _timed(self, name: str, function: Callable[..., Any], then: Callable[[Any], None] | None) -> Any:
        @wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            begun = time.thread_time()
            try:
                result = function(*arguments, **named)
            finally:
                spent = time.thread_time() - begun
                with self._lock:
                    self.seconds[name] += spent
            if then is not None:
                then(result)
            return result

        return timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    timers = Timers()
    timers.watch("onnxruntime", ort.InferenceSession, "run")

    def watch_pages(source: Source | None) -> None:
        """Watch whatever reads this kind of picture. Its class is known once there is one."""
        if source is not None:
            timers.watch("decode", type(source), "page")

    timers.watch("decode", decoding, "open_quick", watch_pages)
    profiler = Profiler(frozenset({timers.code})) if options.profile else None
    signal.signal(signal.SIGUSR1, lambda *_: tell(options.out, timers, profiler))
    importlib.import_module("ocrsvc.service.server")  # under the profiler it would take many times as long
    if profiler is not None:
        profiler.install()
    raise SystemExit(cli.main(["serve"]))


def tell(out: Path, timers: Timers, profiler: Profiler | None) -> None:
    """Write to ``out`` what was measured so far."""
    hook = sys.getprofile()
    sys.setprofile(None)  # what follows is not the server's
    said = {
        "cpu_seconds": time.process_time(),
        "timers": dict(timers.seconds),
        "profile": profiler.totals() if profiler else {},
    }
    partial = out.with_suffix(".partial")
    partial.write_text(json.dumps(said), encoding="utf-8")
    os.replace(partial, out)
    sys.setprofile(hook)


if __name__ == "__main__":
    main()
