"""What the tools do: read files of this machine as text that a language model can use."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Literal, cast

from ocrsvc.engine.async_ocr import AsyncOCR
from ocrsvc.engine.options import Options
from ocrsvc.engine.result import Result
from ocrsvc.errors import InvalidParameter, NotFound
from ocrsvc.pages.kinds import sniff

Layout = Literal["markdown", "text", "rows"]

MOST_CHARACTERS = 60_000  # of one answer: about 30 000 tokens of English, or 60 000 of Chinese
_MOST_DOUBTS = 20  # lines of one page that are listed for checking
_HEAD_BYTES = 2048  # enough to tell a PDF from a picture


class DocumentTools:
    """Reads pictures and PDFs for a model; ``folders``: only files inside them, or any file if there are none."""

    def __init__(self, ocr: AsyncOCR, folders: Sequence[Path] = ()) -> None:
        self._ocr = ocr
        self._folders = [folder.resolve() for folder in folders]

    async def read_image(
        self,
        path: str,
        *,
        layout: Layout = "markdown",
        region: Sequence[float] | None = None,
        charset: str | None = None,
    ) -> str:
        """Return the text of a picture, or of a part of it; raises OcrError or OSError."""
        file = self._file(path, pdf=False)
        options = _options(layout, region, charset=charset)
        return _text(await self._ocr.read(file, **options), layout, region)

    async def read_pdf(
        self,
        path: str,
        *,
        pages: str | None = None,
        layout: Layout = "markdown",
        region: Sequence[float] | None = None,
        password: str | None = None,
    ) -> str:
        """Return the text of pages of a PDF, each after its number, until the answer is long enough."""
        file = self._file(path, pdf=True)
        options = _options(layout, region, pages=pages, password=password)
        answer = ""
        async with aclosing(self._ocr.pages(file, **options)) as results:
            async for result in results:
                number = result.pages[0].number
                text = f"[Page {number}]\n\n{_text(result, layout, region)}\n\n"
                if answer and len(answer) + len(text) > MOST_CHARACTERS:
                    return f"{answer}[The answer is full. Read on with pages={number}-]"
                answer += text
        return answer.rstrip("\n")

    def _file(self, path: str, *, pdf: bool) -> Path:
        """Return a file that may be read and is of the kind that the tool is for."""
        file = Path(path).expanduser().resolve()
        if self._folders and not any(file.is_relative_to(folder) for folder in self._folders):
            allowed = ", ".join(map(str, self._folders))
            raise NotFound(f"{path} is outside the folders that may be read: {allowed}.")
        with file.open("rb") as opened:
            kind = sniff(opened.read(_HEAD_BYTES))
        if pdf != (kind == "PDF"):
            raise InvalidParameter(
                f"{os.path.basename(path)} is a {kind} file: use {'read_image' if pdf else 'read_pdf'}."
            )
        return file


def _options(layout: Layout, region: Sequence[float] | None, **others: Any) -> Options:
    options: dict[str, Any] = {name: value for name, value in others.items() if value is not None}
    if layout == "rows":
        options["layout"] = "rows"
    if region is not None:
        if len(region) != 4:
            raise InvalidParameter("region must be [left, top, right, bottom], as fractions of the page.")
        options["regions"] = [{"name": "region", "box": list(region)}]
    return cast(Options, options)


def _text(result: Result, layout: Layout, region: Sequence[float] | None) -> str:
    if region is not None:
        (field,) = result.fields[:1] or (None,)
        if field is None:
            return "[no text]"
        return field.text or f"[no text: {field.error.detail if field.error else 'the region is empty'}]"
    text = result.to_markdown().rstrip("\n") if layout == "markdown" else result.text
    doubts = [line.text for line in result.lines if line.needs_review]
    if doubts:
        listed = "; ".join(doubts[:_MOST_DOUBTS])
        more = f"; and {len(doubts) - _MOST_DOUBTS} more" if len(doubts) > _MOST_DOUBTS else ""
        text += f"\n\n[Uncertain lines, to be checked: {listed}{more}]"
    return text or "[no text]"
