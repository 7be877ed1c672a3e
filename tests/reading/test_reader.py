"""The whole way: a tiny recogniser that reads grey stripes, the real detector, and real models where they are."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import time
from collections.abc import AsyncIterator, Callable
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tiny_model
from available import missing, model_name
from drawings import RECEIPT, DrawnPage, Picture
from PIL import Image

from ocrsvc.errors import (
    CorruptModel,
    DeadlineExceeded,
    EmptyInput,
    EngineFailure,
    InvalidParameter,
    Saturated,
    ShuttingDown,
    TooManyPixels,
    Unavailable,
    UndecodableImage,
    UnknownCharset,
    UnknownModel,
    UnsupportedMedia,
)
from ocrsvc.models.registry import DETECTOR, Registry, default_models_dir
from ocrsvc.reading.reader import Reader
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.recognition import beam
from ocrsvc.results import Document
from ocrsvc.settings import Settings


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """A folder with the tiny recogniser and the real detector."""
    return tiny_model.write_with_detector(tmp_path)


@pytest.fixture
def settings(models_dir: Path) -> Settings:
    return Settings(model="tiny", models_dir=models_dir, workers=2, detector_side_pixels=320)


@pytest.fixture
async def reader(settings: Settings) -> AsyncIterator[Reader]:
    made = Reader(settings)
    await made.start(warm=False)  # every shape once: most of what a test of a few lines would take
    yield made
    await made.close(5)


def png(image: Picture) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def tiff(*pages: Picture) -> bytes:
    first, *others = (Image.fromarray(page[:, :, ::-1]) for page in pages)
    buffer = io.BytesIO()
    first.save(buffer, "TIFF", save_all=True, append_images=others)
    return buffer.getvalue()


LINE = ReadOptions(mode="line")


async def test_a_model_with_an_attention_decoder_is_chosen_by_name(reader: Reader, models_dir: Path) -> None:
    tiny_model.write(models_dir, "tiny-attention", decoder=True)
    line = png(tiny_model.draw("8A", "8B"))
    plain, read = [
        await reader.read(line, ReadOptions(mode="line", model=name, n_best=2))
        for name in ("tiny", "tiny-attention")
    ]
    assert (plain.text, read.text, read.model.name) == ("8A", "8B", "tiny-attention")
    assert [each.text for each in read.lines[0].alternatives] == ["8B", "8A"]
    assert read.lines[0].confidence == pytest.approx(tiny_model.DECODER_PEAK)
    ours, others = read.lines[0].characters, plain.lines[0].characters
    assert [(each.start, each.end) for each in ours] == [(each.start, each.end) for each in others]


# --- lines ---


async def test_a_line_is_read(reader: Reader) -> None:
    document = await reader.read(png(tiny_model.draw("12AB中")), LINE)
    assert document.text == "12AB中"
    (line,) = document.lines
    assert line.polygon == ((0.0, 0.0), (80.0, 0.0), (80.0, 48.0), (0.0, 48.0))
    assert line.page == 1
    assert len(line.characters) == 5
    assert line.confidence > 0.9
    assert document.pages[0].width == 80
    assert document.model.name == "tiny"
    assert document.model.digest.startswith("sha256:")


async def test_the_stages_are_timed(reader: Reader) -> None:
    spent = (await reader.read(png(tiny_model.draw("1")), LINE)).timing_ms
    assert set(spent) == {"decode", "detect", "recognise", "total"}
    assert spent["detect"] == 0
    assert 0 < spent["decode"] + spent["recognise"] <= spent["total"]


async def test_an_idle_reader_gives_memory_back_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocrsvc.reading.reader._IDLE_SECONDS", 0.02)
    made = Reader(settings)
    await made.start()
    loop, given = asyncio.get_running_loop(), asyncio.Semaphore(0)
    give_back = made.sessions.detector.give_back

    def counted() -> None:
        give_back()
        loop.call_soon_threadsafe(given.release)

    monkeypatch.setattr(made.sessions.detector, "give_back", counted)
    await given.acquire()  # what warming up left
    for _ in range(2):  # after each burst, and not again before the next
        await made.read(png(tiny_model.draw("7")), ReadOptions(mode="line"))
        await given.acquire()
        await asyncio.sleep(0.1)
        assert given.locked()
    await made.close(5)


async def test_a_line_has_the_same_text_alone_and_in_company(reader: Reader) -> None:
    texts = ["12AB中", "XY", "文", "0 1 2", "中文中文中文", "9" * 3, "A0B1" * 3]
    alone = [(await reader.read(png(tiny_model.draw(text)), LINE)).lines[0] for text in texts]
    assert [line.text for line in alone] == texts
    together = await asyncio.gather(*(reader.read(png(tiny_model.draw(text)), LINE) for text in texts * 6))
    for line, document in zip(alone * 6, together, strict=True):
        assert document.lines[0].text == line.text
        assert document.lines[0].confidence == pytest.approx(line.confidence, abs=1e-4)


async def test_auto_takes_a_line_for_a_line(reader: Reader) -> None:
    document = await reader.read(png(tiny_model.draw("0123")))
    assert document.text == "0123"
    assert document.timing_ms["detect"] == 0


async def test_a_blank_line_is_an_empty_text(reader: Reader) -> None:
    document = await reader.read(png(np.full((48, 100, 3), 127, np.uint8)), LINE)
    assert document.text == ""
    assert [line.confidence for line in document.lines] == [0.0]


async def test_one_pixel_is_read_in_every_mode(reader: Reader) -> None:
    for mode in ("line", "page", "auto"):
        document = await reader.read(png(np.zeros((1, 1, 3), np.uint8)), ReadOptions(mode=mode))
        assert (document.pages[0].width, document.pages[0].height) == (1, 1)


async def test_a_charset_binds_the_reading(reader: Reader) -> None:
    data = png(tiny_model.draw("1A2B"))
    document = await reader.read(data, ReadOptions(mode="line", charset="digits"))
    assert set(document.text) <= set("0123456789")
    assert (await reader.read(data, LINE)).text == "1A2B"  # nothing sticks


async def test_report_tells_what_stands_there_without_the_charset(reader: Reader) -> None:
    digits = ReadOptions(mode="line", charset="digits", charset_mode="report")
    document = await reader.read(png(tiny_model.draw("1A2B")), digits)
    (line,) = document.lines
    assert set(line.text) <= set("0123456789")
    assert line.free_text == "1A2B"
    assert line.needs_review
    (line,) = (await reader.read(png(tiny_model.draw("120")), digits)).lines
    assert line.text == "120"
    assert line.free_text is None
    assert not line.needs_review


def doubtful(*texts: str) -> Picture:
    """A line of the tiny model whose last stripe is nearly half-way between 2 and 3, so that it is read as 2."""
    two, three = (tiny_model.draw(text).astype(np.float64) for text in "23")
    middle = np.round(two * 0.52 + three * 0.48).astype(np.uint8)
    return np.concatenate([*map(tiny_model.draw, texts), middle], axis=1)


async def test_alternatives_of_a_line_and_its_characters(reader: Reader) -> None:
    data = png(doubtful("1A"))
    (plain,) = (await reader.read(data, LINE)).lines
    assert (plain.text, plain.alternatives) == ("1A2", ())
    assert all(character.alternatives == () for character in plain.characters)
    (line,) = (await reader.read(data, ReadOptions(mode="line", n_best=3))).lines
    assert (line.text, line.confidence) == (plain.text, plain.confidence)
    assert [each.text for each in line.alternatives[:2]] == ["1A2", "1A3"]
    assert line.alternatives[0].confidence == line.confidence
    assert len({each.text for each in line.alternatives}) == len(line.alternatives) <= 3
    for each in (line.alternatives, *(character.alternatives for character in line.characters)):
        confidences = [alternative.confidence for alternative in each]
        assert confidences == sorted(confidences, reverse=True)
    assert [each.text for each in line.characters[2].alternatives[:2]] == ["2", "3"]
    assert [character.alternatives[0].text for character in line.characters] == list("1A2")
    (one,) = (await reader.read(data, ReadOptions(mode="line", n_best=1))).lines
    assert [each.text for each in one.alternatives] == ["1A2"]
    bound = ReadOptions(mode="line", n_best=5, charset="chars:02A")
    (forced,) = (await reader.read(data, bound)).lines
    assert set("".join(each.text for each in forced.alternatives)) <= set("02A")


async def test_alternatives_of_a_line_of_several_pieces(reader: Reader) -> None:
    text = "".join("0123456789AB"[i * 5 % 12] for i in range(20))
    data = png(doubtful(text))
    (line,) = (await reader.read(data, ReadOptions(mode="line", n_best=2))).lines
    assert line.text == (await reader.read(data, LINE)).text
    assert [each.text[-3:] for each in line.alternatives] == [text[-2:] + "2", text[-2:] + "3"]


async def test_alternatives_are_sought_on_a_thread_and_only_if_wanted(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[str] = []
    search = beam.search

    def watched(*arguments: Any) -> list[tuple[str, float]]:
        searched.append(threading.current_thread().name)
        return search(*arguments)

    monkeypatch.setattr(beam, "search", watched)
    pages = tiff(*(tiny_model.draw("12") for _ in range(3)))
    await reader.read(pages, LINE)
    assert searched == []
    document = await reader.read(pages, ReadOptions(mode="line", n_best=2))
    assert [line.alternatives[0].text for line in document.lines] == ["12"] * 3
    assert len(searched) == 3
    assert threading.current_thread().name not in searched


async def test_a_calibrated_model_tells_probabilities(models_dir: Path, settings: Settings) -> None:
    data = png(tiny_model.draw("12AB中"))
    before = await _read(settings, data, LINE)
    path = models_dir / "tiny" / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    entry = {
        "weights_sha256": manifest["files"]["fp32"]["sha256"],
        "character": {"slope": 0.5, "offset": 0.0},
        "line": {"offset": -1.0, "doubt": 0.2, "length": 0.0},
        "review_threshold": 0.8,
    }
    path.write_text(json.dumps({**manifest, "calibration": {"precision": {"fp32": entry}}}), "utf-8")
    after = await _read(settings, data, LINE)
    assert after.text == before.text
    assert before.lines[0].confidence > 0.9
    assert not before.lines[0].needs_review
    assert 0.3 < after.lines[0].confidence < 0.8
    assert after.lines[0].needs_review
    assert after.lines[0].characters[0].confidence < before.lines[0].characters[0].confidence
    lenient = settings.model_copy(update={"review_threshold": 0.1})
    assert not (await _read(lenient, data, LINE)).lines[0].needs_review
    (line,) = (await _read(settings, data, ReadOptions(mode="line", n_best=5))).lines
    assert line.alternatives[0].confidence == after.lines[0].confidence
    assert sum(each.confidence for each in line.alternatives) <= 1 + 1e-9
    for character, plain in zip(line.characters, after.lines[0].characters, strict=True):
        assert character.alternatives[0].confidence == character.confidence == plain.confidence
    strict = ReadOptions(mode="line", review_threshold=1.0)
    assert (await _read(lenient, data, strict)).lines[0].needs_review
    bound = ReadOptions(mode="line", charset="latin,chars:中")  # its own probabilities, and no calibration
    assert (await _read(settings, data, bound)).lines[0].confidence > 0.9


async def _read(settings: Settings, data: bytes, options: ReadOptions) -> Document:
    made = Reader(settings)
    await made.start(warm=False)
    document = await made.read(data, options)
    await made.close(5)
    return document


async def test_steps_of_the_settings_are_done(settings: Settings) -> None:
    made = Reader(settings.model_copy(update={"enhance": "adaptive"}))
    await made.start(warm=False)
    plain = tiny_model.draw("555")
    assert (await made.read(png(plain), LINE)).text != "555"
    await made.close(5)
    with pytest.raises(InvalidParameter):
        Reader(settings.model_copy(update={"enhance": "magic"}))


# --- bad input ---


@pytest.mark.parametrize(
    ("data", "options", "error"),
    [
        (b"", {}, EmptyInput),
        (b"hello, world", {}, UnsupportedMedia),
        (png(np.zeros((50, 50, 3), np.uint8))[:60], {}, UndecodableImage),
        (png(np.zeros((2000, 2000, 3), np.uint8)), {}, TooManyPixels),
        (png(tiny_model.draw("1")), {"model": "none"}, UnknownModel),
        (png(tiny_model.draw("1")), {"charset": "klingon"}, UnknownCharset),
        (png(tiny_model.draw("1")), {"pages": "2"}, InvalidParameter),
        (png(tiny_model.draw("1")), {"pages": "x"}, InvalidParameter),
    ],
)
async def test_wrong_input_is_refused_and_does_no_harm(
    settings: Settings, data: bytes, options: dict[str, Any], error: type[Exception]
) -> None:
    made = Reader(settings.model_copy(update={"max_image_pixels": 1_000_000}))
    await made.start(warm=False)
    with pytest.raises(error):
        await made.read(data, ReadOptions(mode="line", **options))
    assert (await made.read(png(tiny_model.draw("12")), LINE)).text == "12"
    assert made.batcher.load().outstanding == 0
    await made.close(5)


async def test_a_request_may_not_name_a_path(reader: Reader, models_dir: Path) -> None:
    with pytest.raises(UnknownModel):
        await reader.read(png(tiny_model.draw("1")), ReadOptions(model=str(models_dir / "tiny")))


# --- pages ---


async def test_a_blank_page_has_no_lines(reader: Reader) -> None:
    document = await reader.read(png(np.full((300, 400, 3), 255, np.uint8)))
    assert document.lines == ()
    assert document.text == ""
    assert document.timing_ms["detect"] > 0


async def test_pages_come_in_order_with_their_numbers(reader: Reader) -> None:
    data = tiff(*(tiny_model.draw("AB"[: 1 + i % 2] * (1 + i)) for i in range(7)))
    document = await reader.read(data, LINE)
    assert [page.number for page in document.pages] == [1, 2, 3, 4, 5, 6, 7]
    assert [line.page for line in document.lines] == [1, 2, 3, 4, 5, 6, 7]
    assert document.lines[3].text == "AB" * 4
    some = await reader.read(data, ReadOptions(mode="line", pages="2,4-5"))
    assert [line.text for line in some.lines] == [document.lines[i].text for i in (1, 3, 4)]


async def test_only_a_few_pages_are_in_memory(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    most = 0
    recognise = reader._pages._lines.texts

    async def slow(*arguments: Any) -> Any:
        nonlocal most
        running.append(1)
        most = max(most, len(running))
        for _ in range(3000):  # until another page has come as far
            if most > 1:
                break
            await asyncio.sleep(0.01)
        try:
            return await recognise(*arguments)
        finally:
            running.pop()

    running: list[int] = []
    monkeypatch.setattr(reader._pages._lines, "texts", slow)
    document = await reader.read(tiff(*(tiny_model.draw("AB") for _ in range(12))), LINE)
    assert len(document.pages) == 12
    assert 1 < most <= 2


async def test_a_bad_page_fails_the_document_and_leaves_nothing_behind(settings: Settings) -> None:
    made = Reader(settings.model_copy(update={"max_image_pixels": 20_000}))
    await made.start(warm=False)
    large = np.zeros((200, 200, 3), np.uint8)
    with pytest.raises(TooManyPixels):
        await made.read(tiff(tiny_model.draw("A"), tiny_model.draw("B"), large, tiny_model.draw("A")), LINE)
    assert made.batcher.load().outstanding == 0
    assert made.pixel_limit.inside == 0
    await made.close(5)


# --- time, load, faults ---


async def test_cancelling_a_reading_takes_its_lines_back(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, begun, loop = reader.sessions.run, asyncio.Event(), asyncio.get_running_loop()

    def slow(*arguments: Any) -> Any:
        loop.call_soon_threadsafe(begun.set)
        time.sleep(0.05)
        return run(*arguments)

    monkeypatch.setattr(reader.batcher._workers._runner, "_run", slow)
    data = tiff(*(tiny_model.draw("AB" * (1 + i % 5)) for i in range(40)))
    task = asyncio.create_task(reader.read(data, LINE))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert reader.batcher.load().outstanding == 0
    assert reader.pixel_limit.inside == 0
    assert (await reader.read(png(tiny_model.draw("12")), LINE)).text == "12"


async def test_a_late_reading_fails_in_time(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not wait for the engine, which is still at work."""
    run, may_finish = reader.sessions.run, threading.Event()

    def slow(*arguments: Any) -> Any:
        assert may_finish.wait(30)
        return run(*arguments)

    monkeypatch.setattr(reader.batcher._workers._runner, "_run", slow)
    with pytest.raises(DeadlineExceeded):
        await reader.read(png(tiny_model.draw("1")), ReadOptions(mode="line", deadline_seconds=0.1))
    may_finish.set()


async def test_a_full_queue_refuses_at_the_door(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Reader(settings.model_copy(update={"max_queue_seconds": 0.01}))
    await made.start()
    run = made.sessions.run

    def slow(*arguments: Any) -> Any:
        time.sleep(0.2)
        return run(*arguments)

    monkeypatch.setattr(made.batcher._workers._runner, "_run", slow)
    results = await asyncio.gather(
        *(made.read(png(tiny_model.draw("AB" * 7)), LINE) for _ in range(60)), return_exceptions=True
    )
    refused = [each for each in results if isinstance(each, Saturated)]
    assert refused
    assert refused[0].retry_after_seconds >= 1
    assert any(isinstance(each, Document) for each in results)
    await made.close(5)


async def test_a_failing_engine_is_an_engine_failure(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any) -> Any:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(reader.sessions.recognisers["tiny"], "run", broken)
    with pytest.raises(EngineFailure):
        await reader.read(png(tiny_model.draw("1")), LINE)
    assert reader.alive


async def test_before_start_and_after_close(settings: Settings) -> None:
    made = Reader(settings)
    assert not made.ready
    assert not made.alive
    with pytest.raises(Unavailable):
        await made.read(png(tiny_model.draw("1")))
    await made.start()
    assert made.ready
    assert made.alive
    assert [manifest.name for manifest in made.models() if manifest.name == "tiny"] == ["tiny"]
    await made.close(5)
    assert not made.ready
    with pytest.raises(ShuttingDown):
        await made.read(png(tiny_model.draw("1")))


async def test_the_scheduler_knows_every_shape_after_the_start(settings: Settings) -> None:
    made = Reader(settings)
    await made.start()
    known = {(model, width) for model, width, _ in made.batcher.cost._fits}
    await made.close(5)
    assert {("tiny", width) for width in tiny_model.WIDTHS} <= known
    assert any(model == DETECTOR for model, _ in known)


@pytest.mark.parametrize("damage", ["missing", "flipped", "empty", "no onnx"])
@pytest.mark.parametrize("folder", ["tiny", DETECTOR])
async def test_a_broken_model_stops_the_start(
    models_dir: Path, folder: str, damage: str, settings: Settings
) -> None:
    if folder == DETECTOR:
        (models_dir / DETECTOR).unlink()
        (models_dir / DETECTOR).mkdir()
        for file in (default_models_dir() / DETECTOR).iterdir():
            (models_dir / DETECTOR / file.name).write_bytes(file.read_bytes())
    (weights,) = (models_dir / folder).glob("*.onnx")
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 0xFF
    if damage == "missing":
        weights.unlink()
    else:
        weights.write_bytes({"flipped": bytes(content), "empty": b"", "no onnx": b"hello"}[damage])
    made = Reader(settings)
    with pytest.raises(CorruptModel):
        await made.start()
    assert not made.ready
    await made.close(0)


async def test_an_unknown_default_model_stops_the_start(settings: Settings) -> None:
    made = Reader(settings.model_copy(update={"model": "nonesuch"}))
    with pytest.raises(UnknownModel, match="tiny"):
        await made.start()
    await made.close(0)


# --- real models ---


@pytest.fixture(scope="module")
def real() -> Settings:
    """Settings for the best model there is."""
    settings = Settings(model=model_name(), workers=2)
    if settings.model not in Registry(settings).names():
        missing("no recogniser to read real text with: pip install --no-deps rapidocr, or train crnn")
    return settings


async def test_a_drawn_receipt_is_read_in_order(real: Settings, draw_page: Callable[..., DrawnPage]) -> None:
    made = Reader(real)
    await made.start(warm=False)
    page = draw_page()
    document = await made.read(png(page.image))
    upside_right = [line.replace(" ", "") for line in document.text.splitlines()]
    wanted = [line.replace(" ", "") for line in RECEIPT]
    assert sum(line in "".join(upside_right) for line in wanted) >= len(wanted) - 1
    found = ["".join(document.text.split()).find(line[:4]) for line in wanted]
    assert [place for place in found if place >= 0] == sorted(place for place in found if place >= 0)
    for line in document.lines:
        assert line.confidence >= 0.5
        for x, y in line.polygon:
            assert 0 <= x <= page.image.shape[1]
            assert 0 <= y <= page.image.shape[0]
    await made.close(5)


async def test_a_photograph_too_large_for_the_memory_is_read_smaller_in_its_own_coordinates(
    real: Settings, draw_page: Callable[..., DrawnPage]
) -> None:
    page = draw_page(size=110)
    height, width = page.image.shape[:2]
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(page.image[:, :, ::-1])).save(buffer, "JPEG", quality=90)
    documents = []
    for most in (None, width * height):  # bytes: a quarter of what it takes
        made = Reader(real.model_copy(update={"max_decode_bytes": most}))
        await made.start(warm=False)
        documents.append(await made.read(buffer.getvalue()))
        await made.close(5)
    whole, smaller = documents
    assert whole.pages == smaller.pages
    assert (smaller.pages[0].width, smaller.pages[0].height) == (width, height)
    assert SequenceMatcher(None, whole.text, smaller.text, autojunk=False).ratio() > 0.95
    for one, other in zip(whole.lines, smaller.lines, strict=True):
        assert np.abs(np.subtract(one.polygon, other.polygon)).max() <= 30  # lines are 130 high


async def test_lines_beyond_the_limits_are_left_out_and_counted(
    real: Settings, draw_page: Callable[..., DrawnPage]
) -> None:
    made = Reader(real.model_copy(update={"max_page_lines": 3, "max_request_lines": 5}))
    await made.start(warm=False)
    page = draw_page().image
    whole = await made.read(tiff(page, page, page))
    counts = [sum(line.page == number for line in whole.lines) for number in (1, 2, 3)]
    assert max(counts) == 3
    assert 5 <= sum(counts) <= 6, "two pages may be found at the same time"
    assert {n + each.lines_omitted for n, each in zip(counts, whole.pages, strict=True)} == {len(RECEIPT)}
    (only,) = (await made.read(png(page))).pages
    assert only.lines_omitted == len(RECEIPT) - 3
    await made.close(5)


async def test_a_tilted_page_and_a_rotated_photo_read_the_same(
    real: Settings, draw_page: Callable[..., DrawnPage]
) -> None:
    made = Reader(real)
    await made.start(warm=False)
    lines = ("上海好又多超市", "收银小票 RECEIPT", "谢谢惠顾 Thank you")
    tilted = await made.read(png(draw_page(lines, angle=7.0, noise=4.0).image))
    assert ["".join(line.text.split()) for line in tilted.lines] == ["".join(line.split()) for line in lines]
    image = Image.fromarray(draw_page(lines).image[:, :, ::-1]).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=exif, quality=95)
    photo = await made.read(buffer.getvalue())
    assert "".join(photo.text.split()) == "".join("".join(lines).split())
    await made.close(5)


async def test_a_very_long_line_is_read_whole(real: Settings, draw_line: Callable[..., Picture]) -> None:
    text = "".join(f"第{i}段文字，" for i in range(10, 40))
    made = Reader(real)
    await made.start(warm=False)
    document = await made.read(png(draw_line(text, size=32)), LINE)
    assert document.text.replace(",", "，").replace(" ", "") == text
    await made.close(5)


async def test_modes_agree_on_a_word(real: Settings, draw_line: Callable[..., Picture]) -> None:
    made = Reader(real)
    await made.start(warm=False)
    data = png(draw_line("谢谢惠顾", size=60, margin=40))
    for mode in ("page", "auto"):
        assert (await made.read(data, ReadOptions(mode=mode))).text == "谢谢惠顾"
    await made.close(5)
