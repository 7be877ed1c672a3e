"""Blocks: the files, or the rows of a Parquet file, that one task reads and writes as one part."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ocrsvc.scaleout.stores import StoredFile

MOST_ITEMS = 64  # of one block: what a crash makes another actor read again
MOST_BYTES = 128 * 2**20  # of the files of one block, unless it is one file
_BLOCKS_PER_ACTOR = 8  # at least, so that all actors end at about the same time


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows ``start`` to ``stop`` (exclusive) of a row group of the Parquet file at ``path``; ``first`` in the file."""

    path: str
    name: str
    group: int
    start: int
    stop: int
    first: int


@dataclass(frozen=True, slots=True)
class Block:
    """``files``, or ``rows`` of a Parquet file; item ``first_item`` is the first of them, and the others follow."""

    number: int
    first_item: int
    files: tuple[StoredFile, ...] = ()
    rows: Rows | None = None

    def __len__(self) -> int:
        return self.rows.stop - self.rows.start if self.rows else len(self.files)

    @property
    def items(self) -> range:
        """Return the numbers of its items; no other block has them."""
        return range(self.first_item, self.first_item + len(self))

    def encode(self) -> str:
        """Return the block as one line of ASCII; names of files may be any bytes."""
        body: dict[str, Any] = {"number": self.number, "first_item": self.first_item}
        if self.rows:
            body["rows"] = asdict(self.rows)
        else:
            body["files"] = [[each.path, each.name, each.size] for each in self.files]
        return json.dumps(body, separators=(",", ":"))


def decode(line: str) -> Block:
    """Return the block of a line; KeyError, TypeError or ValueError if it is none."""
    body = json.loads(line)
    rows = Rows(**body["rows"]) if "rows" in body else None
    files = tuple(StoredFile(*each) for each in body.get("files", ()))
    return Block(body["number"], body["first_item"], files, rows)


def of_files(files: Sequence[StoredFile], *, actors: int, number: int, first_item: int) -> Iterator[Block]:
    """Yield the blocks of files in their order, numbered from ``number``."""
    most = _most_items(len(files), actors)
    some: list[StoredFile] = []
    held_bytes = 0
    for each in files:
        if some and (len(some) == most or held_bytes + (each.size or 0) > MOST_BYTES):
            yield Block(number, first_item, tuple(some))
            number, first_item = number + 1, first_item + len(some)
            some, held_bytes = [], 0
        some.append(each)
        held_bytes += each.size or 0
    if some:
        yield Block(number, first_item, tuple(some))


def of_groups(
    groups: Iterable[tuple[StoredFile, Sequence[tuple[int, int]]]],
    *,
    actors: int,
    number: int,
    first_item: int,
) -> Iterator[Block]:
    """Yield the blocks of Parquet files, of which each is given with the rows and bytes of its row groups."""
    groups = list(groups)
    wanted = -(-actors * _BLOCKS_PER_ACTOR // max(1, sum(len(sizes) for _, sizes in groups)))
    for file, sizes in groups:
        first = 0
        for group, (rows, size) in enumerate(sizes):
            # Each block reads its row group from the beginning: a group is cut no more than is needed.
            step = -(-rows // max(1, min(wanted, -(-rows // MOST_ITEMS)), -(-size // MOST_BYTES)))
            for start in range(0, rows, max(1, step)):
                stop = min(rows, start + max(1, step))
                span = Rows(file.path, file.name, group, start, stop, first + start)
                yield Block(number, first_item, rows=span)
                number, first_item = number + 1, first_item + stop - start
            first += rows


def _most_items(total: int, actors: int) -> int:
    return max(1, min(MOST_ITEMS, -(-total // (actors * _BLOCKS_PER_ACTOR))))
