"""Plugin of docling: an OCR engine of kind ``ocrsvc``. What docling calls is ``ocr_engines``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docling_ocrsvc.options import OcrsvcOcrOptions

if TYPE_CHECKING:
    from docling_ocrsvc.engine import OcrsvcOcrModel

__all__ = ["OcrsvcOcrModel", "OcrsvcOcrOptions", "ocr_engines"]


def ocr_engines() -> dict[str, Any]:
    """Return the engine to docling, which looks for this function at the entry point ``docling``."""
    from docling_ocrsvc.engine import OcrsvcOcrModel

    return {"ocr_engines": [OcrsvcOcrModel]}


def __getattr__(name: str) -> Any:
    """Import the engine at its first use: options alone need none of docling's models."""
    if name != "OcrsvcOcrModel":
        raise AttributeError(f"module 'docling_ocrsvc' has no attribute {name!r}")
    from docling_ocrsvc.engine import OcrsvcOcrModel

    return OcrsvcOcrModel
