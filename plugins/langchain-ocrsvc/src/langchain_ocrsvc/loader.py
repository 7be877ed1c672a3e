"""A loader of files: ``OcrsvcLoader("scan.pdf").load()``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document
from langchain_core.documents.base import Blob

from langchain_ocrsvc.parser import OcrsvcParser

Path = str | os.PathLike[str]


class OcrsvcLoader(BaseLoader):
    """Loads pictures and PDFs, one Document a page; arguments as of ``OcrsvcParser``.

    A file that cannot be read is raised at its turn, as ocrsvc.OcrError.
    """

    def __init__(
        self,
        paths: Path | Iterable[Path],
        *,
        url: str | None = None,
        api_key: str | None = None,
        model: str | None = None,
        **options: Any,
    ) -> None:
        self._paths = [paths] if isinstance(paths, str | os.PathLike) else paths
        self._parser = OcrsvcParser(url=url, api_key=api_key, model=model, **options)

    def lazy_load(self) -> Iterator[Document]:
        """Yield the Documents of one file after the other."""
        for path in self._paths:
            yield from self._parser.lazy_parse(Blob.from_path(os.fspath(path)))
