"""What the models in this package promise, each in every precision: a reading never depends on its batch."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest
from drawings import Picture, line_image
from numpy.typing import NDArray

from ocrsvc.machine import cpu
from ocrsvc.models.buckets import fit
from ocrsvc.models.manifest import load
from ocrsvc.models.registry import default_models_dir
from ocrsvc.recognition import alternatives
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.results import MOST_ALTERNATIVES, LineText
from ocrsvc.settings import Precision

FOLDERS = sorted(
    path.parent
    for path in default_models_dir().glob("*/manifest.json")
    if load(path.parent).kind == "recogniser"
)
SHIPPED = [(folder.name, precision) for folder in FOLDERS for precision in load(folder).precisions]
TEXTS = (
    "合计 37.20",
    "Total",
    "发票号码 No. 8",
    "2026-11-21",
    "京A·12345",
    "x = 3.14",
    "北京市海淀区",
    "b6 8B 0O",
)
WIDTH = 400


@pytest.fixture(scope="module")
def lines(draw_line: Callable[..., Picture]) -> list[NDArray[np.uint8]]:
    """Thirty-two lines that fit into one bucket."""
    drawn = [fit(draw_line(text), 48)[:, :WIDTH] for text in TEXTS]
    return [np.ascontiguousarray(line if i < 8 else 255 - line) for i, line in enumerate(drawn * 4)]


@pytest.fixture(scope="module", params=SHIPPED, ids=lambda shipped: "-".join(shipped))
def recogniser(request: pytest.FixtureRequest) -> Recogniser:
    name, precision = request.param
    return _open(name, precision)


def _open(name: str, precision: Precision) -> Recogniser:
    return Recogniser(load(default_models_dir() / name), cpu=cpu.inspect(), precision=precision)


def test_there_are_models() -> None:
    assert ("crnn", "int8") in SHIPPED
    assert ("crnn", "fp32") in SHIPPED


@pytest.mark.timeout(180)
def test_a_reading_is_the_same_in_any_company(recogniser: Recogniser, lines: list[NDArray[np.uint8]]) -> None:
    together = recogniser.run(WIDTH, lines)
    backwards = recogniser.run(WIDTH, lines[::-1])[::-1]
    alone = [recogniser.run(WIDTH, [line])[0] for line in lines]
    assert sum(bool(line.text) for line in alone) > len(lines) / 2
    for one, other, third in zip(alone, together, backwards, strict=True):
        _same(one, other)
        _same(one, third)


def _same(one: LineText, other: LineText) -> None:
    assert one.text == other.text
    for a, b in zip(one.characters, other.characters, strict=True):
        assert abs(a.confidence - b.confidence) < 1e-4


def test_clean_print_is_read(recogniser: Recogniser, lines: list[NDArray[np.uint8]]) -> None:
    read = ["".join(line.text.split()) for line in recogniser.run(WIDTH, lines[:4])]
    assert read == ["".join(text.split()) for text in TEXTS[:4]]


def test_a_misread_text_is_among_the_alternatives(recogniser: Recogniser, font_path: Path) -> None:
    """In print 6 and 7 pixels high many lines are read wrong; the alternatives have the right text of some of those."""
    dice = random.Random(4)
    texts = ["".join(dice.choices("0123456789", k=9)) for _ in range(30)] * 2
    crops = []
    for i, text in enumerate(texts):
        image, height = line_image(text, font_path, size=24, margin=5), 6 if i < 30 else 7
        width = round(image.shape[1] * height / image.shape[0])
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        crops.append(fit(np.asarray(small, np.uint8), 48)[:, :WIDTH])
    read = alternatives.of_lines(recogniser.run(WIDTH, crops, steps=True))
    assert [line.text for line in read] == [line.text for line in recogniser.run(WIDTH, crops)]
    best, either = 0, 0
    for line, text in zip(read, texts, strict=True):
        ranked = alternatives.ranked(line.text, 0.5, line.alternatives, MOST_ALTERNATIVES)
        found = [each.text for each in ranked]
        assert found[0] == line.text
        assert len(set(found)) == len(found)
        best += line.text == text
        either += text in found
    assert best < either


def test_traditional_chinese_and_names_are_read(recogniser: Recogniser, font_path: Path) -> None:
    """In clean print, beside what was there before; kana and signs by the default model alone."""
    words = "圖書館開放時間 國家發展 聯絡電話 臺灣銀行 身分證 檢驗報告 裡面說話 王喆 陈堃"
    if recogniser.spec.name == "crnn":
        words += " ①②③④⑤ 费率3‰ カタカナ ひらがな"
    for word in words.split():
        (line,) = recogniser.run(WIDTH, [fit(np.asarray(line_image(word, font_path), np.uint8), 48)])
        assert line.text.replace(" ", "") == word


def test_confidence_is_calibrated_for_these_weights(recogniser: Recogniser) -> None:
    assert recogniser.calibration is not None
    assert 0.5 < recogniser.calibration.review_threshold < 1


def test_neighbours_tell_look_alikes_apart_in_small_print(recogniser: Recogniser, font_path: Path) -> None:
    """13 and 14 pixels high. What is right without them stays so."""
    words = "未来 周末 自己 已经 鸟类 乌龟 拨款 拔河 侯爵 气候 遣返 遗产 辩论 辨别 瓣膜 赢利 羸弱 徒步 陡坡 慕名 暮色"
    drawn = [(word, line_image(word, font_path)) for word in words.split()]
    small = [
        (word, cv2.resize(image, (round(image.shape[1] * height / image.shape[0]), height)))
        for height in (13, 14)
        for word, image in drawn
    ]
    crops = [fit(np.asarray(image, np.uint8), 48) for _, image in small]
    precision = cast(Precision, recogniser.precision)
    alone = Recogniser(recogniser.spec, cpu=cpu.inspect(), precision=precision, context=False)
    without, read = ([line.text for line in each.run(WIDTH, crops)] for each in (alone, recogniser))
    right = [
        [text == word for text, (word, _) in zip(texts, small, strict=True)] for texts in (without, read)
    ]
    assert sum(right[1]) > sum(right[0])
    assert sum(before and not after for before, after in zip(*right, strict=True)) <= 1


def test_the_default_model_is_small() -> None:
    assert load(default_models_dir() / "crnn").files["int8"].size <= 5.9e6
