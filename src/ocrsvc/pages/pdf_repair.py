"""Writes PDFs again whose damage PDFium does not get over, with qpdf, which looks for the objects of a file itself."""

from __future__ import annotations

import io
import warnings


def repaired(data: bytes, password: str | None) -> bytes | None:
    """Return a PDF as qpdf writes it, without encryption; None if qpdf finds no pages either."""
    import pikepdf  # takes 0.3 s, and few files need it

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pikepdf warns of a password that is not needed
            pdf = pikepdf.open(io.BytesIO(data), password=password or "")
        with pdf:
            if not len(pdf.pages):
                return None
            written = io.BytesIO()
            pdf.save(written)
    except (pikepdf.PdfError, pikepdf.PasswordError, RuntimeError, ValueError):
        return None
    return written.getvalue()
