"""How much may be in memory at once: the settings, and where they say nothing, what the container's limit leaves.

A service that takes what a machine of 64 GiB allows is killed in a container of 512 MiB by the first large picture.
"""

from __future__ import annotations

from dataclasses import dataclass

from ocrsvc.pages.source import BYTES_PER_PIXEL
from ocrsvc.settings import Settings

_MEBIBYTE = 2**20
# What the service takes before any picture, measured with the models that ship: itself and its models, the activations
# of each worker's runs, each decoder process.
_SERVICE_BYTES, _WORKER_BYTES, _PROCESS_BYTES = 230 * _MEBIBYTE, 55 * _MEBIBYTE, 30 * _MEBIBYTE
_DECODE_SHARE = 0.8  # of what is left then
_LEAST_DECODE_BYTES = 48 * _MEBIBYTE  # a photograph of 12 megapixels
_BODIES_SHARE = 1 / 16  # of the limit; a body is held twice while it is put together
_DECODE_BYTES_PER_PIXEL = 18  # what any still picture takes at most
_MOST_BODY_BYTES = 2**30
_PIXELS_PER_WORKER = 8_000_000  # a page at 300 dpi; while lines are read, no page is held


@dataclass(frozen=True, slots=True)
class Capacity:
    """``decode_bytes``: of decoding one page; ``inflight_pixels``: decoded at once; ``body_bytes``: of all bodies."""

    decode_bytes: int
    inflight_pixels: int
    body_bytes: int


def capacity(settings: Settings, *, workers: int, memory_bytes: int | None) -> Capacity:
    """What fits; ``memory_bytes`` is the container's limit, None without one."""
    decode_bytes, body_bytes = _DECODE_BYTES_PER_PIXEL * settings.max_image_pixels, _MOST_BODY_BYTES
    inflight_pixels = _PIXELS_PER_WORKER * workers
    if memory_bytes is not None:
        taken = _SERVICE_BYTES + _WORKER_BYTES * workers + _PROCESS_BYTES * settings.decode_processes
        body_bytes = min(body_bytes, max(settings.max_body_bytes, int(memory_bytes * _BODIES_SHARE)))
        left = max(_LEAST_DECODE_BYTES, int((memory_bytes - taken - body_bytes) * _DECODE_SHARE))
        decode_bytes = min(decode_bytes, left)
        inflight_pixels = min(inflight_pixels, left // BYTES_PER_PIXEL)
    return Capacity(
        settings.max_decode_bytes or decode_bytes,
        settings.max_inflight_pixels or inflight_pixels,
        settings.max_inflight_bytes or body_bytes,
    )
