"""What this machine has to test with, and what happens to a test for which something is missing."""

from __future__ import annotations

import importlib.util
import os
from typing import NoReturn

import pytest

from ocrsvc.models.registry import default_models_dir

TRAINING = (
    "torch",
    "onnx",
    "fontTools",
    "jieba",
    "opencc",
    "wordfreq",
    "faker",
    "yaml",
)  # what the extra brings
RAY = ("ray", "pyarrow", "fsspec", "aiohttp", "duckdb")  # and what reads its results


def missing(what: str) -> NoReturn:
    """Skip the test (or module) for want of ``what``, or fail it in CI: a check that nobody runs is no check."""
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(f"{what} (a failure because CI is set)", pytrace=False)
    pytest.skip(what, allow_module_level=True)


def need_training() -> None:
    """Skip a test module (fail it in CI) where the extra ``train`` is not installed."""
    absent = [name for name in TRAINING if importlib.util.find_spec(name) is None]
    if absent:
        missing(f"training is not tested, for want of {', '.join(absent)}: make setup-train")


def need_ray() -> None:
    """Skip a test module where the extra ``ray`` is not installed; CI does not install its 0.6 GB yet."""
    absent = [name for name in RAY if importlib.util.find_spec(name) is None]
    if absent:
        pytest.skip(
            f"Ray is not tested, for want of {', '.join(absent)}: make setup-ray", allow_module_level=True
        )


def model_name() -> str:
    """The default model where it has been trained, else the one of the rapidocr wheel."""
    return "crnn" if (default_models_dir() / "crnn" / "manifest.json").is_file() else "ppocrv6-small"
