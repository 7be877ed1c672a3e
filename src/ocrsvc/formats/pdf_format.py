"""Searchable PDF: the pages of the input, unchanged, with what was read as invisible text over it.

Of a PDF, all pages stay as they are, and what the lines of the reading say is added to the pages that were read; lines
that come from the text layer of the PDF are there already. Of a picture, the pages that were read become a PDF.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ocrsvc.errors import UnmodifiablePdf, WrongPassword
from ocrsvc.formats.format import PLAIN, Format, Rendering
from ocrsvc.formats.glyphless import GlyphlessFont
from ocrsvc.formats.invisible_text import FONT_NAME, operators
from ocrsvc.formats.page_geometry import geometry_of
from ocrsvc.formats.picture_pdf import pdf_of
from ocrsvc.results import Document, Line, Page

if TYPE_CHECKING:
    import pikepdf

_SEARCH_BYTES = 1024  # before the header of a PDF
_PICTURE_VERSION = "1.7"  # on which PDF/A-2 builds
_MOST_FIELDS = 20_000  # of a form, looked through for signatures
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"GIF8", b"II", b"MM", b"BM")


def render(document: Document, rendering: Rendering = PLAIN, /) -> bytes:
    """Return the input of ``document``, ``rendering.source``, as a PDF with its text.

    Raises UnmodifiablePdf for a PDF that may not be changed or is too damaged, UndecodableImage for such a picture, and
    ValueError without a source.
    """
    import pikepdf

    data = rendering.source
    if data is None:
        raise ValueError("a searchable PDF is made from the input, which is missing")
    if _is_pdf(data):
        with _opened(data, rendering.password) as pdf:
            try:
                _check_changeable(pdf)
                _check_pages(pdf, document)
                return _written(pdf, document, [page.number for page in document.pages])
            except (pikepdf.PdfError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
                raise _damaged() from error
    numbers = tuple(page.number for page in document.pages)
    with pdf_of(data, numbers) as pdf:
        return _written(pdf, document, range(1, len(numbers) + 1), _PICTURE_VERSION)


def _is_pdf(data: bytes) -> bool:
    return b"%PDF-" in data[:_SEARCH_BYTES] and not data.startswith(_PICTURES) and data[4:8] != b"ftyp"


def _opened(data: bytes, password: str | None) -> pikepdf.Pdf:
    import pikepdf

    try:
        return pikepdf.Pdf.open(io.BytesIO(data), password=password or "")
    except pikepdf.PasswordError as error:
        raise WrongPassword("The password does not open the PDF to add text to it.") from error
    except (pikepdf.PdfError, ValueError, RuntimeError) as error:
        raise _damaged() from error


def _damaged() -> UnmodifiablePdf:
    return UnmodifiablePdf("The PDF is too damaged to add text to it; ask for another format, such as hocr.")


def _check_changeable(pdf: pikepdf.Pdf) -> None:
    """Raise UnmodifiablePdf for a PDF that is signed, or whose owner has not permitted changes."""
    if pdf.is_encrypted and not pdf.owner_password_matched and not pdf.allow.modify_other:
        raise UnmodifiablePdf(
            "The owner of the PDF has not permitted changes: send the owner's password, or ask for another format."
        )
    if _is_signed(pdf):
        raise UnmodifiablePdf(
            "The PDF is signed, and any change would make the signature invalid; ask for another format."
        )


def _is_signed(pdf: pikepdf.Pdf) -> bool:
    if "/Perms" in pdf.Root and "/DocMDP" in pdf.Root.Perms:
        return True
    form = pdf.Root.get("/AcroForm")
    waiting = _list(form.get("/Fields")) if form is not None else []
    for _ in range(_MOST_FIELDS):
        if not waiting:
            return False
        field = waiting.pop()
        if field.get("/FT") == "/Sig" and "/V" in field:
            return True
        waiting += _list(field.get("/Kids"))
    return False


def _check_pages(pdf: pikepdf.Pdf, document: Document) -> None:
    """Raise UnmodifiablePdf if qpdf finds other pages in a damaged PDF than PDFium has drawn."""
    with_text = {line.page for line in document.lines}
    for page in document.pages:
        if page.number in with_text and not geometry_of(pdf.pages[page.number - 1]).fits(page):
            raise _damaged()


def _list(array: Any) -> list[Any]:
    return [] if array is None else list(array)


def _written(pdf: pikepdf.Pdf, document: Document, places: Sequence[int], least_version: str = "") -> bytes:
    """Return the PDF with the lines of each page on the page of this number (from 1)."""
    import pikepdf

    font, indirect = GlyphlessFont(), None
    for page, place in zip(document.pages, places, strict=True):
        content = _text(pdf.pages[place - 1], page, document.lines, font)
        if content:
            if indirect is None:
                indirect = pdf.make_indirect(pikepdf.Dictionary())
            _add(pdf, pdf.pages[place - 1], content, indirect)
    if indirect is not None:
        font.add_to(pdf, indirect)
    written = io.BytesIO()
    if pdf.is_encrypted:  # qpdf then does not let streams be left alone
        pdf.save(written, encryption=True)
    else:
        pdf.save(
            written,
            min_version=least_version,
            stream_decode_level=pikepdf.StreamDecodeLevel.none,
            compress_streams=False,  # ours are compressed, and others stay as they are
        )
    return written.getvalue()


def _text(target: pikepdf.Page, page: Page, lines: Sequence[Line], font: GlyphlessFont) -> bytes:
    mine = [line for line in lines if line.page == page.number and line.source == "recognised"]
    return operators(mine, font, geometry_of(target).place_of(page))


def _add(pdf: pikepdf.Pdf, page: pikepdf.Page, content: bytes, font: pikepdf.Object) -> None:
    """Put ``content`` before that of the page, which may leave any state of graphics behind."""
    import pikepdf

    stream = pdf.make_stream(zlib.compress(content), Filter=pikepdf.Name.FlateDecode)
    old = page.obj.get("/Contents")
    parts = list(old) if isinstance(old, pikepdf.Array) else [old]
    own = [each for each in parts if isinstance(each, pikepdf.Stream)]
    page.obj.Contents = pikepdf.Array([stream, *own])
    # Resources may belong to several pages, so they are copied.
    resources = _copy(page.obj.get("/Resources"))
    fonts = _copy(resources.get("/Font"))
    fonts["/" + FONT_NAME] = font
    resources.Font = fonts
    page.obj.Resources = resources


def _copy(dictionary: Any) -> pikepdf.Dictionary:
    import pikepdf

    return pikepdf.Dictionary({} if dictionary is None else dict(dictionary.items()))


FORMAT = Format("pdf", "application/pdf", ".pdf", render, needs_source=True, whole=True, binary=True)
