"""A profiler of CPU time by function, for all threads of this process and any version of Python.

cProfile sees one thread, and from Python 3.12 on it mixes the others in. A sampler sees threads only where they release
the interpreter's lock. So this profiler uses ``sys.setprofile`` in each thread with that thread's own CPU clock, which
it stops while it works. What it still adds to the time between two events is measured once and taken off. Small
functions look dearer than they are all the same.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import PurePath
from types import CodeType, FrameType
from typing import Any

Hook = Callable[[FrameType, str, Any], None]
_BATCHES, _TRIALS = 10, 500

Key = CodeType | tuple[str, str]  # a Python function, or (module, name) of one in C


class Profiler:
    """CPU time and calls of each function by itself. What ``hidden`` functions call counts as theirs."""

    def __init__(self, hidden: frozenset[CodeType] = frozenset()) -> None:
        self._hidden = hidden
        self._bias = 0  # nanoseconds that a hook adds to the time between two events
        self._threads: list[dict[Key, list[int]]] = []

    def install(self) -> None:
        """Watch this thread, and every one that starts from now on."""
        self._bias = bias()
        threading.setprofile(self._first)
        sys.setprofile(self._first)

    def totals(self) -> dict[str, tuple[int, int]]:
        """Return (nanoseconds, calls) by function: ``package/file.py:line name``, or ``module.name`` for C."""
        summed: dict[str, tuple[int, int]] = {}
        for thread in list(self._threads):
            for key, (spent, calls) in dict(thread).items():
                known = summed.get(name := label(key), (0, 0))
                summed[name] = (known[0] + spent, known[1] + calls)
        return summed

    def watch(self) -> None:
        """Watch this thread alone, without taking anything off."""
        sys.setprofile(self._hook())

    def _first(self, frame: FrameType, event: str, argument: Any) -> None:
        """Give the thread a hook of its own at its first event."""
        hook = self._hook()
        sys.setprofile(hook)
        hook(frame, event, argument)

    def _hook(self) -> Hook:
        functions: dict[Key, list[int]] = {}
        self._threads.append(functions)
        hidden, added, clock = self._hidden, self._bias, time.thread_time_ns
        stack: list[list[int]] = []  # [nanoseconds, calls] of each function that runs
        depth = 0  # of calls below a hidden one
        since = clock()

        def hook(frame: FrameType, event: str, argument: Any) -> None:
            nonlocal since, depth
            now = clock()
            if stack:
                stack[-1][0] += now - since - added
            if event in ("call", "c_call"):
                key: Key = frame.f_code
                if depth:
                    depth += 1
                    since = clock()
                    return
                if event == "c_call":
                    key = (argument.__module__ or "builtins", argument.__qualname__)
                elif key in hidden:
                    depth = 1
                entry = functions.get(key)
                if entry is None:
                    entry = functions[key] = [0, 0]
                entry[1] += 1
                stack.append(entry)
            elif depth > 1:
                depth -= 1
            elif stack:
                depth = 0
                stack.pop()
            since = clock()

        return hook


def bias() -> int:
    """Return the nanoseconds that a hook adds to the time between two events: what an empty function seems to take."""

    def empty() -> None:
        pass

    before, least = sys.getprofile(), sys.maxsize
    for _ in range(_BATCHES):
        profiler = Profiler()
        profiler.watch()
        for _ in range(_TRIALS):
            empty()
        sys.setprofile(before)
        spent, calls = profiler.totals()[label(empty.__code__)]
        least = min(least, spent // calls)
    return least


def label(key: Key) -> str:
    """Return the name of a function for people."""
    if isinstance(key, tuple):
        return ".".join(key)
    parts = PurePath(key.co_filename).parts
    for root in ("site-packages", "src", "bench", f"python{sys.version_info[0]}.{sys.version_info[1]}"):
        if root in parts:
            parts = parts[len(parts) - parts[::-1].index(root) :]
            break
    return f"{'/'.join(parts[-4:])}:{key.co_firstlineno} {key.co_qualname}"


def package(name: str) -> str:
    """Return the package of a function that ``label`` has named."""
    path, _, function = name.partition(":")
    if not function:  # in C: module.name
        return name.partition(".")[0]
    first, slash, _ = path.partition("/")
    return first if slash else "standard library"


def since(
    later: Mapping[str, tuple[int, int]], earlier: Mapping[str, tuple[int, int]]
) -> dict[str, tuple[int, int]]:
    """Return what was added to the totals between two looks at them."""
    return {
        name: (spent - earlier.get(name, (0, 0))[0], calls - earlier.get(name, (0, 0))[1])
        for name, (spent, calls) in later.items()
    }
