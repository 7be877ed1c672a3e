"""What the command line is made of, without a model: sources, targets, order, streams, settings."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
from contextlib import aclosing
from pathlib import Path
from typing import cast

import pytest
from PIL import Image

from ocrsvc.commands.output import Folder, Stream, WholeFile
from ocrsvc.commands.readings import readings
from ocrsvc.commands.sources import Source, find, listed, targets
from ocrsvc.diagnosis import configuration
from ocrsvc.errors import UndecodableImage, message, problem
from ocrsvc.reading.reader import Reader
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.reading.tasks import ordered
from ocrsvc.results import Document, Line, ModelId, Page
from ocrsvc.settings import Settings

BOX = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0))


def document(text: str) -> Document:
    return Document((Line(text, 1.0, BOX, 1),), (Page(1, 9, 9),), ModelId("m", "sha256:0"), {})


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def names(*arguments: str) -> list[str]:
    return [source.name for source in find(arguments)]


def test_sources_keep_the_order_of_the_arguments(working_directory: Path) -> None:
    touch(working_directory, "z.png", "in/b.JPG", "in/a.pdf", "in/deep/c.tif", "in/notes.txt", "in/.d/e.png")
    assert names("z.png", "in") == ["z.png", "in/a.pdf", "in/b.JPG", "in/deep/c.tif"]
    assert names("in", "z.png", "in/b.JPG")[-1] == "z.png"  # each file once
    assert names("in/notes.txt") == ["in/notes.txt"]  # who names a file means it


def test_patterns_are_expanded_where_the_shell_did_not(working_directory: Path) -> None:
    touch(working_directory, "in/b.png", "in/a.png", "in/deep/c.png", "odd[1].png")
    assert names("in/*.png") == ["in/a.png", "in/b.png"]
    assert names("in/**/*.png") == ["in/a.png", "in/b.png", "in/deep/c.png"]
    assert names("odd[1].png") == ["odd[1].png"]
    assert names("no/*.png", "gone.png") == ["no/*.png", "gone.png"]  # kept: reading them tells the error


def test_lists_may_have_blank_lines_and_any_bytes(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes("a.png\r\n\n发票 1.jpg\n".encode() + b"\xff.png\n")
    assert listed(str(path)) == ["a.png", "发票 1.jpg", "\udcff.png"]


def test_targets_depend_on_nothing_but_their_source() -> None:
    found = [Source(name, Path(name)) for name in ("a.png", "a.jpg", "b.png", "in/b.png", "a.tar.png")]
    names = ["a.png.txt", "a.jpg.txt", "b.png.txt", "in/b.png.txt", "a.tar.png.txt"]
    assert [str(path) for path in targets(found, ".txt")] == names
    assert [str(path) for each in found for path in targets([each], ".txt")] == names
    with pytest.raises(ValueError, match=r"x/a\.png and y/a\.png would both be written to a\.png\.txt"):
        targets([Source(f"{folder}/a.png", Path("a.png")) for folder in "xy"], ".txt")


async def test_answers_come_in_order_and_few_at_a_time() -> None:
    running = peak = 0

    async def ask(question: int) -> int:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        for _ in range(10 - question):  # the first take longest
            await asyncio.sleep(0)
        running -= 1
        return question * question

    async with aclosing(ordered(range(10), ask, in_flight=3)) as answers:
        assert [pair async for pair in answers] == [(i, i * i) for i in range(10)]
    assert peak == 3


async def test_closing_cancels_what_still_runs() -> None:
    cancelled = []

    async def ask(question: int) -> int:
        if question == 0:
            return 0
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(question)
            raise
        raise AssertionError("never set")

    async with aclosing(ordered(range(9), ask, in_flight=4)) as answers:
        async for _ in answers:
            break
    assert cancelled == [1, 2, 3]


class Faulty:
    """A reader that breaks on one file as only a fault of the program would."""

    async def read(self, data: bytes, request: ReadOptions) -> Document:
        if data == b"b":
            raise IndexError("boolean index did not match")
        return document(data.decode())


async def test_a_fault_of_ours_is_that_file_s_alone() -> None:
    reader = cast(Reader, Faulty())
    answers = readings(
        reader, "abc", lambda name: name.encode(), ReadOptions(), settings=Settings(workers=1), unit="files"
    )
    async with aclosing(answers):
        found = {name: answer async for name, answer in answers}
    assert [getattr(found[name], "text", None) for name in "abc"] == ["a", None, "c"]
    fault = found["b"]
    assert isinstance(fault, IndexError)
    assert re.fullmatch(
        r"a fault of ocrsvc, please report it: IndexError: boolean index did not match "
        r"\(test_commands\.py, line \d+\)",
        message(fault),
    )
    assert problem(fault) == {
        "type": "/problems/internal-error",
        "title": "Internal error",
        "status": 500,
        "detail": message(fault),
    }


class Capture:
    """Standard output as a pipe has it: text on top of bytes, no terminal."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bytes = io.BytesIO()
        monkeypatch.setattr("sys.stdout", io.TextIOWrapper(self.bytes, encoding="utf-8", write_through=True))

    def text(self) -> str:
        return self.bytes.getvalue().decode()


def stream(format_name: str, *, several: bool, bad: bool) -> None:
    output = Stream(format_name, several=several)
    output.put(Source("a.png", Path("a.png")), document("甲"))
    if bad:
        output.fail(Source("b.png", Path("b.png")), UndecodableImage("broken", width=3))
    if several:
        output.put(Source("c.png", Path("c.png")), document("丙"))
    output.close()


def test_stream_of_text(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Capture(monkeypatch)
    stream("text", several=True, bad=True)
    assert out.text() == "甲\n丙\n"


def test_stream_of_json_is_one_array(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Capture(monkeypatch)
    stream("json", several=True, bad=True)
    first, second, third = json.loads(out.text())
    assert (first["file"], first["text"], third["file"]) == ("a.png", "甲", "c.png")
    assert second == {
        "file": "b.png",
        "error": {
            "type": "/problems/undecodable-image",
            "title": "Image cannot be decoded",
            "status": 422,
            "detail": "broken",
            "width": 3,
        },
    }


def test_a_name_that_is_no_utf8_is_shown_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Capture(monkeypatch)
    output = Stream("jsonl", several=True)
    output.put(Source("发\udcff.png", Path("x")), document("甲"))
    output.fail(Source("\udcff.png", Path("y")), UndecodableImage("broken"))
    assert [json.loads(line)["file"] for line in out.text().splitlines()] == ["发\ufffd.png", "\ufffd.png"]


def test_stream_of_one_json_is_an_object(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Capture(monkeypatch)
    stream("json", several=False, bad=False)
    assert json.loads(out.text())["text"] == "甲"


def test_stream_of_nothing_is_an_empty_array(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Capture(monkeypatch)
    Stream("json", several=True).close()
    assert json.loads(out.text()) == []


def test_stream_of_tables_is_one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Capture(monkeypatch)
    stream("tsv", several=True, bad=True)
    rows = [row.split("\t") for row in out.text().splitlines()]
    assert [len(row) for row in rows] == [13] * len(rows)
    assert [row[0] for row in rows] == ["file", "a.png", "a.png", "a.png", "c.png", "c.png", "c.png"]


def test_folder_mirrors_and_drops_stale_readings(tmp_path: Path) -> None:
    good, bad = Source("in/a.png", Path("a.png")), Source("in/deep/b.png", Path("deep/b.png"))
    stale = tmp_path / "out" / "deep" / "b.png.txt"
    stale.parent.mkdir(parents=True)
    stale.write_text("an earlier run")
    output = Folder("text", tmp_path / "out", [good, bad])
    output.put(good, document("甲"))
    output.fail(bad, UndecodableImage("broken"))
    assert (tmp_path / "out" / "a.png.txt").read_text(encoding="utf-8") == "甲\n"
    assert not stale.exists()


def picture(folder: Path, name: str) -> Source:
    path = folder / name
    Image.new("RGB", (20, 20), "white").save(path)  # as square as the page of `document`
    return Source(str(path), Path(name))


def test_names_do_not_depend_on_neighbours(tmp_path: Path) -> None:
    sources = [picture(tmp_path, name) for name in ("a.png", "a.jpg", "a.pdf")]
    out = tmp_path / "out"
    output = Folder("pdf", out, sources)
    for source in sources:
        output.put(source, document("甲"))
    assert sorted(path.name for path in out.iterdir()) == ["a.jpg.pdf", "a.pdf.pdf", "a.png.pdf"]
    assert all(path.read_bytes().startswith(b"%PDF") for path in out.iterdir())


def test_a_whole_file_is_there_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "out.pdf"
    path.write_bytes(b"an earlier run")
    output = WholeFile("pdf", path)
    broken = Source("broken.png", Path("broken.png"), b"GIF89a")
    with pytest.raises(UndecodableImage):
        output.put(broken, document("甲"))
    output.fail(broken, UndecodableImage("broken"))
    assert path.read_bytes() == b"an earlier run"
    output.put(picture(tmp_path, "a.png"), document("甲"))
    assert path.read_bytes().startswith(b"%PDF")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.png", "out.pdf"]


def test_problem_of_a_missing_file() -> None:
    error = FileNotFoundError(2, "No such file or directory", "x.png")
    assert problem(error) == {
        "type": "/problems/unreadable-file",
        "title": "Unreadable file",
        "detail": "No such file or directory",
    }


def test_offline_work_has_no_deadline_but_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    assert configuration.load_offline().deadline_seconds == 3600
    monkeypatch.setenv("OCRSVC_DEADLINE_SECONDS", "7")
    assert configuration.load_offline(model="x").deadline_seconds == 7
    assert configuration.load_offline(model="x").model == "x"
    monkeypatch.setenv("OCRSVC_PORT", "many")
    with pytest.raises(configuration.InvalidSettings, match="OCRSVC_PORT"):
        configuration.load()


def test_variables_that_are_no_settings_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OCRSVC_")]:
        monkeypatch.delenv(name)
    for name in (
        "OCRSVC_SERVICE_HOST",
        "OCRSVC_SERVICE_PORT_HTTP",
        "OCRSVC_PORT_8000_TCP_ADDR",
        "OCRSVC_WORKERS",
    ):
        monkeypatch.setenv(name, "2")
    assert configuration.unknown_variables() == []
    monkeypatch.setenv("OCRSVC_WORKER", "2")
    monkeypatch.setenv("OCRSVC_QQQ", "2")
    assert configuration.unknown_variables() == [
        "OCRSVC_QQQ is no setting, see docs/settings.md",
        "OCRSVC_WORKER is no setting; is OCRSVC_WORKERS meant?",
    ]


def test_the_port_that_kubernetes_sets_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCRSVC_PORT", "tcp://10.0.0.7:8000")
    with pytest.raises(configuration.InvalidSettings, match=r"OCRSVC_PORT: .*enableServiceLinks: false"):
        configuration.load()
