"""A JBIG2 encoder for tests: one generic region, coded with the arithmetic coder of ISO/IEC 14492, template 0."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

# Table E.1: (Qe, next state after MPS, after LPS, whether the LPS switches the MPS).
_STATES = (
    (0x5601, 1, 1, 1), (0x3401, 2, 6, 0), (0x1801, 3, 9, 0), (0x0AC1, 4, 12, 0), (0x0521, 5, 29, 0),
    (0x0221, 38, 33, 0), (0x5601, 7, 6, 1), (0x5401, 8, 14, 0), (0x4801, 9, 14, 0), (0x3801, 10, 14, 0),
    (0x3001, 11, 17, 0), (0x2401, 12, 18, 0), (0x1C01, 13, 20, 0), (0x1601, 29, 21, 0), (0x5601, 15, 14, 1),
    (0x5401, 16, 14, 0), (0x5101, 17, 15, 0), (0x4801, 18, 16, 0), (0x3801, 19, 17, 0), (0x3401, 20, 18, 0),
    (0x3001, 21, 19, 0), (0x2801, 22, 19, 0), (0x2401, 23, 20, 0), (0x2201, 24, 21, 0), (0x1C01, 25, 22, 0),
    (0x1801, 26, 23, 0), (0x1601, 27, 24, 0), (0x1401, 28, 25, 0), (0x1201, 29, 26, 0), (0x1101, 30, 27, 0),
    (0x0AC1, 31, 28, 0), (0x09C1, 32, 29, 0), (0x08A1, 33, 30, 0), (0x0521, 34, 31, 0), (0x0441, 35, 32, 0),
    (0x02A1, 36, 33, 0), (0x0221, 37, 34, 0), (0x0141, 38, 35, 0), (0x0111, 39, 36, 0), (0x0085, 40, 37, 0),
    (0x0049, 41, 38, 0), (0x0025, 42, 39, 0), (0x0015, 43, 40, 0), (0x0009, 44, 41, 0), (0x0005, 45, 42, 0),
    (0x0001, 45, 43, 0), (0x5601, 46, 46, 0),
)  # fmt: skip
# Template 0 with its adaptive pixels in their usual places (figure 3): (x, y) from the pixel, the highest bit first.
_CONTEXT = (
    (-2, -2), (-1, -2), (0, -2), (1, -2), (2, -2), (-3, -1), (-2, -1), (-1, -1),
    (0, -1), (1, -1), (2, -1), (3, -1), (-4, 0), (-3, 0), (-2, 0), (-1, 0),
)  # fmt: skip


def encode(black: NDArray[np.bool_]) -> bytes:
    """Return a picture bool [H,W] as the content of a stream with the filter JBIG2Decode."""
    height, width = black.shape
    page = struct.pack(">IIIIBH", width, height, 0, 0, 0, 0)
    region = (
        struct.pack(">IIIIB", width, height, 0, 0, 0) + b"\x00" + bytes((3, 255, 253, 255, 2, 254, 254, 254))
    )
    return _segment(0, 48, page) + _segment(1, 38, region + _coded(black))


def _segment(number: int, kind: int, content: bytes) -> bytes:
    return struct.pack(">IBBBI", number, kind, 0, 1, len(content)) + content


def _coded(black: NDArray[np.bool_]) -> bytes:
    height, width = black.shape
    padded = np.pad(black.astype(np.int64), ((2, 0), (4, 4)))
    contexts = np.zeros((height, width), np.int64)
    for x, y in _CONTEXT:
        contexts = contexts << 1 | padded[2 + y : 2 + y + height, 4 + x : 4 + x + width]
    coder = _Coder()
    for pixel, context in zip(black.ravel().tolist(), contexts.ravel().tolist(), strict=True):
        coder.put(int(pixel), context)
    return coder.end()


class _Coder:
    """The encoder of annex E (figures E.3 to E.11 of the MQ coder)."""

    def __init__(self) -> None:
        self._states = [0] * (1 << 16)
        self._likely = [0] * (1 << 16)
        self._a, self._c, self._count = 0x8000, 0, 12
        self._out = bytearray(1)  # the byte before the first

    def put(self, bit: int, context: int) -> None:
        estimate, next_likely, next_other, switches = _STATES[self._states[context]]
        self._a -= estimate
        if bit == self._likely[context]:
            if self._a & 0x8000:
                self._c += estimate
                return
            if self._a < estimate:
                self._a = estimate
            else:
                self._c += estimate
            self._states[context] = next_likely
        else:
            if self._a < estimate:
                self._c += estimate
            else:
                self._a = estimate
            if switches:
                self._likely[context] ^= 1
            self._states[context] = next_other
        while True:
            self._a <<= 1
            self._c <<= 1
            self._count -= 1
            if not self._count:
                self._byte()
            if self._a & 0x8000:
                break

    def end(self) -> bytes:
        most = self._c + self._a
        self._c |= 0xFFFF
        if self._c >= most:
            self._c -= 0x8000
        self._c <<= self._count
        self._byte()
        self._c <<= self._count
        self._byte()
        return bytes(self._out[1:]) + (b"\xac" if self._out[-1] == 0xFF else b"\xff\xac")

    def _byte(self) -> None:
        if self._out[-1] != 0xFF and self._c >= 0x8000000:
            self._out[-1] += 1
            self._c &= 0x7FFFFFF
        after_ff = self._out[-1] == 0xFF
        shift = 20 if after_ff else 19
        self._out.append(self._c >> shift & 0xFF)
        self._c &= (1 << shift) - 1
        self._count = 7 if after_ff else 8
