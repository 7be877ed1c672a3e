"""How the C library keeps memory that is freed: a service gives it back, a training keeps it."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping

# From <malloc.h> of glibc.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGE_BYTES = 1 << 20
_ARENAS = 2
_MOST = (1 << 31) - 1  # mallopt takes an int


def give_back() -> bool:
    """Let freed pictures go back to the system at once, for this whole process; whether that could be arranged.

    By default glibc gives every thread an arena of its own and raises its threshold for direct mappings to 32 MB
    with the first large block that is freed; decoded pages then stay in the heaps of all threads that ever held
    one. Does nothing where the C library is another one.
    """
    return _set({_M_ARENA_MAX: _ARENAS, _M_MMAP_THRESHOLD: _LARGE_BYTES, _M_TRIM_THRESHOLD: _LARGE_BYTES})


def keep() -> bool:
    """Let what is freed stay in this process for what comes next; whether that could be arranged.

    Every step of a training frees tensors of megabytes and asks for the same again. glibc would map, clear and unmap
    them each time, which is half of the step where page faults are dear. Does nothing where the C library is another.
    """
    return _set({_M_MMAP_THRESHOLD: _MOST, _M_TRIM_THRESHOLD: _MOST})


def _set(wishes: Mapping[int, int]) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl has no mallopt
        return False
    taken = [mallopt(name, value) for name, value in wishes.items()]
    return all(result == 1 for result in taken)
