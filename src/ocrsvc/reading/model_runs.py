"""Typed access to the scheduler: texts for line images, boxes for the tiles of a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from ocrsvc.pages.boxes import Boxes
from ocrsvc.pages.decoder import Decoder
from ocrsvc.pages.source import Pixels
from ocrsvc.reading.reading import Reading
from ocrsvc.reading.run_cache import RunCache
from ocrsvc.reading.sessions import Answer
from ocrsvc.reading.tasks import all_or_none
from ocrsvc.results import LineText
from ocrsvc.scheduling.batcher import Batcher, Lane

T = TypeVar("T")

Items = Sequence[tuple[Lane, Pixels]]


class ModelRuns:
    """Submits the inputs of a reading to the batcher and waits for the answers, in order; a ``cache`` saves runs."""

    def __init__(
        self, batcher: Batcher[Pixels, Answer], decoder: Decoder, cache: RunCache | None = None
    ) -> None:
        self._batcher = batcher
        self._decoder = decoder
        self._cache = cache

    async def texts(self, items: Items, reading: Reading) -> list[LineText]:
        """Return the text of each line image; the lanes are those of a recogniser."""
        return _of_kind(LineText, await self._run(items, reading))

    async def boxes(self, items: Items, reading: Reading) -> list[Boxes]:
        """Return the boxes on each tile; the lanes are those of the detector."""
        return _of_kind(np.ndarray, await self._run(items, reading))

    async def _run(self, items: Items, reading: Reading) -> list[Answer]:
        cache = self._cache
        if cache is None or not items:
            return await self._fresh(items, reading)
        # On a thread, because a page has megabytes to hash.
        found = await self._decoder.run(cache.find, items)
        missing = [item for item, (_, answer) in zip(items, found, strict=True) if answer is None]
        fresh = await self._fresh(missing, reading) if missing else []
        await self._decoder.run(cache.keep, [key for key, answer in found if answer is None], fresh)
        rest = iter(fresh)
        return [next(rest) if answer is None else answer for _, answer in found]

    async def _fresh(self, items: Items, reading: Reading) -> list[Answer]:
        futures = self._batcher.submit(
            items, flow=reading.flow, deadline=reading.deadline, admitted=reading.tally.admitted
        )
        reading.tally.admitted = True  # an accepted document is not refused half-way
        return await all_or_none(futures)


def _of_kind(kind: type[T], answers: Sequence[object]) -> list[T]:
    """Return the answers; raise TypeError if one is of another kind, because its lane belongs to the other model."""
    found = [answer for answer in answers if isinstance(answer, kind)]
    if len(found) != len(answers):
        raise TypeError(f"a run gave something else than {kind.__name__}")
    return found
