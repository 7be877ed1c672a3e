"""Ledger of what is being read, so that a file which kills its workers is found and left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

# A worker that died alone says more than one that died with its node, as the other files of the node's workers did.
WORKER_DIED, NODE_DIED = 2, 1
MOST_POINTS = 2 * WORKER_DIED  # from which an item is not read again: two workers died while they read it


class Watch(Protocol):
    """What a worker reports about one block, each before it does it."""

    async def begin(self) -> Mapping[int, int]:
        """A worker takes the block; return the points of the items that earlier workers may have died of."""

    async def reading(self, item: int) -> None:
        """An item is about to be read."""

    async def read(self, item: int) -> None:
        """It has been read, or has failed."""

    async def end(self) -> None:
        """The block is done."""


@dataclass(slots=True)
class _Attempt:
    node: str
    suspects: Counter[int]
    in_work: set[int] = field(default_factory=set)


class Ledger:
    """Items in work, by block. It lives with the driver: what a whole run died of is nobody's fault.

    A block that begins again has lost its worker, and each item that was in work gets points. ``node_lives``: whether
    the node of this name still runs.
    """

    def __init__(self, node_lives: Callable[[str], bool]) -> None:
        self._node_lives = node_lives
        self._attempts: dict[int, _Attempt] = {}

    def begin(self, block: int, node: str) -> dict[int, int]:
        """Note that a worker on this node takes the block; return the points of the items that had any."""
        suspects: Counter[int] = Counter()
        if (before := self._attempts.get(block)) is not None:
            suspects.update(before.suspects)
            points = WORKER_DIED if self._node_lives(before.node) else NODE_DIED
            suspects.update(dict.fromkeys(before.in_work, points))
        self._attempts[block] = _Attempt(node, suspects)
        return dict(suspects)

    def reading(self, block: int, item: int) -> None:
        """Note that an item is about to be read."""
        self._attempts[block].in_work.add(item)

    def read(self, block: int, item: int) -> None:
        """Note that an item has been read."""
        self._attempts[block].in_work.discard(item)

    def end(self, block: int) -> None:
        """Forget a block that is done."""
        self._attempts.pop(block, None)
