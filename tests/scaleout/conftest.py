"""A model that reads drawn lines in a moment."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_model


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny model and the real detector."""
    return tiny_model.write_with_detector(tmp_path_factory.mktemp("models"))
