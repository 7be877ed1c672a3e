"""What a reading gives to a Python program: the text, its lines, and every output format."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocrsvc import formats
from ocrsvc.engine.inputs import Input
from ocrsvc.errors import InvalidParameter, UnknownFormat
from ocrsvc.formats.json_format import as_mapping
from ocrsvc.formats.layouts import text_of
from ocrsvc.results import Block, Document, Field, Line, ModelId, Page

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ocrsvc.formats.format import Granularity

_SHOWN_PIXELS = 1000  # longer side of a page in a notebook


@dataclass(frozen=True, slots=True)
class Result:
    """The reading of one input. All coordinates are pixels of the page as it was given, x before y.

    ``document``: the result as all formats take it; ``source``: the input itself, which ``to_pdf`` and ``draw`` need;
    ``password``: of an encrypted PDF; ``pdf_dpi``: resolution in which pages of a PDF were read.
    """

    document: Document = field(repr=False)
    source: Input
    password: str | None = field(default=None, repr=False)
    pdf_dpi: int = field(default=200, repr=False)

    @property
    def text(self) -> str:
        """Return the whole text, laid out as ``layout`` says."""
        return text_of(self.document)

    @property
    def lines(self) -> tuple[Line, ...]:
        """Return the lines in reading order: ``text``, ``confidence``, ``polygon``, ``page``, ``needs_review``."""
        return self.document.lines

    @property
    def pages(self) -> tuple[Page, ...]:
        """Return the pages: ``number``, ``width``, ``height``, ``orientation``."""
        return self.document.pages

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Return paragraphs, headings and tables in reading order; empty with ``structured=False``."""
        return self.document.blocks

    @property
    def fields(self) -> tuple[Field, ...]:
        """Return the values of the ``regions`` that were asked for."""
        return self.document.fields

    @property
    def model(self) -> ModelId:
        """Return name and digest of the recogniser."""
        return self.document.model

    @property
    def timing_ms(self) -> Mapping[str, float]:
        """Return the time of each stage in milliseconds."""
        return self.document.timing_ms

    def __str__(self) -> str:
        return self.text

    # --- formats ---

    def render(self, format_name: str, *, granularity: Granularity = "line") -> bytes:
        """Return the result as a file: text, json, jsonl, tsv, markdown, csv, xlsx, docx, hocr, alto or pdf.

        ``granularity``: the smallest parts that json and jsonl name (line, word, char). Raises UnknownFormat;
        UnmodifiablePdf if a PDF may not be changed.
        """
        return formats.render(
            format_name,
            self.document,
            file=self.source.name,
            granularity=granularity,
            source=self.source.data,
            password=self.password,
        )

    def save(self, path: str | os.PathLike[str], format_name: str | None = None) -> Path:
        """Write the result to a file and return its path; ``format_name`` is by default that of the suffix.

        Raises UnknownFormat for a suffix of no format, and OSError.
        """
        file = Path(path)
        file.write_bytes(self.render(format_name or _format_of(file)))
        return file

    def to_dict(self, *, granularity: Granularity = "line") -> dict[str, Any]:
        """Return what format json contains, as plain lists and dicts."""
        return as_mapping(self.document, formats.Rendering(file=self.source.name, granularity=granularity))

    def to_json(self, *, granularity: Granularity = "line") -> str:
        """Return the result as one JSON object."""
        return self.render("json", granularity=granularity).decode()

    def to_markdown(self) -> str:
        """Return paragraphs, headings and tables as Markdown."""
        return self.render("markdown").decode()

    def to_csv(self) -> str:
        """Return the cells of tables, or the rows of a page without one, as CSV."""
        return self.render("csv").decode("utf-8-sig")

    def to_hocr(self) -> str:
        """Return the result as hOCR."""
        return self.render("hocr").decode()

    def to_alto(self) -> str:
        """Return the result as ALTO."""
        return self.render("alto").decode()

    def to_xlsx(self, path: str | os.PathLike[str]) -> Path:
        """Write the tables to an Excel workbook and return its path."""
        return self.save(path, "xlsx")

    def to_pdf(self, path: str | os.PathLike[str]) -> Path:
        """Write the input as a PDF with invisible text, to be searched and copied, and return its path."""
        return self.save(path, "pdf")

    # --- pictures ---

    def draw(self, page: int | None = None) -> NDArray[np.uint8]:
        """Return a page (default: the first one read) with the outlines of its lines, uint8 [H,W,3] BGR.

        Lines that need review are orange. Raises InvalidParameter for a page that was not read.
        """
        from ocrsvc.engine.drawing import outlined
        from ocrsvc.pages.decoding import decode
        from ocrsvc.pages.source import DocumentOptions, Limits

        number = self._number_of(page)
        limits = Limits(max_pixels=2**31, max_pages=10**6, pdf_dpi=self.pdf_dpi)
        shown = next(decode(self.source.data, limits, str(number), DocumentOptions(self.password)))
        wanted = next(each for each in self.pages if each.number == number)
        pixels = _sized(shown.pixels, wanted)
        return outlined(pixels, [line for line in self.lines if line.page == number])

    def show(self, page: int | None = None) -> None:
        """Open a page with the outlines of its lines in the system's viewer of pictures."""
        from PIL import Image

        Image.fromarray(self.draw(page)[:, :, ::-1]).show(title=self.source.name)

    def _number_of(self, page: int | None) -> int:
        numbers = [each.number for each in self.pages]
        if page is None:
            return numbers[0]
        if page not in numbers:
            raise InvalidParameter(f"Page {page} was not read; there are {', '.join(map(str, numbers))}.")
        return page

    def _repr_png_(self) -> bytes:
        from ocrsvc.engine.drawing import as_png, shrunk

        return as_png(shrunk(self.draw(), _SHOWN_PIXELS))

    def _repr_html_(self) -> str:
        picture = base64.b64encode(self._repr_png_()).decode()
        rows = "".join(map(_row, self.lines))
        more = f"<p>page 1 of {len(self.pages)}</p>" if len(self.pages) > 1 else ""
        return (
            '<div style="display:flex;gap:1em;flex-wrap:wrap;align-items:flex-start">'
            '<div><img alt="page with its lines" style="max-width:100%" '
            f'src="data:image/png;base64,{picture}">{more}</div>'
            f"<table><thead><tr><th>text</th><th>confidence</th></tr></thead><tbody>{rows}</tbody></table></div>"
        )


def _row(line: Line) -> str:
    mark = ' style="color:#c60"' if line.needs_review else ""
    return (
        f'<tr{mark}><td style="text-align:left">{html.escape(line.text)}</td>'
        f"<td>{line.confidence:.2f}</td></tr>"
    )


def _format_of(file: Path) -> str:
    if (found := formats.of_file(file.name)) is not None:
        return found.name
    suffixes = ", ".join(each.suffix for each in formats.FORMATS.values())
    raise UnknownFormat(f"{file.name} has a suffix of no format; use one of {suffixes}, or name the format.")


def _sized(pixels: NDArray[np.uint8], page: Page) -> NDArray[np.uint8]:
    """Return the page in the size in which its polygons are; large photographs are decoded smaller."""
    import cv2
    import numpy as np

    if pixels.shape[:2] == (page.height, page.width):
        return pixels
    resized = cv2.resize(pixels, (page.width, page.height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.uint8)
