"""Three ways to send a picture; what is malformed, too large, too slow or too many is refused with a reason."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request

from ocrsvc.errors import RequestTimeout, ShuttingDown
from ocrsvc.service import body, json_body, problems, uploads
from ocrsvc.service.pictures import UploadLimits
from ocrsvc.service.record import record_of
from ocrsvc.service.request_limit import RequestLimit

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
OTHER = b"GIF89a" + b"\0" * 40
BASE64 = base64.b64encode(PNG).decode()
JSON = {"content-type": "application/json"}
LIMIT = 4096
BATCH_LIMIT = 3 * LIMIT
DOOR_BYTES = 10 * LIMIT


class Intake:
    """An application that receives an upload and says what it got."""

    def __init__(self) -> None:
        self.request_limit = RequestLimit(max_requests=4, max_bytes=DOOR_BYTES)
        self.pool = ThreadPoolExecutor(1)
        self.app = FastAPI()
        problems.install(self.app)

        @self.app.post("/one")
        async def one(request: Request) -> Any:
            return await self.take(request, uploads.ONE, UploadLimits(LIMIT, LIMIT, 1))

        @self.app.post("/many")
        async def many(request: Request) -> Any:
            return await self.take(request, uploads.MANY, UploadLimits(LIMIT, BATCH_LIMIT, 3))

    async def take(self, request: Request, names: tuple[str, ...], limits: UploadLimits) -> Any:
        with self.request_limit.enter() as received:
            upload = await uploads.receive(
                request, names=names, limits=limits, received=received, pool=self.pool
            )
            pictures = []
            try:
                for picture in upload.pictures:
                    data = await picture.load(self.pool, limit_bytes=limits.body_bytes)
                    pictures.append([picture.name, data.hex()])
            finally:
                await upload.close()
            held = received.held_bytes
        return {"pictures": pictures, "fields": upload.fields, "held": held}

    async def post(self, path: str = "/one", **request: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post(path, **request)


@pytest.fixture
def intake() -> Any:
    intake = Intake()
    yield intake
    assert (intake.request_limit.requests, intake.request_limit.held_bytes) == (0, 0)
    intake.pool.shutdown()


def first(response: httpx.Response) -> bytes:
    """Return the bytes of the first picture that arrived."""
    assert response.status_code == 200, response.text
    return bytes.fromhex(response.json()["pictures"][0][1])


def refusal(response: httpx.Response) -> tuple[int, str, str]:
    """Return status, kind and words of a problem."""
    problem = response.json()
    return response.status_code, problem["type"].removeprefix("/problems/"), problem["detail"]


@pytest.mark.parametrize("name", ["image", "file", "image[]"])
async def test_multipart(intake: Intake, name: str) -> None:
    response = await intake.post(files={name: ("票.png", PNG)}, data={"mode": "line", "model": "crnn"})
    assert first(response) == PNG
    assert response.json()["pictures"][0][0] == "票.png"
    assert response.json()["fields"] == {"mode": "line", "model": "crnn"}


async def test_base64_in_a_form_field(intake: Intake) -> None:
    files = {"image": (None, f"data:image/png;base64,{BASE64}")}
    assert first(await intake.post(files=files)) == PNG


@pytest.mark.parametrize("text", [BASE64, f"data:image/png;base64,{BASE64}"])
@pytest.mark.parametrize("name", ["image", "file"])
async def test_json(intake: Intake, name: str, text: str) -> None:
    response = await intake.post(
        json={name: text, "mode": "line", "characters": True, "pages": 3, "charset": None}
    )
    assert first(response) == PNG
    assert response.json()["fields"] == {"mode": "line", "characters": "true", "pages": "3"}


async def test_large_json_goes_through_the_pool(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "SMALL_BYTES", 16)
    monkeypatch.setattr(json_body, "SMALL_BYTES", 16)
    assert first(await intake.post(json={"image": BASE64})) == PNG


async def test_a_large_json_with_any_characters(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "SMALL_BYTES", 16)
    monkeypatch.setattr(json_body, "SMALL_BYTES", 16)
    body = json.dumps({"image": BASE64, "mode": "line", "note": "发票🧾" * 90}, ensure_ascii=False)
    response = await intake.post(content=body.encode(), headers=JSON)
    assert first(response) == PNG
    assert response.json()["fields"] == {"mode": "line", "note": "发票🧾" * 90}
    for wrong, why in (
        (b"{", "not JSON: .* line 1"),
        (b"[" * 500, "not JSON|nested"),
        (b'{"a": "\xff"}', "not JSON"),
    ):
        assert re.search(why, refusal(await intake.post(content=wrong + b" " * 20, headers=JSON))[2])


@pytest.mark.parametrize(
    "media_type",
    ["image/png", "image/jpeg", "application/pdf", "application/octet-stream", "IMAGE/PNG; x=1", None],
)
async def test_raw_body(intake: Intake, media_type: str | None) -> None:
    headers = {"content-type": media_type} if media_type else {}
    assert first(await intake.post(content=PNG, headers=headers)) == PNG


async def test_raw_body_as_curl_sends_it_by_default(intake: Intake) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert first(await intake.post(content=PNG, headers=headers)) == PNG
    assert refusal(await intake.post(content=b"image=abc", headers=headers))[0] == 415


async def test_raw_body_may_have_a_name(intake: Intake) -> None:
    headers = {"content-type": "image/png", "content-disposition": 'attachment; filename="a b.png"'}
    response = await intake.post(content=PNG, headers=headers)
    assert response.json()["pictures"][0][0] == "a b.png"


async def test_many_files_keep_their_order(intake: Intake) -> None:
    files = [("images", ("a.png", PNG)), ("image", ("b.gif", OTHER)), ("file", ("c.png", PNG))]
    response = await intake.post("/many", files=files)
    assert [name for name, _ in response.json()["pictures"]] == ["a.png", "b.gif", "c.png"]


async def test_many_in_json(intake: Intake) -> None:
    response = await intake.post(
        "/many", json={"images": [BASE64, {"file": "b.png", "image": BASE64}], "mode": "line"}
    )
    assert [name for name, _ in response.json()["pictures"]] == ["images-0", "b.png"]
    assert response.json()["fields"] == {"mode": "line"}


MULTIPART = {"content-type": "multipart/form-data; boundary=x"}
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("request_", "status", "kind", "said"),
    [
        ({"content": b"", "headers": {"content-type": "image/png"}}, 400, "empty-input", "no body"),
        ({"content": b"", "headers": JSON}, 400, "empty-input", "no body"),
        ({"files": {"image": ("a.png", b"")}}, 400, "empty-input", "no bytes"),
        ({"files": {"picture": ("a.png", PNG)}}, 400, "invalid-request", "there is a file in 'picture'"),
        ({"files": {"mode": (None, "line")}}, 400, "invalid-request", "in the field 'image'"),
        ({"content": b"", "headers": MULTIPART}, 400, "empty-input", "no body"),
        ({"content": b"rubbish", "headers": MULTIPART}, 400, "invalid-request", "Wrong multipart body"),
        (
            {"content": b"--x\r\n", "headers": {"content-type": "multipart/form-data"}},
            400,
            "invalid-request",
            "boundary",
        ),
        (
            {"files": [("image", ("a.png", PNG)), ("image", ("b.png", PNG))]},
            422,
            "too-many-files",
            "/api/ocr/batch",
        ),
        ({"content": b"{", "headers": JSON}, 400, "invalid-request", "not JSON: .* line 1 column 2"),
        ({"content": b'{"image": "\xff"}', "headers": JSON}, 400, "invalid-request", "not UTF-8"),
        (
            {"content": b'{"image": [' + b"," * 4010 + b"]}", "headers": JSON},
            400,
            "invalid-request",
            "values",
        ),
        ({"content": b"[" * 4000, "headers": JSON}, 400, "invalid-request", "nested|not JSON|values"),
        ({"json": ["a"]}, 400, "invalid-request", "not a list"),
        ({"json": 7}, 400, "invalid-request", "not a number"),
        ({"json": {}}, 400, "invalid-request", "no member 'image'"),
        ({"json": {"image": None}}, 400, "invalid-request", "no member 'image'"),
        ({"json": {"image": 7}}, 400, "invalid-request", "not a number"),
        ({"json": {"image": {"data": "x"}}}, 400, "invalid-request", "not an object"),
        ({"json": {"image": "iVBO*w0K"}}, 400, "invalid-request", r"'\*' at position 4"),
        ({"json": {"image": ""}}, 400, "empty-input", "empty"),
        ({"json": {"image": []}}, 422, "too-many-files", "one picture"),
        ({"json": {"image": BASE64, "mode": {}}}, 422, "invalid-parameter", "'mode' must be text"),
        (
            {"content": PNG, "headers": {"content-type": "text/plain"}},
            415,
            "unsupported-media-type",
            "'text/plain' is not understood",
        ),
    ],
)
async def test_what_is_wrong_is_said(
    intake: Intake, request_: dict[str, Any], status: int, kind: str, said: str
) -> None:
    response = await intake.post(**request_)
    assert refusal(response)[:2] == (status, kind), response.text
    assert re.search(said, refusal(response)[2]), response.text


@pytest.mark.parametrize(
    "request_",
    [
        {"files": [("images", (f"{i}.png", PNG)) for i in range(4)]},
        {"files": [("images", (f"{i}.png", PNG)) for i in range(9)]},
        {"json": {"images": [BASE64] * 4}},
    ],
)
async def test_too_many_files(intake: Intake, request_: dict[str, Any]) -> None:
    response = await intake.post("/many", **request_)
    assert refusal(response) == (422, "too-many-files", "Send at most 3 files in one request.")
    assert response.json()["max_files"] == 3


async def test_an_empty_list_is_empty_input(intake: Intake) -> None:
    assert refusal(await intake.post("/many", json={"images": []}))[:2] == (400, "empty-input")


async def pieces(count: int, size: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"\xff" * size


async def test_an_announced_body_that_is_too_large_is_refused_unread(intake: Intake) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("read although the length says enough")
        yield b""

    headers = {"content-type": "image/png", "content-length": str(LIMIT + 1)}
    response = await intake.post(content=never(), headers=headers)
    assert refusal(response)[:2] == (413, "too-large")
    assert response.json()["max_bytes"] == LIMIT


@pytest.mark.parametrize("media_type", ["image/png", "application/json", "application/octet-stream"])
async def test_a_chunked_body_is_counted(intake: Intake, media_type: str) -> None:
    response = await intake.post(content=pieces(100, 1000), headers={"content-type": media_type})
    assert refusal(response)[:2] == (413, "too-large")


async def test_a_multipart_body_is_counted(intake: Intake) -> None:
    async def form() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        async for piece in pieces(100, 1000):
            yield piece

    assert refusal(await intake.post(content=form(), headers=MULTIPART))[:2] == (413, "too-large")


async def test_exactly_the_limit_is_allowed(intake: Intake) -> None:
    response = await intake.post(content=pieces(4, LIMIT // 4), headers={"content-type": "image/png"})
    assert response.status_code == 200
    assert response.json()["held"] == LIMIT


async def test_each_file_of_many_has_the_limit_of_one(intake: Intake) -> None:
    response = await intake.post("/many", files={"images": ("a.png", b"\xff" * (LIMIT + 1))})
    assert refusal(response)[:2] == (413, "too-large")


async def test_all_bodies_together_are_bounded(intake: Intake) -> None:
    with intake.request_limit.enter() as other:
        other.hold(DOOR_BYTES - 100)
        response = await intake.post(content=PNG, headers={"content-type": "image/png"})
    assert refusal(response)[:2] == (503, "saturated")
    assert int(response.headers["retry-after"]) >= 1


async def test_a_body_that_stops_coming_times_out() -> None:
    async def receive() -> dict[str, Any]:
        await asyncio.sleep(3600)
        return {}

    request = Request({"type": "http", "headers": [], "method": "POST"}, receive)
    with RequestLimit(max_requests=1, max_bytes=9).enter() as received, pytest.raises(RequestTimeout):
        async for _ in body.chunks(request, limit_bytes=9, received=received, stall_seconds=0.01):
            pass


class Trickle:
    """A client that sends a byte every ``every_seconds``, on a clock of its own."""

    def __init__(self, every_seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.every_seconds = every_seconds
        self.now = 1000.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)

    async def receive(self) -> dict[str, Any]:
        self.now += self.every_seconds
        await asyncio.sleep(0)  # lets the loop see whose time is over
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"x", "more_body": True}


@pytest.mark.parametrize("every_seconds", [0.01, 1, 10, 29])
async def test_a_body_that_comes_too_slowly_times_out(
    every_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Trickle(every_seconds, monkeypatch)
    request = Request({"type": "http", "headers": [], "method": "POST"}, client.receive)
    record = record_of(request.scope)
    with (
        RequestLimit(max_requests=1, max_bytes=10**9).enter() as received,
        pytest.raises(RequestTimeout, match="slowly"),
    ):
        await body.whole(request, limit_bytes=10**9, received=received)
    longest = body.STALL_SECONDS + record.body_bytes / body.LEAST_BYTES_PER_SECOND
    assert client.now - 1000 <= longest + 2 * every_seconds


async def test_a_body_on_its_way_when_the_door_closes_is_told_so() -> None:
    async def receive() -> dict[str, Any]:
        await asyncio.sleep(3600)
        return {}

    request = Request({"type": "http", "headers": [], "method": "POST"}, receive)
    door = RequestLimit(max_requests=1, max_bytes=9)
    asyncio.get_running_loop().call_later(0.05, lambda: door.close(asyncio.get_running_loop().time()))
    with door.enter() as received, pytest.raises(ShuttingDown):
        async for _ in body.chunks(request, limit_bytes=9, received=received):
            pass


async def test_half_of_a_surrogate_pair_is_no_text(intake: Intake) -> None:
    bodies: dict[str, Any] = {"images": [{"file": "bad\ud800.png", "image": BASE64}, BASE64]}
    response = await intake.post("/many", content=json.dumps(bodies), headers=JSON)
    assert [name for name, _ in response.json()["pictures"]] == ["bad?.png", "images-1"]
    for name in ("charset", "pages", "model"):
        body = {"image": BASE64, name: "chars:\ud800"}
        response = await intake.post(content=json.dumps(body), headers=JSON)
        status, kind, words = refusal(response)
        assert (status, kind) == (422, "invalid-parameter")
        assert f"{name!r} is no Unicode text" in words


@pytest.mark.parametrize("charset", ["idna", "punycode", "utf-16", "hex", "zlib", "undefined", "nonsense"])
async def test_an_odd_charset_of_a_form_is_no_fault_of_ours(intake: Intake, charset: str) -> None:
    content = (
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="\xff.png"\r\n\r\n%s\r\n'
        b'--b\r\nContent-Disposition: form-data; name="mode"\r\n\r\n\xff.\xed\xa0\x80..\r\n--b--\r\n' % PNG
    )
    kind = f"multipart/form-data; boundary=b; charset={charset}"
    response = await intake.post(content=content, headers={"content-type": kind})
    assert response.status_code in (200, 400, 422), response.text


@pytest.mark.parametrize(
    "disposition",
    [
        "attachment; filename*=bogus''%ff",
        "attachment; filename*0*=x; filename*1=y",
        "attachment; filename*=''; filename*; =; *0=x",
        "attachment; filename*a*=x; filename*99999999999999999999=1",
        "attachment; filename*=idna''%ed%a0%80",
        "attachment; filename*=utf-8''%ed%a0%80",
        'attachment; filename="=?utf-8?b?/////w==?="',
        'attachment; "' + ";" * 4000,
        "attachment; " + "a=;" * 1300,
    ],
)
async def test_an_odd_file_name_is_no_fault_of_ours(intake: Intake, disposition: str) -> None:
    response = await intake.post(
        content=PNG, headers={"content-type": "image/png", "content-disposition": disposition}
    )
    assert response.status_code in (200, 400), response.text
    if response.status_code == 200:
        response.json()["pictures"][0][0].encode()


async def test_a_file_name_has_a_length(intake: Intake) -> None:
    headers = {"content-type": "image/png", "content-disposition": 'attachment; "' + ";" * 200_000}
    status, kind, words = refusal(await intake.post(content=PNG, headers=headers))
    assert (status, kind) == (400, "invalid-request")
    assert "4096 bytes" in words
