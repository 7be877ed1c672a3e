"""ocrsvc: a mixed Chinese/English OCR service for machines with CPUs and no GPU."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ocrsvc.client.async_client import AsyncClient
    from ocrsvc.client.client import Client
    from ocrsvc.engine.async_ocr import AsyncOCR
    from ocrsvc.engine.ocr import OCR
    from ocrsvc.engine.result import Result
    from ocrsvc.errors import OcrError

__version__ = "0.1.0"
__all__ = ["OCR", "AsyncClient", "AsyncOCR", "Client", "OcrError", "Result", "__version__"]

_HOMES = {
    "OCR": "ocrsvc.engine.ocr",
    "AsyncOCR": "ocrsvc.engine.async_ocr",
    "Client": "ocrsvc.client.client",
    "AsyncClient": "ocrsvc.client.async_client",
    "Result": "ocrsvc.engine.result",
    "OcrError": "ocrsvc.errors",
}

# ONNX Runtime 1.31 begins to collect usage data for its makers, in a database in the home folder, when it is imported;
# calling its disable_telemetry_events() is too late. What is done here stays here.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def __getattr__(name: str) -> Any:
    """Import the names of ``__all__`` at their first use, so that ``import ocrsvc`` loads nothing else."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ocrsvc' has no attribute {name!r}")
    from importlib import import_module

    try:
        return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        if error.name != "httpx":
            raise
        raise ImportError(f"{name} needs httpx: pip install 'ocrsvc[client]'") from error


def __dir__() -> list[str]:
    return sorted(__all__)
