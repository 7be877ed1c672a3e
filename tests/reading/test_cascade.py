"""A cascade: the lines in doubt are read again by the better model, each by itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tiny_model
from available import missing
from drawings import DrawnPage

from ocrsvc.formats.format import Rendering
from ocrsvc.formats.json_document import document_of
from ocrsvc.formats.json_format import as_mapping
from ocrsvc.models.registry import Registry
from ocrsvc.reading.reader import Reader
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.results import Document
from ocrsvc.settings import Settings

LINE, PAGE = ReadOptions(mode="line"), ReadOptions(mode="page")


def png(image: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


async def read(settings: Settings, *asked: tuple[bytes, ReadOptions]) -> list[Document]:
    reader = Reader(settings)
    await reader.start(warm=False)
    try:
        return [await reader.read(data, options) for data, options in asked]
    finally:
        await reader.close(5)


# --- a tiny cascade ---


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A cascade of two tiny models; the second has a decoder that reads 8 as B where it is asked at all."""
    models = tiny_model.write_with_detector(tmp_path)
    tiny_model.write(models, "tiny-attention", decoder=True)
    write_cascade(models, "tiny", "tiny-attention", 0.5)
    return Settings(model="tiny-auto", models_dir=models, workers=1)


def write_cascade(models: Path, first: str, second: str, below: float) -> None:
    (models / "tiny-auto").mkdir(exist_ok=True)
    document = {"name": "tiny-auto", "kind": "cascade", "first": first, "second": second, "below": below}
    (models / "tiny-auto" / "manifest.json").write_text(json.dumps(document), encoding="utf-8")


async def test_a_line_in_doubt_is_read_again_and_says_by_which_model(settings: Settings) -> None:
    doubtful, clear = tiny_model.draw("8A", "8B"), tiny_model.draw("12A")
    (sure,) = await read(settings, (png(doubtful), LINE))
    assert (sure.text, sure.lines[0].model, sure.model.name) == ("8A", "tiny", "tiny-auto")
    again, plain = await read(
        settings.model_copy(update={"reread_below": 0.99}), (png(doubtful), LINE), (png(clear), LINE)
    )
    assert (again.text, again.lines[0].model) == ("8B", "tiny-attention")
    assert (plain.text, plain.lines[0].model) == ("12A", "tiny")
    assert again.model.digest != sure.model.digest, "the threshold changes what is read"


async def test_another_model_of_a_request_is_read_without_the_cascade(settings: Settings) -> None:
    line = png(tiny_model.draw("8A", "8B"))
    settings = settings.model_copy(update={"reread_below": 1.0})
    alone, both = await read(settings, (line, replace(LINE, model="tiny")), (line, LINE))
    assert (alone.text, alone.lines[0].model, alone.model.name) == ("8A", None, "tiny")
    assert (both.text, both.lines[0].model) == ("8B", "tiny-attention")


async def test_what_a_charset_changes_is_read_again(settings: Settings) -> None:
    settings = settings.model_copy(update={"reread_below": 0.0})
    letters, digits = png(tiny_model.draw("AB")), png(tiny_model.draw("12"))
    asked = replace(LINE, charset="digits")
    changed, same = await read(settings, (letters, asked), (digits, asked))
    assert [line.model for line in changed.lines] == ["tiny-attention"]
    assert [line.model for line in same.lines] == ["tiny"]


async def test_the_model_of_a_line_is_in_the_json_and_comes_back(settings: Settings) -> None:
    (document,) = await read(settings, (png(tiny_model.draw("12")), LINE))
    body = as_mapping(document, Rendering())
    assert [line["model"] for line in body["lines"]] == ["tiny"]
    assert document_of(json.loads(json.dumps(body))).lines[0].model == "tiny"


# --- the cascade that ships ---


@pytest.fixture(scope="module")
def shipped() -> Settings:
    settings = Settings(model="crnn-auto", workers=2)
    if settings.model not in Registry(settings).names():
        missing("the cascade does not ship")
    return settings


async def test_each_line_of_a_page_is_what_its_model_reads(
    shipped: Settings, draw_page: Callable[..., DrawnPage]
) -> None:
    page = draw_page().image
    both = png(np.hstack([page, cv2.GaussianBlur(page, (0, 0), 2.2)]).astype(np.uint8))
    options = replace(PAGE, orientation=0)
    fast, slow = await read(
        shipped, (both, replace(options, model="crnn-fast")), (both, replace(options, model="crnn"))
    )
    below = float(np.median([line.confidence for line in fast.lines]))  # half of the lines are in doubt
    (whole,) = await read(shipped.model_copy(update={"reread_below": below}), (both, options))
    by_place = {
        name: {line.polygon: line for line in document.lines}
        for name, document in (("crnn-fast", fast), ("crnn", slow))
    }
    assert {line.model for line in whole.lines} == {"crnn-fast", "crnn"}
    for line in whole.lines:
        assert line.model is not None
        alone = by_place[line.model][line.polygon]
        assert line.text == alone.text
        assert line.confidence == pytest.approx(alone.confidence, abs=1e-4)
        first = by_place["crnn-fast"].get(line.polygon)
        assert (line.model == "crnn-fast") == (first is not None and first.confidence >= below)
