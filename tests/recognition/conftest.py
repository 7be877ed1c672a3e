"""The recogniser that ships, opened once for all tests that need real weights."""

from __future__ import annotations

import pytest
from available import missing, model_name

from ocrsvc.machine import cpu
from ocrsvc.models.manifest import Manifest
from ocrsvc.models.registry import Registry
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.settings import Settings


@pytest.fixture(scope="session")
def real_spec() -> Manifest:
    """The default model where it ships, else the one of the rapidocr wheel."""
    registry, name = Registry(Settings()), model_name()
    if name not in registry.names():
        missing("no real recogniser: neither models/crnn nor the rapidocr wheel is here")
    return registry.spec(name)


@pytest.fixture(scope="session")
def real(real_spec: Manifest) -> Recogniser:
    """The recogniser of ``real_spec``, in the precision that the service would choose."""
    return Recogniser(real_spec, cpu=cpu.inspect())
