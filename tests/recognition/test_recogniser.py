"""The recogniser on a tiny ONNX model, and its independence of company on a real one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace

import faulty_model
import numpy as np
import pytest
import tiny_model
from numpy.typing import NDArray

from ocrsvc.errors import CorruptModel, EngineFailure, UnknownCharset, UnknownModel
from ocrsvc.machine import cpu
from ocrsvc.models.buckets import fit
from ocrsvc.models.static_shapes import FixedSessions
from ocrsvc.recognition import recogniser
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.results import LineText
from ocrsvc.scheduling.batcher import Batcher, Lane

Crop = NDArray[np.uint8]

TEXTS = ("0123", "中文 42", "A", "XYXY", "99999", "0 1")


@pytest.fixture(scope="module")
def tiny() -> Recogniser:
    return Recogniser(tiny_model.manifest(), cpu=cpu.inspect())


def test_lines_are_read_in_order(tiny: Recogniser) -> None:
    lines = tiny.run(128, [tiny_model.draw(text) for text in TEXTS])
    assert [line.text for line in lines] == list(TEXTS)
    assert all(line.confidence > 0.9 for line in lines)


def test_no_crops_no_lines(tiny: Recogniser) -> None:
    assert tiny.run(64, []) == []


@pytest.mark.parametrize("charset", [None, "digits"])
def test_a_model_that_loses_a_row_loses_no_text(charset: str | None) -> None:
    """Without the check its last line would have been read as nothing."""
    faulty = Recogniser(faulty_model.manifest(), cpu=cpu.inspect())
    constraint = faulty.charset(charset) if charset else None
    whole = [faulty_model.draw("01"), faulty_model.draw("23")]
    assert [line.text for line in faulty.run(64, whole, constraint)] == ["01", "23"]
    short = [faulty_model.draw("01", faulty_model.LOSES_A_ROW), faulty_model.draw("23")]
    with pytest.raises(EngineFailure, match="1 rows for 2 lines"):
        faulty.run(64, short, constraint)


def test_positions_do_not_depend_on_the_bucket(tiny: Recogniser) -> None:
    crop = tiny_model.draw("01")
    narrow, wide = tiny.run(64, [crop])[0], tiny.run(256, [crop])[0]
    assert narrow == wide
    assert [c.start for c in narrow.characters] == [0.0, pytest.approx(12 / 32)]


def test_a_charset_forces_the_reading_to_its_characters(tiny: Recogniser) -> None:
    (line,) = tiny.run(128, [tiny_model.draw("0A1B")], tiny.charset("digits"))
    assert line.text[0] == "0"
    assert line.text.isdigit()
    assert len(line.text) == 4
    free, forced = (tiny.run(64, [tiny_model.draw("42")], c)[0] for c in (None, tiny.charset("digits")))
    assert free.text == forced.text == "42"
    assert forced.confidence > free.confidence - 0.01


def test_the_free_reading_comes_from_the_same_run(tiny: Recogniser) -> None:
    crops = [tiny_model.draw(text) for text in TEXTS]
    digits = tiny.charset("digits")
    both = tiny.run(128, crops, digits)
    assert [line.free for line in both] == tiny.run(128, crops)


def test_a_charset_of_what_is_there_changes_nothing(real: Recogniser, crops: list[Crop]) -> None:
    some = [crop for crop in crops if crop.shape[1] <= 640][:3]
    free = real.run(640, some)
    known = "".join(dict.fromkeys("".join(line.text for line in free) + real.spec.charset[:500]))
    lines = real.run(640, some, real.charset("chars:" + known))
    assert [line.text for line in lines] == [line.text for line in free]
    assert [line.free.text for line in lines if line.free] == [line.text for line in free]
    # What is elsewhere is shared out; an INT8 graph rounds what its head is given, a charset's rows are in float.
    least = 0.06 if real.file is real.spec.files.get("int8") else 0.02
    for line, other in zip(lines, free, strict=True):
        for ours, theirs in zip(line.characters, other.characters, strict=True):
            assert ours.confidence >= theirs.confidence - least


def test_a_charset_that_the_model_lacks_is_refused(tiny: Recogniser) -> None:
    with pytest.raises(UnknownCharset):
        tiny.charset("chars:Ω")


def test_a_charset_needs_the_head() -> None:
    spec = tiny_model.manifest()
    headless = Recogniser(replace(spec, files={"fp32": spec.files["fp32"]}), cpu=cpu.inspect())
    with pytest.raises(CorruptModel, match="no head"):
        headless.run(64, [tiny_model.draw("1")], headless.charset("digits"))


def test_many_charsets_do_not_fill_memory(tiny: Recogniser) -> None:
    crop = tiny_model.draw("7")
    for count in range(200):
        assert tiny.run(64, [crop], tiny.charset("chars:7" + chr(0x4E00 + count)))[0].text == "7"
    assert len(tiny._constraints) <= 64
    assert len(tiny._charsets) <= 64


def test_large_charsets_are_scored_in_parts_and_kept_within_bounds(
    tiny: Recogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops = [tiny_model.draw(text) for text in TEXTS]
    charset = tiny.charset("digits,chars:中文 AXY")
    whole = tiny.run(128, crops, charset)
    monkeypatch.setattr(recogniser, "_MOST_SCORES", 1)
    assert tiny.run(128, crops, charset) == whole
    monkeypatch.setattr(recogniser, "_MOST_CONSTRAINT_FLOATS", 40)
    for spec in ("digits", "chars:0123", "digits,chars:A", "chars:AB"):
        tiny.run(64, crops[2:3], tiny.charset(spec))
    assert sum(weight.size for weight, _ in tiny._constraints.values()) <= 40
    assert "chars:AB" in tiny._constraints


def test_one_recogniser_serves_many_threads(tiny: Recogniser) -> None:
    results: dict[int, list[str]] = {}

    def work(number: int) -> None:
        text = TEXTS[number % len(TEXTS)]
        results[number] = [tiny.run(128, [tiny_model.draw(text)])[0].text for _ in range(20)]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: [TEXTS[n % len(TEXTS)]] * 20 for n in range(8)}


def test_warm_up_runs_every_bucket_the_widest_first(tiny: Recogniser) -> None:
    runs = list(tiny.warm(rows=(1, 4)))
    assert [(width, rows) for width, rows, _ in runs] == [
        (256, 4),
        (256, 1),
        (128, 4),
        (128, 1),
        (64, 4),
        (64, 1),
    ]
    assert all(seconds > 0 for *_, seconds in runs)


def test_the_model_is_named_by_the_digest_of_its_weights(tiny: Recogniser) -> None:
    assert tiny.id.name == "tiny"
    assert tiny.id.digest == "sha256:" + tiny_model.manifest().files["fp32"].sha256


@pytest.mark.parametrize(("arena", "threads"), [(False, 1), (True, 2), (False, 3)])
def test_arena_and_threads_change_no_text(tiny: Recogniser, arena: bool, threads: int) -> None:
    other = Recogniser(tiny_model.manifest(), cpu=cpu.inspect(), arena=arena, threads=threads)
    assert not isinstance(other._session, FixedSessions)
    options = other._session.get_session_options()
    assert (options.enable_cpu_mem_arena, options.intra_op_num_threads) == (arena, threads)
    pictures = [tiny_model.draw(text) for text in TEXTS if len(text) <= 8]
    assert other.run(128, pictures) == tiny.run(128, pictures)
    digits = other.charset("digits")
    assert other.run(128, pictures, digits) == tiny.run(128, pictures, tiny.charset("digits"))


def test_a_precision_that_does_not_ship_is_refused() -> None:
    with pytest.raises(UnknownModel, match="no int8 weights, only fp32"):
        Recogniser(tiny_model.manifest(), cpu=cpu.inspect(), precision="int8")


# --- the same text alone, in a batch, and under load: what buckets are for ---


def same(left: LineText, right: LineText) -> bool:
    """The same text, each character's probability within 1e-4."""
    return left.text == right.text and all(
        abs(a.confidence - b.confidence) < 1e-4
        for a, b in zip(left.characters, right.characters, strict=True)
    )


@pytest.fixture(scope="session")
def crops(real: Recogniser, draw_line: Callable[..., Crop]) -> list[Crop]:
    """Fifty lines of many widths."""
    words = [
        "发票号码",
        "Invoice No.",
        "合计金额¥",
        "Total",
        "2026-11-21",
        "北京市海淀区",
        "x=3.14",
        "OCR 服务",
    ]
    texts = ["".join(words[(i * 3 + j) % len(words)] for j in range(1 + i % 4)) + str(i) for i in range(50)]
    return [fit(draw_line(text), real.spec.input.height) for text in texts]


@pytest.mark.timeout(120)
def test_a_real_line_reads_the_same_alone_and_in_a_batch_of_32(real: Recogniser, crops: list[Crop]) -> None:
    width = 640
    fitting = [crop for crop in crops if crop.shape[1] <= width][:32]
    assert len(fitting) == 32
    together = real.run(width, fitting)
    assert sum(len(line.text) for line in together) > 200
    for crop, line in list(zip(fitting, together, strict=True))[::4]:
        assert same(real.run(width, [crop])[0], line)


@pytest.mark.timeout(120)
async def test_fifty_real_requests_at_once_read_as_each_alone(real: Recogniser, crops: list[Crop]) -> None:
    buckets = real.spec.buckets

    def run(lane: Lane, payloads: list[Crop]) -> list[LineText]:
        return real.run(lane.width, payloads)

    batcher: Batcher[Crop, LineText] = Batcher(run, workers=3, t_max_ms=500)  # type: ignore[arg-type]
    await batcher.start()
    futures = [batcher.submit([(Lane("m", buckets.of(crop.shape[1])), crop)])[0] for crop in crops]
    busy = await asyncio.gather(*futures)
    await batcher.close(5)
    assert max(batcher.counters.rows_histogram) > 1
    for crop, line in list(zip(crops, busy, strict=True))[::3]:
        assert same(real.run(buckets.of(crop.shape[1]), [crop])[0], line)
