"""Plugin of OCRmyPDF: ``ocrmypdf --plugin ocrmypdf_ocrsvc``."""

from __future__ import annotations

from typing import Any

from ocrmypdf import hookimpl

from ocrmypdf_ocrsvc.engine import NAME, OcrsvcEngine


@hookimpl
def get_ocr_engine(options: Any) -> OcrsvcEngine | None:
    """Return the engine, unless another one is asked for."""
    chosen = getattr(options, "ocr_engine", "auto") if options is not None else "auto"
    return OcrsvcEngine() if chosen in ("auto", NAME) else None
