"""Memory that decoder processes write pixels to and the service reads them from, without a copy.

A file in memory costs its first writer half a microsecond a kilobyte, the kernel's zeroing, so files are used again.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import mmap
import os
from collections import deque

import numpy as np

from ocrsvc.errors import UndecodableImage
from ocrsvc.pages import memory_files
from ocrsvc.pages.source import BYTES_PER_PIXEL, Pixels


class Buffer:
    """One file in memory; ``number`` is its name for the processes."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.file = memory_files.zeros(0)
        self._view: mmap.mmap | None = None

    def __del__(self) -> None:
        os.close(self.file)

    @property
    def size_bytes(self) -> int:
        """How long the file has become."""
        return os.fstat(self.file).st_size

    def address(self, count: int) -> int:
        """Where its first ``count`` bytes are in this process; ValueError if it has fewer."""
        if self._view is None or len(self._view) < count:
            # Whoever took over a process could cut the file off under our hands, and reading on would end us.
            if hasattr(fcntl, "F_ADD_SEALS"):
                with contextlib.suppress(OSError):
                    fcntl.fcntl(self.file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
            if not 0 < count <= self.size_bytes:
                raise ValueError(f"{count} bytes wanted of {self.size_bytes}")
            self._view = mmap.mmap(self.file, count, prot=mmap.PROT_READ)
        return int(np.frombuffer(self._view, np.uint8).ctypes.data)


class Buffers:
    """Files that nobody uses now, at most ``keep`` of them, each of at most ``keep_bytes``.

    ``take`` and the end of pixels may be on any thread.
    """

    def __init__(self, keep: int, keep_bytes: int) -> None:
        self.keep_bytes = keep_bytes
        self._free: deque[Buffer] = deque(maxlen=keep)
        self._numbers = itertools.count()

    def take(self) -> Buffer:
        """A buffer for one page."""
        try:
            return self._free.pop()
        except IndexError:
            return Buffer(next(self._numbers))

    def give_back(self, buffer: Buffer) -> None:
        """Keep it for another page, unless it is large."""
        if buffer.size_bytes <= self.keep_bytes:
            self._free.append(buffer)

    def pixels(self, buffer: Buffer, height: int, width: int) -> Pixels:
        """The page uint8 [height,width,3] in a buffer, which is given back when the last view of it has gone.

        It cannot be written to. UndecodableImage if the file is shorter.
        """
        try:
            address = buffer.address(height * width * BYTES_PER_PIXEL)
        except ValueError as error:
            raise UndecodableImage("The decoder crashed.") from error
        return np.asarray(_Page(self, buffer, address, (height, width, BYTES_PER_PIXEL)))


class _Page:
    """What NumPy takes for the owner of a page's memory (numpy.org: the array interface protocol, version 3)."""

    def __init__(self, buffers: Buffers, buffer: Buffer, address: int, shape: tuple[int, ...]) -> None:
        self._buffers, self._buffer = buffers, buffer
        self.__array_interface__ = {"shape": shape, "typestr": "|u1", "data": (address, True), "version": 3}

    def __del__(self) -> None:
        self._buffers.give_back(self._buffer)
