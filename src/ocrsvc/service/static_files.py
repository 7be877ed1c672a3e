"""The files of the web page, compressed for clients that take gzip, and kept by browsers as long as they may be."""

from __future__ import annotations

import asyncio
import gzip
from os import stat_result
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_SUFFIXES = frozenset({".html", ".js", ".mjs", ".css", ".svg", ".json", ".ttf", ".pfb", ".bcmap"})
_SMALLEST_BYTES = 1024  # below, the headers outweigh what is saved
_UNCHANGING = "vendor"  # folder of libraries whose own folders are named by their version
_LEVEL = 9  # each file is compressed once


class PageFiles(StaticFiles):
    """Static files with the given headers. What lies below ``vendor/`` never changes under its name."""

    def __init__(self, folder: Path, headers: dict[str, str]) -> None:
        super().__init__(directory=folder)
        self._headers = headers
        self._compressed: dict[tuple[str, int, int], bytes] = {}

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return the file, compressed if the client takes that; raises HTTPException 404 and 405."""
        response = await super().get_response(path, scope)
        response.headers.update(self._headers)
        if Path(path).parts[0] == _UNCHANGING:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        if not isinstance(response, FileResponse):  # 304
            return response
        return await self.packed(response, scope)

    async def packed(self, response: FileResponse, scope: Scope) -> Response:
        """Return the answer with its file compressed, or as it is if that does not help."""
        path, stat = Path(response.path), response.stat_result
        if path.suffix not in _SUFFIXES or stat is None or stat.st_size < _SMALLEST_BYTES:
            return response
        response.headers["Vary"] = "Accept-Encoding"
        headers = Headers(scope=scope)
        accepted = headers.get("accept-encoding", "")
        if scope["method"] != "GET" or "gzip" not in accepted or "range" in headers:
            return response
        content = await self._content(path, stat)
        packed = Response(content, media_type=response.media_type)
        kept = ("content-type", "cache-control", "last-modified", "vary", "content-security-policy")
        packed.headers.update({name: response.headers[name] for name in kept if name in response.headers})
        packed.headers["Content-Encoding"] = "gzip"
        # Weak, because the same tag stands for the file as it is.
        packed.headers["ETag"] = f"W/{response.headers['etag']}"
        return packed

    async def _content(self, path: Path, stat: stat_result) -> bytes:
        key = (str(path), stat.st_mtime_ns, stat.st_size)
        if key not in self._compressed:
            data = await asyncio.to_thread(path.read_bytes)
            # In a thread: the largest file takes 0.1 s.
            self._compressed[key] = await asyncio.to_thread(gzip.compress, data, _LEVEL, mtime=0)
        return self._compressed[key]
