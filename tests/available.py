"""What this machine has to test with, and what happens to a test for which something is missing."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

from ocrsvc.models import default_models_dir


def missing(what: str) -> NoReturn:
    """Skip the test for want of ``what``, or fail it in CI: a check that nobody runs is no check."""
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(f"{what} (a failure because CI is set)", pytrace=False)
    pytest.skip(what)


def model_name() -> str:
    """The default model where it has been trained, else the one of the rapidocr wheel."""
    return "crnn" if (default_models_dir() / "crnn" / "manifest.json").is_file() else "ppocrv6-small"
