"""Settings of the tiny recogniser that reads grey stripes, and the real detector."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_model


@pytest.fixture
def tiny_settings(tmp_path: Path) -> dict[str, object]:
    """Arguments of OCR for a model that is loaded in no time and shares its reader with no other test."""
    folder = tmp_path / "models"
    folder.mkdir()
    tiny_model.write_with_detector(folder)
    return {"model": "tiny", "models_dir": folder, "workers": 1, "detector_side_pixels": 320}
