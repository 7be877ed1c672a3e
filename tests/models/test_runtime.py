"""How sessions are made, and what is said where they cannot be."""

from __future__ import annotations

import hashlib
from typing import Any

import onnxruntime as ort
import pytest
import tiny_model

from ocrsvc.errors import CorruptModel, UnusableProvider
from ocrsvc.models.manifest import ModelFile
from ocrsvc.models.providers import CPU
from ocrsvc.models.runtime import open_session

CUDA = "CUDAExecutionProvider"


def test_weights_that_are_no_onnx_are_a_corrupt_model() -> None:
    junk = b"not a model"
    with pytest.raises(CorruptModel, match="cannot load"):
        open_session(ModelFile(hashlib.sha256(junk).hexdigest(), len(junk), data=junk))


def test_a_provider_that_does_not_start_is_an_error_unless_the_cpu_may_stand_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tiny_model.manifest().files["fp32"]
    with pytest.warns(UserWarning, match=CUDA), pytest.raises(UnusableProvider, match="did not start"):
        open_session(file, providers=[CUDA])
    real = ort.InferenceSession

    def without_device(*arguments: Any, providers: list[str], **more: Any) -> Any:
        if CUDA in providers:
            raise RuntimeError("CUDA failure 100: no CUDA-capable device is detected")
        return real(*arguments, providers=providers, **more)

    monkeypatch.setattr(ort, "InferenceSession", without_device)
    assert open_session(file, providers=[CUDA, CPU]).get_providers() == [CPU]
