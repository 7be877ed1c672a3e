"""PP-OCRv6 small out of the rapidocr wheel."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from available import missing

from ocrsvc.errors import UnknownModel
from ocrsvc.machine import cpu
from ocrsvc.models import ppocr
from ocrsvc.models.buckets import fit
from ocrsvc.models.manifest import Manifest
from ocrsvc.models.wheels import WheelFile
from ocrsvc.recognition.recogniser import Recogniser


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    if not ppocr.available():
        missing("no PP-OCRv6 here: pip install --no-deps rapidocr, pip install onnx")
    return ppocr.manifest(tmp_path_factory.mktemp("cache"))


def test_the_charset_ends_with_the_space_and_counts_every_class(converted: Manifest) -> None:
    assert len(converted.charset) == 18_709
    assert converted.charset[-1] == " "
    assert "rapidocr" not in sys.modules


@pytest.mark.parametrize("text", ["上海浦东发展银行", "Hello World 2026", "价格12.50元"])
def test_it_reads_a_drawn_line(converted: Manifest, draw_line: Callable[..., Any], text: str) -> None:
    recogniser = Recogniser(converted, cpu=cpu.inspect())
    crop = fit(draw_line(text), converted.input.height)
    (line,) = recogniser.run(converted.buckets.of(crop.shape[1]), [crop])
    assert line.text == text
    assert line.confidence > 0.9


def test_it_is_converted_once(converted: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    path = converted.files["fp32"].path
    assert path is not None
    monkeypatch.setattr(ppocr, "convert", lambda _: pytest.fail("converted again"))
    assert ppocr.manifest(path.parents[1]).files == converted.files


def test_it_stays_in_memory_where_nothing_can_be_written(converted: Manifest, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    spec = ppocr.manifest(blocked / "cache")
    assert spec.files["fp32"].path is None
    assert spec.files["fp32"].sha256 == converted.files["fp32"].sha256


def test_without_the_wheel_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ppocr, "SOURCE", WheelFile("rapidocr", "models/gone.onnx", "rapidocr==3.10.0"))
    assert not ppocr.available()
    with pytest.raises(UnknownModel, match="pip install --no-deps rapidocr"):
        ppocr.manifest(tmp_path)


def test_another_graph_is_refused_with_what_to_install() -> None:
    tiny_model = pytest.importorskip("tiny_model")
    with pytest.raises(UnknownModel, match=r"another PP-OCRv6_rec_small\.onnx"):
        ppocr.convert(tiny_model.manifest().files["fp32"].read())
