"""Limits on memory: those of the settings, or else derived from the container's limit.

With defaults for a machine of 64 GiB, the first large picture would kill a service in a container of 512 MiB.
"""

from __future__ import annotations

from dataclasses import dataclass

from ocrsvc.pages.source import BYTES_PER_PIXEL
from ocrsvc.settings import Settings

_MEBIBYTE = 2**20
# Memory in use without any picture, measured with the shipped models: the service and its models, the activations of
# each worker's runs, and each decoder process.
_SERVICE_BYTES, _WORKER_BYTES, _PROCESS_BYTES = 230 * _MEBIBYTE, 55 * _MEBIBYTE, 30 * _MEBIBYTE
_DECODE_SHARE = 0.8  # share of the remaining memory
_LEAST_DECODE_BYTES = 48 * _MEBIBYTE  # a photograph of 12 megapixels
_BODIES_SHARE = 1 / 16  # share of the limit; a body is in memory twice while its pieces are joined
_DECODE_BYTES_PER_PIXEL = 18  # most that decoding any still picture takes
_MOST_BODY_BYTES = 2**30
_PIXELS_PER_WORKER = 8_000_000  # a page at 300 dpi; no page is held while its lines are read


@dataclass(frozen=True, slots=True)
class Capacity:
    """Limits on decoding one page (``decode_bytes``), all decoded pixels, and all bodies (``body_bytes``)."""

    decode_bytes: int
    inflight_pixels: int
    body_bytes: int


def capacity(settings: Settings, *, workers: int, memory_bytes: int | None) -> Capacity:
    """Return the limits; ``memory_bytes`` is the container's memory limit, None if there is none."""
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
