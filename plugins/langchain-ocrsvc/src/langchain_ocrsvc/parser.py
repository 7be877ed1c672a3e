"""A parser of blobs: what ``GenericLoader`` and other loaders of files hand over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from langchain_core.document_loaders import BaseBlobParser
from langchain_core.documents import Document
from langchain_core.documents.base import Blob

from ocrsvc import OCR, Client, Result


class OcrsvcParser(BaseBlobParser):
    """Yields a Document for each page of a picture or PDF, as soon as the page is read.

    ``url``, ``api_key``: a service that reads; without ``url`` pages are read in this process. ``model``: name of a
    recogniser. ``options``: keyword arguments of ``OCR``, such as ``pages="1-3"``; the ``layout`` is ``tables``, which
    is paragraphs, and tables as Markdown, unless it is named. Raises ocrsvc.OcrError for a file that cannot be read.
    """

    def __init__(
        self, *, url: str | None = None, api_key: str | None = None, model: str | None = None, **options: Any
    ) -> None:
        self._options: dict[str, Any] = {"layout": "tables", **options}
        self._reader: OCR | Client
        if url is None:
            self._reader = OCR(model=model)
        else:
            self._reader = Client(url, api_key=api_key)
            self._options["model"] = model

    def lazy_parse(self, blob: Blob) -> Iterator[Document]:
        """Yield a Document for each page.

        Metadata: ``source``; ``page``, counted from 0, and ``page_label``, from 1, as LangChain's loaders of PDFs have
        them; ``confidence``, the mean of the lines by length (0 if there is none); ``model``.
        """
        source = blob.path if blob.data is None and blob.path is not None else blob.as_bytes()
        for result in self._reader.pages(source, **self._options):
            yield Document(page_content=result.text, metadata={**blob.metadata, **_metadata(blob, result)})


def _metadata(blob: Blob, result: Result) -> dict[str, Any]:
    (page,) = result.pages
    lengths = [len(line.text) for line in result.lines]
    weighted = sum(line.confidence * length for line, length in zip(result.lines, lengths, strict=True))
    return {
        "source": blob.source,
        "page": page.number - 1,
        "page_label": str(page.number),
        "confidence": round(weighted / max(1, sum(lengths)), 4),
        "model": result.model.name,
    }
