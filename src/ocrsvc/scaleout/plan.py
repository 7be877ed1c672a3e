"""The plan of a bulk run, kept beside its results: what is read, how, and in which blocks.

A run that was ended anywhere goes on by it: the blocks are fixed once they are listed, the name of a part is that of
its block, and a part is written whole or not at all. What has a part is done; everything else is still to be read.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ocrsvc.errors import InvalidParameter
from ocrsvc.pages.kinds import SUFFIXES
from ocrsvc.scaleout import blocks
from ocrsvc.scaleout.blocks import Block
from ocrsvc.scaleout.stores import Store, StoredFile

PartFormat = Literal["parquet", "jsonl"]

FOLDER = "_ocrsvc"  # below the results; readers of Parquet leave out what begins with _
_PLAN = f"{FOLDER}/plan.json"
_SUFFIXES = tuple(itertools.chain.from_iterable(SUFFIXES.values()))
_VERSION = 1


class OtherRun(InvalidParameter):
    """The folder has the results of a run that read something else, or read it in another way."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is read: files, or the bytes in the ``column`` of Parquet files, named by ``name_column`` if there is one.

    ``url``: a file, a folder or a pattern.
    """

    url: str
    column: str | None = None
    name_column: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """``recipe``: what the rows depend on, as JSON has it; ``blocks`` of all ``listings``."""

    recipe: Mapping[str, Any]
    part_format: PartFormat
    blocks: tuple[Block, ...] = field(repr=False)
    listings: int = 0

    @property
    def items(self) -> int:
        """Return the number of all items."""
        return sum(map(len, self.blocks))

    def part(self, block: Block) -> str:
        """Return the name of a block's part."""
        return part_name(block, self.part_format)

    def unfinished(self, results: Store) -> list[Block]:
        """Return the blocks that have no part; raises OSError."""
        there = results.names()
        return [block for block in self.blocks if self.part(block) not in there]


def part_name(block: Block, part_format: PartFormat) -> str:
    """Return the name of a block's part; a part of this name is all that says that the block is done."""
    return f"part-{block.number:06}.{part_format}"


@dataclass(frozen=True, slots=True)
class Found:
    """``files`` of a source, or Parquet files with the rows and bytes of their row ``groups``."""

    files: tuple[StoredFile, ...] = ()
    groups: tuple[tuple[StoredFile, list[tuple[int, int]]], ...] = ()


def agree(results: Store, source: Source, recipe: Mapping[str, Any], part_format: PartFormat) -> Plan:
    """Return the plan in a folder of results, without what has come to the source since; begin it if there is none.

    Raises OtherRun if the folder has other results, OSError if it cannot be used.
    """
    spelt = {
        **recipe,
        "source": Store(source.url).identity,
        "column": source.column,
        "names": source.name_column,
    }
    recipe = json.loads(json.dumps(spelt))
    _agree(results, {"version": _VERSION, "format": part_format, "recipe": recipe})
    known, listings = _known(results)
    return Plan(recipe, part_format, tuple(known), listings)


def find_new(source: Source, before: Plan) -> Found:
    """Return what is in the source and in no block; raises OSError, InvalidParameter."""
    store = Store(source.url)
    if source.column is None:
        taken = {file.path for block in before.blocks for file in block.files}
        return Found(tuple(each for each in store.find() if _is_readable(each, source.url, taken)))
    taken = {block.rows.path for block in before.blocks if block.rows}
    new = [each for each in store.find() if each.name.endswith(".parquet") and each.path not in taken]
    return Found(groups=tuple((each, row_groups(store, each, source)) for each in new))


def extend(results: Store, before: Plan, found: Found, *, actors: int) -> Plan:
    """Return the plan with blocks of what was found, once they are written; raises OSError."""
    known = before.blocks
    number = known[-1].number + 1 if known else 0
    first_item = known[-1].items.stop if known else 0
    made = blocks.of_groups if found.groups else blocks.of_files
    sources: Any = found.groups or found.files
    new = list(made(sources, actors=actors, number=number, first_item=first_item))
    if not new:
        return before
    text = "".join(f"{block.encode()}\n" for block in new)
    results.write(f"{FOLDER}/listing-{before.listings + 1:04}.jsonl", text.encode())
    return replace(before, blocks=(*known, *new), listings=before.listings + 1)


def row_groups(store: Store, file: StoredFile, source: Source) -> list[tuple[int, int]]:
    """Return rows and bytes of each row group of a Parquet file; raises OSError or InvalidParameter."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file.path, filesystem=store.arrow()) as opened:
            columns = opened.schema_arrow.names
            for column in (source.column, source.name_column):
                if column is not None and column not in columns:
                    raise InvalidParameter(
                        f"{file.name} has no column {column!r}; it has {', '.join(columns)}."
                    )
            about = opened.metadata
            groups = (about.row_group(i) for i in range(about.num_row_groups))
            return [(group.num_rows, group.total_byte_size) for group in groups]
    except pa.ArrowInvalid as error:
        raise InvalidParameter(f"{file.name} is no Parquet file that can be read: {error}") from error


def _agree(results: Store, wanted: Mapping[str, Any]) -> None:
    """Write the plan's head, or compare it with the one that is there."""
    if results.exists(_PLAN):
        try:
            found = json.loads(results.read(_PLAN))
            differing = _differences(found, wanted)
        except (ValueError, AttributeError) as error:
            raise OtherRun(f"{_PLAN} in {results.url} cannot be understood: name another folder.") from error
        if differing:
            raise OtherRun(
                f"{results.url} has the results of another run ({'; '.join(differing)}): name another folder."
            )
        return
    if others := sorted(results.names()):
        raise OtherRun(
            f"{results.url} is not empty and has no plan of an earlier run (it has {others[0]}): name a new folder."
        )
    results.write(_PLAN, json.dumps(wanted, indent=1).encode())


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    pairs = {**wanted, **wanted["recipe"]}, {**found, **found.get("recipe", {})}
    names = sorted((set(pairs[0]) | set(pairs[1])) - {"recipe"})
    return [
        f"{name} was {_short(pairs[1].get(name))}, now {_short(pairs[0].get(name))}"
        for name in names
        if pairs[0].get(name) != pairs[1].get(name)
    ]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _known(results: Store) -> tuple[list[Block], int]:
    """Return the blocks of all listings in the folder, and how many listings there are."""
    known: list[Block] = []
    names = Store(f"{results.url.rstrip('/')}/{FOLDER}").names()
    listings = sorted(name for name in names if name.startswith("listing-"))
    for name in listings:
        lines = results.read(f"{FOLDER}/{name}").decode().splitlines()
        known += map(blocks.decode, lines)
    return known, len(listings)


def _is_readable(file: StoredFile, url: str, taken: set[str]) -> bool:
    """Return whether a listed file is new, and a picture or PDF by its suffix; one that is named may have any."""
    if file.path in taken:
        return False
    return file.name.lower().endswith(_SUFFIXES) or url.rstrip("/").endswith(file.path.rsplit("/", 1)[-1])
