"""bench/rollout.py in small: services, and the database of their jobs, are restarted, and no client notices."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import nginx_proxy
import numpy as np
import postgres_cluster
import pytest
import rollout
import serving
import tiny_model
from available import missing
from numbers_drawn import Picture

pytestmark = pytest.mark.timeout(900)

Serve = Callable[..., AbstractContextManager[serving.Server]]


def stripes(text: str, look: int) -> Picture:
    """The text as the tiny model reads it; looks differ in their width."""
    padding = ((0, 0), (0, 2 * tiny_model.STRIDE * (look % 6)), (0, 0))
    return np.pad(tiny_model.draw(text), padding, constant_values=tiny_model.PAD)


@pytest.fixture
def serve(models_dir: Path) -> Serve:
    def started(**settings: Any) -> AbstractContextManager[serving.Server]:
        return serving.ours(
            model="tiny", models_dir=models_dir, detector_side_pixels=320, workers=1, **settings
        )

    return started


async def test_a_rolling_restart_behind_nginx(serve: Serve) -> None:
    try:
        tally = await rollout.roll(serve, rounds=1, concurrency=4, draw=stripes)
    except nginx_proxy.NoNginx as error:
        missing(str(error))
    assert tally.restarts == 3
    assert tally.sent >= 3 * 3 * 4
    assert not tally.failed


async def test_a_database_that_is_restarted(serve: Serve) -> None:
    try:
        tally = await rollout.restart_database(serve, ["fast", "immediate"], jobs=3, pages=60, draw=stripes)
    except postgres_cluster.NoPostgres as error:
        missing(str(error))
    assert (tally.restarts, tally.jobs, tally.lost) == (2, 6, 0)
    assert (tally.pages, tally.doubled) == (6 * 60, 0)
    assert tally.sent > 0
    assert not tally.failed
