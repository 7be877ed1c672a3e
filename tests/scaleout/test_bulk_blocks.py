"""What a bulk run does without Ray: listings, plans, blocks, rows, and the ledger of what kills workers."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import os
import threading
from collections.abc import Iterator, Mapping
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import drawings
import pytest
import tiny_model
from available import need_ray
from scaleout.bulk_scans import draw_scans

need_ray()
import pyarrow as pa
import pyarrow.parquet as pq

from ocrsvc.engine.loop import ReaderThread
from ocrsvc.errors import InvalidParameter
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.scaleout import blocks, plan, rows
from ocrsvc.scaleout.block_reader import BlockReader, LoadLimits
from ocrsvc.scaleout.blocks import Block
from ocrsvc.scaleout.ledger import MOST_POINTS, NODE_DIED, WORKER_DIED, Ledger
from ocrsvc.scaleout.plan import OtherRun, Source
from ocrsvc.scaleout.stores import Store, StoredFile
from ocrsvc.settings import Settings

FAST = LoadLimits(wait_seconds=0.01)


@dataclasses.dataclass
class Told:
    """A watch that records its calls."""

    suspects: Mapping[int, int] = dataclasses.field(default_factory=dict)
    most_at_once: int = 0
    in_work: set[int] = dataclasses.field(default_factory=set)
    order: list[int] = dataclasses.field(default_factory=list)

    async def begin(self) -> Mapping[int, int]:
        return self.suspects

    async def reading(self, item: int) -> None:
        self.in_work.add(item)
        self.order.append(item)
        self.most_at_once = max(self.most_at_once, len(self.in_work))

    async def read(self, item: int) -> None:
        self.in_work.discard(item)

    async def end(self) -> None:
        assert not self.in_work


@pytest.fixture(scope="module")
def thread(models_dir: Path) -> Iterator[ReaderThread]:
    opened = ReaderThread(Settings(model="tiny", models_dir=models_dir, workers=1))
    yield opened
    opened.close()


def prepare(
    results: Store, source: Source, recipe: dict[str, Any], part_format: plan.PartFormat, *, actors: int
) -> plan.Plan:
    before = plan.agree(results, source, recipe, part_format)
    return plan.extend(results, before, plan.find_new(source, before), actors=actors)


def read(
    thread: ReaderThread,
    source: Source,
    block: Block,
    watch: Told | None = None,
    limits: LoadLimits = FAST,
) -> list[rows.Row]:
    reader = BlockReader(thread.reader, ReadOptions(mode="line"), Store(source.url), workers=1, limits=limits)
    columns = None if source.column is None else (source.column, source.name_column)
    return thread.submit(reader.read(block, watch or Told(), columns=columns)).result()


def texts(found: list[rows.Row]) -> dict[tuple[str, int | None], str | None]:
    assert len({(row["item"], row["page"]) for row in found}) == len(found)
    return {(row["path"], row["page"]): row["text"] for row in found}


def test_a_folder_is_read_to_one_row_a_page(thread: ReaderThread, tmp_path: Path) -> None:
    expected = draw_scans(tmp_path / "scans", 5, 2)
    source, results = Source(str(tmp_path / "scans")), Store(str(tmp_path / "out"))
    made = prepare(results, source, {}, "parquet", actors=1)
    assert made.items == 10
    found = [row for block in made.blocks for row in read(thread, source, block)]
    assert texts(found) == expected
    problems = {row["path"]: row["problem"]["type"] for row in found if row["problem"]}
    assert problems == {"empty.png": "/problems/empty-input", "broken.jpg": "/problems/undecodable-image"}
    twice = [row["sha256"] for row in found if row["path"] in ("0000.png", "twice.png")]
    assert twice[0] == twice[1]


@pytest.mark.parametrize("part_format", ["parquet", "jsonl"])
def test_a_part_comes_back_as_it_was(
    part_format: plan.PartFormat, thread: ReaderThread, tmp_path: Path
) -> None:
    draw_scans(tmp_path / "scans", 2)
    source = Source(str(tmp_path / "scans"))
    made = prepare(Store(str(tmp_path / "out")), source, {}, part_format, actors=1)
    found = [row for block in made.blocks for row in read(thread, source, block)]
    part = rows.encode(found, part_format)
    back = rows.decode(part, part_format)
    assert [(row["path"], row["page"]) for row in back] == sorted(
        ((row["path"], row["page"]) for row in found), key=lambda each: (each[0], each[1] or 0)
    )
    line = next(row for row in back if row["path"] == "0001.png")["lines"][0]
    assert (line["text"], line["source"], len(line["polygon"])) == ("0001", "recognised", 4)
    results = Store(str(tmp_path / "out"))
    results.write("part", part)
    bad = [row["item"] for row in back if row["path"] in ("broken.jpg", "empty.png")]
    assert rows.failed_in(results, "part", part_format) == bad
    if part_format == "parquet":
        assert pq.read_table(io.BytesIO(part)).schema.equals(rows.schema())


def test_parquet_with_bytes_is_read_by_rows(thread: ReaderThread, tmp_path: Path) -> None:
    pictures = [drawings.encode(tiny_model.draw(f"{i:04}")) for i in range(7)] + [None, b"", b"?"]
    table = pa.table({"id": [f"n{i}" for i in range(10)], "image": pa.array(pictures, pa.binary())})
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=4)
    for source, first in ((Source(str(tmp_path / "in.parquet"), "image", "id"), "n0"),
                          (Source(str(tmp_path / "in.parquet"), "image"), "in.parquet#0")):  # fmt: skip
        made = prepare(Store(str(tmp_path / f"out{first}")), source, {}, "parquet", actors=1)
        found = sorted(
            (row for block in made.blocks for row in read(thread, source, block)), key=lambda row: row["item"]
        )
        assert [row["text"] for row in found] == [f"{i:04}" for i in range(7)] + [None] * 3
        assert found[0]["path"] == first
        assert [row["problem"]["type"].rpartition("/")[2] for row in found[7:]] == [
            "empty-input", "empty-input", "unsupported-media-type"]  # fmt: skip


def test_a_column_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "in.parquet")
    with pytest.raises(InvalidParameter, match=r"in\.parquet has no column 'image'; it has a"):
        prepare(Store(str(tmp_path / "out")), Source(str(tmp_path), "image"), {}, "jsonl", actors=1)


def test_blocks_hold_each_item_once_and_survive_json() -> None:
    files = [StoredFile(f"/in/{i}\udcff.png", f"{i}\udcff.png", i * 3_000_000) for i in range(200)]
    made = list(blocks.of_files(files, actors=2, number=7, first_item=50))
    assert [each for block in made for each in block.files] == files
    assert list(itertools.chain.from_iterable(block.items for block in made)) == list(range(50, 250))
    assert [block.number for block in made] == list(range(7, 7 + len(made)))
    for block in made:
        assert len(block) <= blocks.MOST_ITEMS
        assert len(block) == 1 or sum(each.size or 0 for each in block.files) <= blocks.MOST_BYTES
        assert blocks.decode(block.encode()) == block
        assert block.encode().isascii()


def test_row_groups_are_cut_for_many_actors_and_large_rows() -> None:
    file = StoredFile("/in.parquet", "in.parquet", None)
    for actors, sizes, most in ((2, [(1000, 1000)], 63), (1, [(10, 10 * 2**28)], 1), (1, [(64, 9)] * 9, 64)):
        made = list(blocks.of_groups([(file, sizes)], actors=actors, number=0, first_item=5))
        assert max(map(len, made)) == most
        assert [item for block in made for item in block.items] == list(
            range(5, 5 + sum(rows for rows, _ in sizes))
        )
        rows = [block.rows for block in made if block.rows]
        assert [each.first for each in rows] == list(itertools.accumulate([0, *map(len, made)]))[:-1]


def test_a_folder_with_brackets_is_no_pattern(tmp_path: Path) -> None:
    draw_scans(tmp_path / "scans [1]", 1, 0)
    names = [each.name for each in Store(str(tmp_path / "scans [1]")).find()]
    assert "0000.png" in names
    assert [each.name for each in Store(f"{tmp_path}/scans*/0*.png").find()] == ["scans [1]/0000.png"]


def test_the_plan_keeps_its_blocks_and_takes_new_files(tmp_path: Path) -> None:
    draw_scans(tmp_path / "scans", 3)
    source, results = Source(str(tmp_path / "scans")), Store(str(tmp_path / "out"))
    first = prepare(results, source, {"model": "a"}, "parquet", actors=1)
    results.write(first.part(first.blocks[0]), b"done")
    (tmp_path / "scans" / "0000a.png").write_bytes(b"new")
    os.chdir(tmp_path)
    second = prepare(results, Source("scans"), {"model": "a"}, "parquet", actors=3)
    assert (second.blocks[: len(first.blocks)], second.items) == (first.blocks, first.items + 1)
    assert second.unfinished(results) == list(second.blocks[1:])


@pytest.mark.parametrize(
    ("source", "recipe", "part_format", "told"),
    [
        ("scans", {"model": "b"}, "parquet", "model was a, now b"),
        ("scans", {"model": "a"}, "jsonl", "format was parquet, now jsonl"),
        ("others", {"model": "a"}, "parquet", "source was file://"),
    ],
)
def test_the_folder_of_another_run_is_refused(
    source: str, recipe: dict[str, Any], part_format: plan.PartFormat, told: str, tmp_path: Path
) -> None:
    draw_scans(tmp_path / "scans", 1)
    draw_scans(tmp_path / "others", 1)
    results = Store(str(tmp_path / "out"))
    prepare(results, Source(str(tmp_path / "scans")), {"model": "a"}, "parquet", actors=1)
    with pytest.raises(OtherRun, match="has the results of another run") as raised:
        prepare(results, Source(str(tmp_path / source)), recipe, part_format, actors=1)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    draw_scans(tmp_path / "scans", 1)
    with pytest.raises(OtherRun, match="is not empty"):
        prepare(Store(str(tmp_path / "scans")), Source(str(tmp_path / "scans")), {}, "jsonl", actors=1)


def test_a_source_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    for url in (str(tmp_path / "none"), "nosuch://bucket/scans"):
        with pytest.raises(OSError, match=r"No such file|nosuch") as raised:
            Store(url).find()
        assert "\n" not in str(raised.value)


def test_large_files_are_not_loaded(thread: ReaderThread, tmp_path: Path) -> None:
    draw_scans(tmp_path / "scans", 1, 0)
    with (tmp_path / "scans" / "huge.tif").open("wb") as file:
        file.truncate(50 * 2**30)
    made = prepare(Store(str(tmp_path / "out")), Source(str(tmp_path / "scans")), {}, "jsonl", actors=1)
    found = [row for block in made.blocks for row in read(thread, Source(str(tmp_path / "scans")), block)]
    huge = next(row for row in found if row["path"] == "huge.tif")
    assert huge["problem"]["type"] == "/problems/too-large"


def test_unreadable_files_are_rows(thread: ReaderThread, tmp_path: Path) -> None:
    draw_scans(tmp_path / "scans", 2, 0)
    source = Source(str(tmp_path / "scans"))
    made = prepare(Store(str(tmp_path / "out")), source, {}, "jsonl", actors=1)
    (tmp_path / "scans" / "0001.png").unlink()
    found = texts([row for block in made.blocks for row in read(thread, source, block)])
    assert found["0001.png", None] is None
    assert found["0000.png", 1] == "0000"


class Moody(SimpleHTTPRequestHandler):
    """A store over HTTP: each file fails at first, one is always broken, one does not answer."""

    asked: dict[str, int]

    def do_GET(self) -> None:
        times = self.server.asked[self.path] = self.server.asked.get(self.path, 0) + 1  # type: ignore[attr-defined]
        if self.path.endswith("0002.png"):
            self.server.closing.wait()  # type: ignore[attr-defined]
        if self.path.endswith(".png") and (times == 1 or self.path.endswith("0001.png")):
            self.send_error(503)
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None: ...


def test_a_store_that_fails_and_is_slow(thread: ReaderThread, tmp_path: Path) -> None:
    """Over HTTP, with what fsspec has for that; its listing is the index page of the folder."""
    expected = draw_scans(tmp_path / "scans", 4, 0)
    handler = type("Handler", (Moody,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: handler(*args, directory=str(tmp_path)))
    server.asked = {}  # type: ignore[attr-defined]
    server.closing = threading.Event()  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        source = Source(f"http://127.0.0.1:{server.server_port}/scans/")
        made = prepare(Store(str(tmp_path / "out")), source, {}, "jsonl", actors=1)
        limits = LoadLimits(wait_seconds=0.01, seconds=8.0, tries=2)
        found = [row for block in made.blocks for row in read(thread, source, block, limits=limits)]
    finally:
        server.closing.set()  # type: ignore[attr-defined]
        server.shutdown()
        server.server_close()
    failed = {row["path"]: row["problem"] for row in found if row["problem"]}
    assert {"0001.png", "0002.png", "empty.png", "broken.jpg"} == set(failed)
    assert "8 seconds" in failed["0002.png"]["detail"]
    assert failed["0001.png"]["type"] == "/problems/unreadable-file"
    assert {key: text for key, text in texts(found).items() if text} == {
        (name, page): text
        for (name, page), text in expected.items()
        if text and name not in ("0001.png", "0002.png")
    }


def test_suspects_are_read_alone_and_killers_are_not_read(thread: ReaderThread, tmp_path: Path) -> None:
    draw_scans(tmp_path / "scans", 6, 0)
    source = Source(str(tmp_path / "scans"))
    whole = Block(0, 0, tuple(Store(source.url).find()))
    told = Told({1: MOST_POINTS, 3: WORKER_DIED})
    found = {row["item"]: row for row in read(thread, source, whole, told)}
    assert len(found) == len(whole)
    assert found[1]["problem"]["type"] == "/problems/worker-killed"
    assert found[3]["text"] == "0003"
    assert told.order[-1] == 3
    assert 1 not in told.order


def test_the_ledger_blames_what_was_in_work() -> None:
    alive = {"a", "b"}
    ledger = Ledger(lambda node: node in alive)
    assert ledger.begin(0, "a") == {}
    for item in (0, 1, 2):
        ledger.reading(0, item)
    ledger.read(0, 0)
    assert ledger.begin(0, "b") == {1: WORKER_DIED, 2: WORKER_DIED}
    ledger.reading(0, 1)
    ledger.read(0, 1)
    ledger.reading(0, 2)
    alive.discard("b")
    assert ledger.begin(0, "a") == {1: WORKER_DIED, 2: WORKER_DIED + NODE_DIED}
    ledger.reading(0, 2)
    assert ledger.begin(0, "a")[2] >= MOST_POINTS
    ledger.end(0)
    assert ledger.begin(0, "a") == {}


def test_parts_are_never_there_in_part(tmp_path: Path) -> None:
    """Also on a store that is no folder of this machine, and on one whose disk is full."""
    for url in (str(tmp_path / "out"), "memory://out"):
        store = Store(url)
        store.write("part-0.jsonl", b"1")
        store.write("part-0.jsonl", b"22")
        assert (store.read("part-0.jsonl"), store.names()) == (b"22", {"part-0.jsonl"})
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            Store(str(tmp_path / "out")).write("part-1.jsonl", b"." * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert sorted(os.listdir(tmp_path / "out")) == ["part-0.jsonl"]


def test_jsonl_rows_have_all_columns(thread: ReaderThread, tmp_path: Path) -> None:
    draw_scans(tmp_path / "scans", 1)
    source = Source(str(tmp_path / "scans"))
    made = prepare(Store(str(tmp_path / "out")), source, {}, "jsonl", actors=1)
    for block in made.blocks:
        for line in rows.encode(read(thread, source, block), "jsonl").splitlines():
            assert set(json.loads(line)) == set(rows.schema().names)
