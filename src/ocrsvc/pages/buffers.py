"""Shared memory for pages: decoder processes write to it, and the service reads the pixels without a copy.

The kernel zeroes a new file in memory, which costs half a microsecond a kilobyte, so files are reused.
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
    """One file in memory, which decoder processes know by its ``number``."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.file = memory_files.zeros(0)
        self._view: mmap.mmap | None = None

    def __del__(self) -> None:
        os.close(self.file)

    @property
    def size_bytes(self) -> int:
        """Return the current size of the file."""
        return os.fstat(self.file).st_size

    def address(self, count: int) -> int:
        """Return the address of the first ``count`` bytes in this process; ValueError if the file is shorter."""
        if self._view is None or len(self._view) < count:
            # A compromised decoder process could truncate the file, and reading beyond its end would kill us.
            if hasattr(fcntl, "F_ADD_SEALS"):
                with contextlib.suppress(OSError):
                    fcntl.fcntl(self.file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
            if not 0 < count <= self.size_bytes:
                raise ValueError(f"{count} bytes wanted of {self.size_bytes}")
            self._view = mmap.mmap(self.file, count, prot=mmap.PROT_READ)
        return int(np.frombuffer(self._view, np.uint8).ctypes.data)

    def read(self, start: int, count: int) -> bytes:
        """Return a copy of ``count`` bytes from ``start``, or fewer if the file is shorter."""
        return os.pread(self.file, count, start)


class Buffers:
    """Pool of unused buffers: at most ``keep`` of them, each of at most ``keep_bytes``.

    Buffers may be taken and given back on any thread.
    """

    def __init__(self, keep: int, keep_bytes: int) -> None:
        self.keep_bytes = keep_bytes
        self._free: deque[Buffer] = deque(maxlen=keep)
        self._numbers = itertools.count()

    def take(self) -> Buffer:
        """Return a buffer for one page, reused if there is one."""
        try:
            return self._free.pop()
        except IndexError:
            return Buffer(next(self._numbers))

    def give_back(self, buffer: Buffer) -> None:
        """Keep the buffer for another page, unless it is large."""
        if buffer.size_bytes <= self.keep_bytes:
            self._free.append(buffer)

    def pixels(self, buffer: Buffer, height: int, width: int) -> Pixels:
        """Return the page uint8 [height,width,3] in a buffer, read-only.

        The buffer is given back when the last view of the page is deleted. UndecodableImage if the file is shorter.
        """
        try:
            address = buffer.address(height * width * BYTES_PER_PIXEL)
        except ValueError as error:
            raise UndecodableImage("The decoder crashed.") from error
        return np.asarray(_Page(self, buffer, address, (height, width, BYTES_PER_PIXEL)))


class _Page:
    """Owner of a page's memory for NumPy (numpy.org: the array interface protocol, version 3)."""

    def __init__(self, buffers: Buffers, buffer: Buffer, address: int, shape: tuple[int, ...]) -> None:
        self._buffers, self._buffer = buffers, buffer
        self.__array_interface__ = {"shape": shape, "typestr": "|u1", "data": (address, True), "version": 3}

    def __del__(self) -> None:
        self._buffers.give_back(self._buffer)
