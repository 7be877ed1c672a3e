"""The files of the web page: compressed for clients that take it, kept by browsers as long as they may be."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from ocrsvc.service.static_files import PageFiles

SCRIPT = "export const words = 'the same words again';\n" * 100
GZIP = {"Accept-Encoding": "gzip"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.js").write_text(SCRIPT, "utf-8")
    (tmp_path / "small.js").write_text("1;", "utf-8")
    (tmp_path / "photo.png").write_bytes(bytes(5000))
    (tmp_path / "vendor" / "library-1.0").mkdir(parents=True)
    (tmp_path / "vendor" / "library-1.0" / "library.mjs").write_text(SCRIPT, "utf-8")
    return tmp_path


@pytest.fixture
def client(folder: Path) -> httpx.AsyncClient:
    files = PageFiles(folder, {"Cache-Control": "no-cache", "Content-Security-Policy": "default-src 'none'"})
    transport = httpx.ASGITransport(app=Starlette(routes=[Mount("/static", files)]))
    return httpx.AsyncClient(transport=transport, base_url="http://page")


async def raw(client: httpx.AsyncClient, path: str, **headers: str) -> tuple[httpx.Response, bytes]:
    """The answer and its bytes as they were sent."""
    async with client.stream("GET", f"/static/{path}", headers=headers) as answer:
        return answer, b"".join([piece async for piece in answer.aiter_raw()])


async def test_a_script_is_compressed_for_clients_that_take_it(client: httpx.AsyncClient) -> None:
    answer, sent = await raw(client, "app.js", **GZIP)
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(sent).decode() == SCRIPT
    assert len(sent) == int(answer.headers["content-length"]) < len(SCRIPT) / 10
    assert answer.headers["content-security-policy"] == "default-src 'none'"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["vary"] == "Accept-Encoding"


async def test_others_get_the_file_as_it_is(client: httpx.AsyncClient) -> None:
    answer, sent = await raw(client, "app.js", **{"Accept-Encoding": "identity"})
    assert "content-encoding" not in answer.headers
    assert sent.decode() == SCRIPT
    assert answer.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("name", ["small.js", "photo.png"])
async def test_what_would_not_get_smaller_is_sent_as_it_is(client: httpx.AsyncClient, name: str) -> None:
    answer, _ = await raw(client, name, **GZIP)
    assert answer.status_code == 200
    assert "content-encoding" not in answer.headers


async def test_a_file_that_a_browser_has_is_not_sent_again(client: httpx.AsyncClient) -> None:
    tag = (await raw(client, "app.js", **GZIP))[0].headers["etag"]
    answer, sent = await raw(client, "app.js", **GZIP, **{"If-None-Match": tag})
    assert (answer.status_code, sent) == (304, b"")
    assert answer.headers["cache-control"] == "no-cache"


async def test_a_changed_file_is_sent_anew(client: httpx.AsyncClient, folder: Path) -> None:
    await raw(client, "app.js", **GZIP)
    (folder / "app.js").write_text(SCRIPT * 2, "utf-8")
    answer = await client.get("/static/app.js", headers=GZIP)
    assert answer.text == SCRIPT * 2


async def test_libraries_are_kept_for_good_and_the_rest_is_asked_for_each_time(
    client: httpx.AsyncClient,
) -> None:
    library, _ = await raw(client, "vendor/library-1.0/library.mjs", **GZIP)
    assert library.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert library.headers["content-type"].startswith("text/javascript")
    assert (await raw(client, "app.js", **GZIP))[0].headers["cache-control"] == "no-cache"
