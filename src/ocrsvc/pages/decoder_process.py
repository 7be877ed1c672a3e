"""Main program of a decoder process (``python -m`` this module), which the service may kill at any time.

It ends when the service ends. It keeps the last input open, so that the next page of the same document does not have
to open it again.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import resource
import socket
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrsvc.errors import OcrError
from ocrsvc.machine import memory
from ocrsvc.pages import messages, pdf, text_layer  # noqa: F401  (so that `base_bytes` below includes PDFium)
from ocrsvc.pages.decoding import open_source, quieten
from ocrsvc.pages.source import Allocate, DocumentOptions, Limits, Pixels, Source

_MOST_MAPPED = 2  # files for pixels that stay mapped
_SLACK_BYTES = 64 << 20  # address space allowed beyond that of decoding and the input


class _Output:
    """Files in memory for the pixels of answers; the service reuses them, so they stay mapped."""

    def __init__(self) -> None:
        self._mapped: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()
        self._number, self._file = -1, -1

    def use(self, number: int, file: int) -> None:
        """Make this the file of the next pixels."""
        self._number, self._file = number, file

    def allocate(self, count: int) -> NDArray[np.uint8]:
        """Return the first ``count`` bytes of the file, which grows if needed."""
        mapped = self._mapped.pop(self._number, None)
        if mapped is None or mapped.nbytes < count:
            if os.fstat(self._file).st_size < count:
                os.ftruncate(self._file, count)
            mapped = np.frombuffer(mmap.mmap(self._file, count), np.uint8)
        self._mapped[self._number] = mapped
        if len(self._mapped) > _MOST_MAPPED:
            self._mapped.popitem(last=False)
        return mapped[:count]

    def let_go(self, keep_bytes: int) -> None:
        """Unmap the file if it is larger than those that the service reuses."""
        if (mapped := self._mapped.get(self._number)) is not None and mapped.nbytes > keep_bytes:
            del self._mapped[self._number]

    def put(self, pixels: Pixels) -> None:
        """Copy these pixels to the start of the file, unless they are there already."""
        mapped = self._mapped.get(self._number)
        if mapped is None or not np.shares_memory(pixels, mapped):
            np.copyto(self.allocate(pixels.nbytes), pixels.ravel())

    def append(self, start: int, data: bytes) -> None:
        """Write these bytes from ``start``, behind the pixels."""
        if data:
            self.allocate(start + len(data))[start:] = np.frombuffer(data, np.uint8)


class _Inputs:
    """The one open input, identified by the number that the service gave it."""

    def __init__(self, allocate: Allocate) -> None:
        self._allocate = allocate
        self._number: int | None = None
        self._source: Source | None = None

    def source(self, message: dict[str, Any], file: int) -> Source:
        """Return the input of a message, opening it if it is not the open one."""
        if self._source is None or message["input"] != self._number:
            self.close()
            data = os.pread(file, os.fstat(file).st_size, 0)
            limits, options = Limits(**message["limits"]), DocumentOptions(**message["options"])
            self._source = open_source(data, limits, message["pages"], options, allocate=self._allocate)
            self._number = message["input"]
        return self._source

    def close(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.close()


def main(descriptor: int) -> None:
    """Answer messages on the socket of this descriptor until the service closes it."""
    connection = socket.socket(fileno=descriptor)
    quieten()
    memory.give_back()
    cv2.setNumThreads(1)
    _die_first()
    base_bytes = _address_bytes() + _SLACK_BYTES
    output = _Output()
    inputs = _Inputs(output.allocate)
    with contextlib.suppress(messages.Closed):
        messages.send(connection, {"ready": True})
        while True:
            message, files = messages.receive(connection, most_files=2)
            file = files[0]
            if message["buffer"] is not None:
                output.use(message["buffer"], files[1])
            _confine(base_bytes + 2 * os.fstat(file).st_size + message["limits"]["max_decode_bytes"])
            _allow_seconds(message["cpu_seconds"])
            try:
                answer = _answer(inputs, output, message, file)
            except OcrError as error:
                answer = {"error": error.slug, "detail": error.detail, "extra": error.extra}
            except MemoryError:
                answer = {"ended": "memory"}
            finally:
                for each in files:
                    os.close(each)
            output.let_go(message["keep_bytes"])
            messages.send(connection, answer)


def _answer(inputs: _Inputs, output: _Output, message: dict[str, Any], file: int) -> dict[str, Any]:
    source = inputs.source(message, file)
    number = message["page"]
    if number is None:
        return {"numbers": source.numbers, "decode_bytes": source.decode_bytes(source.numbers[0])}
    answer: dict[str, Any] = {"decode_bytes": source.decode_bytes(number)}  # checks the limits, too
    if message["buffer"] is not None:
        page = source.page(number)
        output.put(page.pixels)
        answer["height"], answer["width"] = page.pixels.shape[:2]
        answer["full_size"] = page.full_size
        answer["dpi"] = page.dpi
        text = text_layer.encode(page.text) if page.text else b""
        output.append(page.pixels.nbytes, text)
        answer["text_bytes"] = len(text)
    return answer


def _die_first() -> None:
    """Make the out-of-memory killer choose this process instead of the service (Linux), and disable core dumps."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _address_bytes() -> int:
    """Return the size of this process's address space; 0 where the system does not report it."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def _confine(address_bytes: int) -> None:
    """Limit the address space of this process; beyond it, codecs fail with an error or a crash."""
    _, hardest = resource.getrlimit(resource.RLIMIT_AS)
    with contextlib.suppress(OSError, ValueError):  # not all systems can set this limit
        resource.setrlimit(resource.RLIMIT_AS, (address_bytes, hardest))


def _allow_seconds(cpu_seconds: float) -> None:
    """Limit the further processor time of this process; the system kills it beyond that."""
    used = sum(os.times()[:2])
    _, hardest = resource.getrlimit(resource.RLIMIT_CPU)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used + cpu_seconds), hardest))


if __name__ == "__main__":
    main(int(sys.argv[1]))
