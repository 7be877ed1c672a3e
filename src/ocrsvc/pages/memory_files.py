"""Files in memory: descriptors to send to other processes or to pass to libraries that need a file."""

from __future__ import annotations

import os
import tempfile


def zeros(size_bytes: int) -> int:
    """Return the descriptor of a file of zeros, in memory or, where unsupported, unnamed on disk."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("ocrsvc", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    else:
        with tempfile.TemporaryFile() as temporary:
            file = os.dup(temporary.fileno())
    os.ftruncate(file, size_bytes)
    return file


def holding(data: bytes) -> int:
    """Return the descriptor of a file in memory that contains ``data``."""
    file = zeros(len(data))
    view, position = memoryview(data), 0
    while position < len(view):
        position += os.pwrite(file, view[position:], position)
    return file
