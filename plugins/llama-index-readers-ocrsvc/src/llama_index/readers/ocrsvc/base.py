"""A reader: by itself, or as a ``file_extractor`` of ``SimpleDirectoryReader``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from llama_index.core.readers.base import BaseReader
from llama_index.core.schema import Document

from ocrsvc import OCR, Client, Result

_FOR_PROGRAMS = ["confidence", "model"]  # metadata that neither a language model nor an embedding is given


class OcrsvcReader(BaseReader):
    """Gives a Document for each page of a picture or PDF.

    ``url``, ``api_key``: a service that reads; without ``url`` pages are read in this process. ``model``: name of a
    recogniser. ``options``: keyword arguments of ``OCR``, such as ``pages="1-3"``; the ``layout`` is ``tables``, which
    is paragraphs, and tables as Markdown, unless it is named.
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

    def lazy_load_data(
        self,
        file: str | os.PathLike[str],
        extra_info: Mapping[str, Any] | None = None,
        fs: Any = None,
    ) -> Iterable[Document]:
        """Yield a Document for each page, as soon as it is read; raises ocrsvc.OcrError for a file that cannot be read.

        ``extra_info``: metadata of the file; ``fs``: the fsspec file system that it is in. Metadata are ``file_path``,
        ``page_label``, counted from 1, ``confidence``, the mean of the lines by length (0 if there is none), and
        ``model``.
        """
        source: str | bytes = os.fspath(file) if fs is None else fs.cat_file(os.fspath(file))
        for result in self._reader.pages(source, **self._options):
            yield Document(
                text=result.text,
                metadata={"file_path": os.fspath(file), **(extra_info or {}), **_metadata(result)},
                excluded_llm_metadata_keys=_FOR_PROGRAMS,
                excluded_embed_metadata_keys=_FOR_PROGRAMS,
            )


def _metadata(result: Result) -> dict[str, Any]:
    (page,) = result.pages
    lengths = [len(line.text) for line in result.lines]
    weighted = sum(line.confidence * length for line, length in zip(result.lines, lengths, strict=True))
    return {
        "page_label": str(page.number),
        "confidence": round(weighted / max(1, sum(lengths)), 4),
        "model": result.model.name,
    }
