"""Memory of the machine, and settings of the C library for memory that pictures leave behind."""

from __future__ import annotations

import ctypes
import os
import sys

# From <malloc.h> of glibc.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGE_BYTES = 1 << 20
_ARENAS = 2


def give_back() -> bool:
    """Make glibc return freed pictures to the system at once, for this whole process; return whether it does.

    By default glibc gives every thread its own arena and raises its threshold for direct mappings up to 32 MB when a
    large block is freed; decoded pages then stay in the heaps of all threads that ever held one. Other C libraries are
    left unchanged.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl has no mallopt
        return False
    wishes = ((_M_ARENA_MAX, _ARENAS), (_M_MMAP_THRESHOLD, _LARGE_BYTES), (_M_TRIM_THRESHOLD, _LARGE_BYTES))
    taken = [mallopt(name, value) for name, value in wishes]
    return all(result == 1 for result in taken)


def total_bytes() -> int:
    """Return the memory of this machine, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
