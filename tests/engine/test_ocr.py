"""OCR in threads, lists and forks, with the tiny recogniser that reads grey stripes."""

from __future__ import annotations

import io
import multiprocessing
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from drawings import encode
from PIL import Image
from tiny_model import draw

import ocrsvc
from ocrsvc import OCR
from ocrsvc.diagnosis.configuration import InvalidSettings
from ocrsvc.errors import InvalidParameter, OcrError, ShuttingDown, UnknownModel, UnsupportedMedia


@pytest.fixture
def ocr(tiny_settings: dict[str, Any]) -> Iterator[OCR]:
    with OCR(**tiny_settings) as engine:
        yield engine


def test_one_source_gives_a_result_and_several_give_each_in_order(ocr: OCR) -> None:
    assert ocr(draw("中文AB"), mode="line").text == "中文AB"
    texts = [str(i) * 3 for i in (1, 2, 3, 4, 5, 6, 7, 8, 9)]
    results = ocr([draw(text) for text in texts], mode="line")
    assert [result.text for result in results] == texts


def test_sources_are_taken_as_they_are_needed(ocr: OCR) -> None:
    taken: list[int] = []

    def sources() -> Iterator[Any]:
        for i in range(100):
            taken.append(i)
            yield draw("12")

    assert [result.text for result in islice(ocr(sources(), mode="line"), 2)] == ["12", "12"]
    assert len(taken) < 20


def test_an_error_is_raised_at_its_turn(ocr: OCR) -> None:
    results = ocr([draw("1"), b"no picture", draw("2")], mode="line")
    assert next(results).text == "1"
    with pytest.raises(UnsupportedMedia):
        next(results)
    assert ocr(draw("3"), mode="line").text == "3"


def test_any_thread_may_read(ocr: OCR) -> None:
    texts = [f"{i}A" for i in range(10)] * 4
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda text: ocr(draw(text), mode="line").text, texts)) == texts


def test_engines_with_the_same_settings_share_a_reader(tiny_settings: dict[str, Any]) -> None:
    first, second, other = OCR(**tiny_settings), OCR(**tiny_settings), OCR(**tiny_settings, max_batch=3)
    for engine in (first, second, other):
        engine(draw("1"), mode="line")
    threads = [thread for thread in threading.enumerate() if thread.name == "ocrsvc"]
    first.close()
    assert second(draw("2"), mode="line").text == "2"
    second.close()
    second.close()  # harmless
    other.close()
    assert not [thread for thread in threads[-2:] if thread.is_alive()]
    with pytest.raises(ShuttingDown, match="closed"):
        first(draw("1"), mode="line")


def test_pages_come_one_by_one(ocr: OCR) -> None:
    pages = [Image.fromarray(draw(text)) for text in ("12", "345", "6")]
    file = io.BytesIO()
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    results = ocr.pages(file.getvalue(), mode="line")
    assert [(result.text, result.pages[0].number) for result in results] == [("12", 1), ("345", 2), ("6", 3)]
    first = next(ocr.pages(file.getvalue(), mode="line"))  # the rest is withdrawn
    assert first.text == "12"
    assert ocr(file.getvalue(), mode="line", pages="2").text == "345"


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(InvalidSettings, match="OCRSVC_WORKERZ"):
        OCR(workerz=2)
    with pytest.raises(InvalidSettings, match="OCRSVC_WORKERS"):
        OCR(workers="many")


def test_a_missing_model_is_named_at_the_first_call(tiny_settings: dict[str, Any]) -> None:
    engine = OCR(**{**tiny_settings, "model": "none"})
    with pytest.raises(UnknownModel):
        engine(draw("1"))
    with pytest.raises(InvalidParameter):
        engine(draw("1"), mode="word")  # type: ignore[call-overload]


def test_a_forked_process_loads_its_own_reader(ocr: OCR) -> None:
    assert ocr(draw("1"), mode="line").text == "1"
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def child() -> None:
        sender.send(ocr(draw("23"), mode="line").text)

    process = context.Process(target=child)
    process.start()
    assert receiver.poll(30)
    assert receiver.recv() == "23"
    process.join()
    assert process.exitcode == 0
    assert ocr(draw("4"), mode="line").text == "4"


def test_the_names_of_the_package_are_loaded_late() -> None:
    code = "import sys, ocrsvc; assert not {'numpy', 'cv2', 'onnxruntime', 'pydantic'} & set(sys.modules); ocrsvc.OCR"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
    assert set(dir(ocrsvc)) == {
        "OCR",
        "AsyncOCR",
        "Client",
        "AsyncClient",
        "OcrError",
        "Result",
        "__version__",
    }
    assert ocrsvc.OcrError is OcrError
    with pytest.raises(AttributeError, match="OCRR"):
        ocrsvc.OCRR  # noqa: B018


def test_a_program_that_closes_nothing_ends(tiny_settings: dict[str, Any], tmp_path: Path) -> None:
    picture = tmp_path / "line.png"
    picture.write_bytes(encode(draw("12")))
    arguments = {**tiny_settings, "models_dir": str(tiny_settings["models_dir"])}
    code = f"from ocrsvc import OCR; print(OCR(**{arguments!r})({str(picture)!r}, mode='line').text)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "12\n", "")
