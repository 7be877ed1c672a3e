"""What may be in memory at once, by the container's limit and by the settings."""

from __future__ import annotations

import pytest

from ocrsvc.reading.capacity import capacity
from ocrsvc.settings import Settings

GIBIBYTE = 2**30


def test_without_a_limit_everything_is_generous() -> None:
    found = capacity(Settings(), workers=4, memory_bytes=None)
    assert (found.decode_bytes, found.body_bytes, found.inflight_pixels) == (
        18 * 64_000_000,
        GIBIBYTE,
        32_000_000,
    )


@pytest.mark.parametrize("memory_mib", [256, 384, 512, 768, 1024, 2048, 4096, 65536])
@pytest.mark.parametrize("workers", [1, 2, 8])
def test_limits_follow_the_memory(memory_mib: int, workers: int) -> None:
    found = capacity(Settings(), workers=workers, memory_bytes=memory_mib << 20)
    more = capacity(Settings(), workers=workers, memory_bytes=memory_mib << 21)
    assert 48 << 20 <= found.decode_bytes <= more.decode_bytes <= 18 * 64_000_000
    assert 20 << 20 <= found.body_bytes <= more.body_bytes <= GIBIBYTE
    assert found.inflight_pixels * 3 <= max(found.decode_bytes, 48 << 20) or memory_mib > 1024
    if memory_mib >= 512 and workers <= 2:
        rest = (230 + 55 * workers + 60) << 20
        assert rest + found.decode_bytes + found.body_bytes <= memory_mib << 20


def test_settings_go_first() -> None:
    settings = Settings(max_decode_bytes=5000, max_inflight_pixels=6000, max_inflight_bytes=7000)
    found = capacity(settings, workers=2, memory_bytes=512 << 20)
    assert (found.decode_bytes, found.inflight_pixels, found.body_bytes) == (5000, 6000, 7000)
