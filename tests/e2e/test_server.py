"""The real server with real models: every way to ask, every bad input, load, leaving, shutdown."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import signal
import socket
import struct
import subprocess
import sys
import time
import uuid
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from drawings import endless_pdf, nested_pdf, pdf_page
from pdf_drawings import encrypted
from PIL import Image
from running_server import RunningServer, StartServer

from ocrsvc.service import schemas

pytestmark = pytest.mark.timeout(180)

TEXT = "发票号码 No. 24417"
TIMEOUT = httpx.Timeout(60)


def squeeze(text: str) -> str:
    """Return ``text`` without spaces: where they stand is not what is tested here."""
    return "".join(text.split())


@pytest.fixture(scope="module")
def line(draw_line: Callable[..., Any], png: Callable[..., bytes]) -> bytes:
    """A PNG of one line that says TEXT."""
    return png(draw_line(TEXT))


@pytest.fixture(scope="module")
def page(draw_page: Callable[..., Any], png: Callable[..., bytes]) -> tuple[bytes, list[str]]:
    """A PNG of a page, and the lines that stand on it."""
    drawn = draw_page()
    return png(drawn.image), list(drawn.lines)


@pytest.fixture(scope="module")
def client(server_url: str) -> Any:
    with httpx.Client(base_url=server_url, timeout=TIMEOUT) as client:
        yield client


def post(client: httpx.Client, content: bytes, query: str = "", **headers: str) -> httpx.Response:
    """Send raw bytes as application/octet-stream."""
    return client.post(
        f"/api/ocr?{query}", content=content, headers={"Content-Type": "application/octet-stream", **headers}
    )


# --- the ways to ask ------------------------------------------------------------------------------------------------


def test_three_forms_give_one_answer(client: httpx.Client, line: bytes) -> None:
    text = base64.b64encode(line).decode()
    answers = [
        client.post("/api/ocr", files={"image": ("票.png", line)}),
        client.post("/api/ocr", files={"file": ("a.png", line)}, data={"mode": "line"}),
        client.post("/api/ocr", json={"image": text, "mode": "line"}),
        client.post("/api/ocr", json={"image": f"data:image/png;base64,{text}"}),
        client.post("/api/ocr?mode=line", content=line, headers={"Content-Type": "image/png"}),
        client.post("/api/ocr", content=line, headers={"Content-Type": "image/jpeg"}),
        post(client, line),
    ]
    readings = [schemas.ReadingShape.model_validate(answer.json()) for answer in answers]
    assert squeeze(readings[0].text) == squeeze(TEXT)
    assert {reading.text for reading in readings} == {readings[0].text}
    assert readings[0].pages[0].number == 1
    assert readings[0].model.digest.startswith("sha256:")


def test_every_format(client: httpx.Client, line: bytes) -> None:
    text = post(client, line, "format=text")
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert squeeze(text.text) == squeeze(TEXT)
    entry, last = map(json.loads, post(client, line, "format=jsonl").text.splitlines())
    assert (entry["page"], entry["page_count"], entry["text"]) == (1, 1, text.text.strip("\n"))
    assert (last["done"], last["pages_read"]) == (True, 1)
    rows = post(client, line, "format=tsv").text.splitlines()
    assert rows[0].startswith("level\tpage_num")
    words = [row.split("\t") for row in rows[1:] if row.startswith("5\t")]
    assert squeeze("".join(word[11] for word in words)) == squeeze(TEXT)
    assert post(client, line, Accept="text/plain").text == text.text


def test_characters_lie_in_order_within_the_line(client: httpx.Client, line: bytes) -> None:
    (read,) = post(client, line, "characters=true").json()["lines"]
    assert "".join(each["text"] for each in read["characters"]) == read["text"]
    places = [(each["start"], each["end"]) for each in read["characters"]]
    assert all(0 <= start <= end <= 1 for start, end in places)
    assert places == sorted(places)


def test_alternatives_of_lines_and_characters(client: httpx.Client, line: bytes) -> None:
    answer = post(client, line, "n_best=3&characters=true").json()
    schemas.ReadingShape.model_validate(answer)
    (read,) = answer["lines"]
    texts = [each["text"] for each in read["alternatives"]]
    assert texts[0] == read["text"] == post(client, line).json()["text"]
    assert len(set(texts)) == len(texts) == 3
    assert read["alternatives"][0]["confidence"] == read["confidence"]
    for character in read["characters"]:
        assert character["alternatives"][0]["text"] == character["text"]
        assert all(each["text"] for each in character["alternatives"])
    (digits,) = post(client, line, "n_best=5&charset=digits").json()["lines"]
    assert set("".join(each["text"] for each in digits["alternatives"])) <= set("0123456789")
    form = {"n_best": "2", "characters": "true"}
    (row,) = client.post("/api/ocr/batch", files={"images": line}, data=form).text.splitlines()
    (read,) = schemas.BatchLineShape.model_validate_json(row).lines or []
    assert read.alternatives is not None
    assert len(read.alternatives) == 2
    refused = client.post("/api/ocr", json={"image": base64.b64encode(line).decode(), "n_best": 9})
    assert refused.status_code == 422
    assert "'n_best' must be a whole number from 1 to 5" in refused.json()["detail"]


def test_a_page_is_read_in_order(client: httpx.Client, page: tuple[bytes, list[str]]) -> None:
    content, lines = page
    answer = post(client, content, "mode=page").json()
    assert [squeeze(each["text"]) for each in answer["lines"]] == [squeeze(each) for each in lines]


def test_a_charset_is_kept_to(client: httpx.Client, line: bytes) -> None:
    text = post(client, line, "charset=digits").json()["text"]
    assert text
    assert set(text) <= set("0123456789")


def test_a_charset_can_be_told_from_what_the_line_says(client: httpx.Client, line: bytes) -> None:
    forced = post(client, line, "charset=digits").json()
    (free,) = post(client, line).json()["lines"]
    reported = post(client, line, "charset=digits&charset_mode=report").json()
    schemas.ReadingShape.model_validate(reported)
    assert reported["text"] == forced["text"]
    (read,) = reported["lines"]
    assert read["charset_conflict"] is True
    assert read["free_text"] == free["text"]
    assert read["needs_review"] is True
    assert forced["lines"][0]["free_text"] == free["text"]  # the digits leave out what else stands there
    (same,) = post(client, line, f"charset=chars:{''.join(set(TEXT))}&charset_mode=report").json()["lines"]
    assert squeeze(same["text"]) == squeeze(TEXT)
    assert "charset_conflict" not in same
    assert "free_text" not in same
    form = client.post(
        "/api/ocr", files={"image": line}, data={"charset": "digits", "charset_mode": "report"}
    )
    assert form.json()["lines"][0]["free_text"] == free["text"]


@pytest.mark.parametrize("query", ["charset=digits&charset_mode=maybe", "charset_mode=report"])
def test_a_wrong_charset_mode_is_a_problem_document(client: httpx.Client, line: bytes, query: str) -> None:
    answer = post(client, line, query)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/invalid-parameter"
    assert "charset_mode" in answer.json()["detail"]


def test_the_threshold_decides_what_needs_review(client: httpx.Client, line: bytes) -> None:
    (read,) = post(client, line, "review_threshold=0").json()["lines"]
    assert read["needs_review"] is False
    (read,) = post(client, line, "review_threshold=1").json()["lines"]
    assert read["needs_review"] is (read["confidence"] < 1)
    assert post(client, line, "review_threshold=2").status_code == 422


def test_a_tiff_has_pages(client: httpx.Client, line: bytes) -> None:
    first = Image.open(io.BytesIO(line)).convert("RGB")
    buffer = io.BytesIO()
    first.save(buffer, "TIFF", save_all=True, append_images=[first, first])
    assert [page["number"] for page in post(client, buffer.getvalue()).json()["pages"]] == [1, 2, 3]
    assert [page["number"] for page in post(client, buffer.getvalue(), "pages=2-").json()["pages"]] == [2, 3]
    refused = post(client, buffer.getvalue(), "pages=9")
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid-parameter")


def test_a_pdf_says_what_it_shows_and_keeps_its_password(server: RunningServer, client: httpx.Client) -> None:
    files = {"image": ("secret.pdf", encrypted("open sesame"))}
    answer = client.post("/api/ocr", files=files, data={"password": "open sesame"})
    reading = schemas.ReadingShape.model_validate(answer.json())
    assert (reading.text, [line.source for line in reading.lines]) == ("Secret text 42", ["pdf_text"])
    read = client.post("/api/ocr", files=files, data={"password": "open sesame", "pdf_text": "never"})
    assert "source" not in read.json()["lines"][0]
    for data, kind in (({}, "password-required"), ({"password": "sesame street"}, "wrong-password")):
        problem = client.post("/api/ocr", files=files, data=data)
        assert (problem.status_code, problem.json()["type"]) == (422, f"/problems/{kind}")
        assert "sesame" not in problem.text
    assert client.post("/api/ocr?password=open%20sesame", files=files).status_code == 200
    assert "sesame" not in server.log_text()


def test_a_batch_with_a_bad_file(client: httpx.Client, line: bytes) -> None:
    files = [
        ("images", ("好.png", line)),
        ("images", ("bad.png", b"this is no picture")),
        ("files", ("empty.png", b"")),
        ("images", ("again.png", line)),
    ]
    answer = client.post("/api/ocr/batch", files=files, data={"mode": "line"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/jsonl"
    lines = [json.loads(each) for each in answer.text.splitlines()]
    for each in lines:
        schemas.BatchLineShape.model_validate(each)
    by_index = {each["index"]: each for each in lines}
    assert squeeze(by_index[0]["text"]) == squeeze(by_index[3]["text"]) == squeeze(TEXT)
    assert by_index[0]["file"] == "好.png"
    assert by_index[1]["error"]["status"] == 415
    assert by_index[2]["error"]["type"] == "/problems/empty-input"


def test_a_batch_of_json(client: httpx.Client, line: bytes) -> None:
    text = base64.b64encode(line).decode()
    images = [text, {"file": "b.png", "image": text}, "rub*bish"]
    answer = client.post("/api/ocr/batch", json={"images": images, "mode": "line"})
    lines = {each["file"]: each for each in map(json.loads, answer.text.splitlines())}
    assert squeeze(lines["b.png"]["text"]) == squeeze(TEXT)
    assert lines["images-2"]["error"]["status"] == 400


def test_a_batch_streams(server_url: str, line: bytes, page: tuple[bytes, list[str]]) -> None:
    files = [("images", ("page.png", page[0])), ("images", ("line.png", line))]
    with httpx.stream("POST", f"{server_url}/api/ocr/batch", files=files, timeout=TIMEOUT) as answer:
        order = [json.loads(each)["file"] for each in answer.iter_lines()]
    assert order == ["line.png", "page.png"]


def test_models_and_options(client: httpx.Client) -> None:
    options = schemas.OptionsShape.model_validate(client.get("/api/options").json())
    models = schemas.ModelsShape.model_validate(client.get("/api/models").json())
    assert options.models == [model.name for model in models.models]
    assert [model.name for model in models.models if model.default] == [options.defaults.model]


def test_the_metrics_of_a_reading(client: httpx.Client, line: bytes) -> None:
    post(client, line)
    text = client.get("/metrics").text
    for name in (
        'ocrsvc_requests_total{code="200",route="/api/ocr"}',
        'ocrsvc_stage_duration_seconds_count{stage="decode"}',
        'ocrsvc_stage_duration_seconds_count{stage="recognise"}',
        'ocrsvc_lines_total{outcome="ok"}',
        "ocrsvc_batch_rows_count{",
        "ocrsvc_units_total",
        "ocrsvc_workers ",
        "ocrsvc_ready 1.0",
    ):
        assert name in text


def test_the_time_of_each_stage_is_in_a_header(client: httpx.Client, line: bytes) -> None:
    timing = post(client, line).headers["server-timing"]
    stages = dict(entry.split(";dur=") for entry in timing.split(", "))
    assert {"decode", "recognise", "total"} <= set(stages)
    assert float(stages["total"]) >= float(stages["recognise"])


# --- bad and strange pictures ---------------------------------------------------------------------------------------


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return one chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of_size(width: int, height: int) -> bytes:
    """Return a PNG of white pixels that claims, and has, this size; 30 000 x 30 000 takes about 0.1 MB."""
    rows = zlib.compressobj(9)
    row = b"\0" + b"\xff" * ((width + 7) // 8)
    packed = (
        b"".join(rows.compress(row * min(500, height - at)) for at in range(0, height, 500)) + rows.flush()
    )
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def jpeg_line(draw_line: Callable[..., Any], jpeg: Callable[..., bytes]) -> bytes:
    return jpeg(draw_line(TEXT))


def expect_refusal(
    server: RunningServer, line: bytes, send: Callable[[httpx.Client, str], httpx.Response], *refusal: Any
) -> str:
    """Send one bad request: a problem of this status and kind, one log line, and the next request works.

    Returns the problem's detail.
    """
    status, kind = refusal
    request_id = uuid.uuid4().hex
    with httpx.Client(base_url=server.url, timeout=TIMEOUT) as client:
        before = len(server.log_text())
        answer = send(client, request_id)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        problem = schemas.ProblemShape.model_validate(answer.json())
        assert problem.type == f"/problems/{kind}"
        assert problem.request_id == request_id
        following = post(client, line, **{"X-Request-ID": f"{request_id}-next"})
        assert squeeze(following.json()["text"]) == squeeze(TEXT)
    logged = server.lines_of(request_id)
    assert [(each["event"], each["status"], each["problem"]) for each in logged] == [
        ("request", status, kind)
    ]
    assert len(server.lines_of(f"{request_id}-next")) == 1
    written = server.log_text()[before:].splitlines()
    assert {json.loads(each)["event"] for each in written} == {"request"}, written
    return problem.detail


def raw(content: bytes, query: str = "") -> Callable[[httpx.Client, str], httpx.Response]:
    return lambda client, request_id: post(client, content, query, **{"X-Request-ID": request_id})


BAD_BYTES: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "empty": (lambda: b"", 400, "empty-input"),
    "text": (lambda: b"this is no picture", 415, "unsupported-media-type"),
    "html": (lambda: b"<!doctype html><p>hello", 415, "unsupported-media-type"),
    "svg": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported-media-type"),
    "png signature": (lambda: b"\x89PNG\r\n\x1a\n", 422, "undecodable-image"),
    "jpeg signature": (lambda: b"\xff\xd8\xff\xe0", 422, "undecodable-image"),
    "pdf signature": (lambda: b"%PDF-1.7\n", 422, "undecodable-image"),
    "bomb": (lambda: png_of_size(30_000, 30_000), 422, "too-many-pixels"),
    "no width": (lambda: png_of_size(0, 10), 422, "undecodable-image"),
    "no size": (lambda: png_of_size(0, 0), 422, "undecodable-image"),
    "png without its end": (lambda: png_of_size(400, 400)[:-30], 422, "undecodable-image"),
    "gif signature": (lambda: b"GIF89a", 422, "undecodable-image"),
    "tiff signature": (lambda: b"II*\x00\x08\x00\x00\x00", 422, "undecodable-image"),
    "webp signature": (lambda: b"RIFF\x10\x00\x00\x00WEBPVP8 ", 422, "undecodable-image"),
    "bmp signature": (lambda: b"BM\x10\x00\x00\x00\x00\x00\x00\x00", 422, "undecodable-image"),
}


@pytest.mark.parametrize("name", BAD_BYTES)
def test_bad_bytes(server: RunningServer, line: bytes, name: str) -> None:
    make, status, kind = BAD_BYTES[name]
    expect_refusal(server, line, raw(make()), status, kind)


@pytest.mark.parametrize("share", [0.1, 0.6])
def test_a_truncated_jpeg(server: RunningServer, line: bytes, jpeg_line: bytes, share: float) -> None:
    """Either a clear refusal, or what the whole part says: never a failure of the service."""
    request_id = uuid.uuid4().hex
    with httpx.Client(base_url=server.url, timeout=TIMEOUT) as client:
        answer = post(client, jpeg_line[: int(len(jpeg_line) * share)], **{"X-Request-ID": request_id})
        assert answer.status_code in (200, 422), answer.text
        if answer.status_code == 422:
            assert answer.json()["type"] == "/problems/undecodable-image"
        assert squeeze(post(client, line).json()["text"]) == squeeze(TEXT)
    assert [each["event"] for each in server.lines_of(request_id)] == ["request"]


def test_wrong_base64(server: RunningServer, line: bytes) -> None:
    said = expect_refusal(
        server,
        line,
        lambda client, request_id: client.post(
            "/api/ocr", json={"image": "iVBO*w0K"}, headers={"X-Request-ID": request_id}
        ),
        400,
        "invalid-request",
    )
    assert said == "Wrong base64: character '*' at position 4 is not of its alphabet."


def test_base64_of_no_picture(server: RunningServer, line: bytes) -> None:
    expect_refusal(
        server,
        line,
        lambda client, request_id: client.post(
            "/api/ocr", json={"image": "aGVsbG8="}, headers={"X-Request-ID": request_id}
        ),
        415,
        "unsupported-media-type",
    )


def test_no_field(server: RunningServer, line: bytes) -> None:
    said = expect_refusal(
        server,
        line,
        lambda client, request_id: client.post(
            "/api/ocr", files={"picture": ("a.png", line)}, headers={"X-Request-ID": request_id}
        ),
        400,
        "invalid-request",
    )
    assert "'image'" in said


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("model=none", "unknown-model"),
        ("model=/etc", "unknown-model"),
        ("model=ppocrv6-det-small", "unknown-model"),
        ("format=rtf", "unknown-format"),
        ("charset=klingon", "unknown-charset"),
        ("mode=word", "invalid-parameter"),
        ("pages=x", "invalid-parameter"),
        ("pages=2", "invalid-parameter"),
        ("characters=maybe", "invalid-parameter"),
    ],
)
def test_unknown_values(server: RunningServer, line: bytes, query: str, kind: str) -> None:
    assert expect_refusal(server, line, raw(line, query), 422, kind)


def test_a_body_above_the_limit(server: RunningServer, line: bytes) -> None:
    limit = httpx.get(f"{server.url}/api/options").json()["limits"]["max_body_bytes"]
    expect_refusal(server, line, raw(b"\xff" * (limit + 1)), 413, "too-large")


def test_a_chunked_body_above_the_limit(server: RunningServer, line: bytes) -> None:
    limit = httpx.get(f"{server.url}/api/options").json()["limits"]["max_body_bytes"]
    piece = b"\xff" * 2**20

    def send(client: httpx.Client, request_id: str) -> httpx.Response:
        headers = {"Content-Type": "image/png", "X-Request-ID": request_id}
        return client.post(
            "/api/ocr", content=(piece for _ in range(limit // len(piece) + 2)), headers=headers
        )

    expect_refusal(server, line, send, 413, "too-large")


def variant(line: bytes, kind: str) -> bytes:
    """Return the picture of ``line`` in another colour model or orientation."""
    picture = Image.open(io.BytesIO(line)).convert("RGB")
    buffer = io.BytesIO()
    if kind == "16 bit":
        deep = np.asarray(picture.convert("L")).astype(np.uint16) * 257
        Image.fromarray(deep).save(buffer, "PNG")
    elif kind == "cmyk":
        picture.convert("CMYK").save(buffer, "JPEG", quality=92)
    elif kind == "palette":
        picture.quantize(16).save(buffer, "PNG")
    elif kind == "one bit":
        picture.convert("1", dither=Image.Dither.NONE).save(buffer, "PNG")
    elif kind == "alpha":
        alpha = picture.convert("L").point(lambda value: 255 - value)
        Image.merge("RGBA", (*Image.new("RGB", picture.size).split(), alpha)).save(buffer, "PNG")
    elif kind == "exif rotated":
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned by 90 degrees clockwise for display
        picture.transpose(Image.Transpose.ROTATE_90).save(buffer, "JPEG", quality=92, exif=exif)
    elif kind == "animated":
        picture.save(buffer, "GIF", save_all=True, append_images=[Image.new("RGB", picture.size)] * 2)
    else:
        picture.save(buffer, kind, **({"lossless": True} if kind == "WEBP" else {}))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "kind",
    [
        "16 bit",
        "cmyk",
        "palette",
        "one bit",
        "alpha",
        "exif rotated",
        "animated",
        "WEBP",
        "BMP",
        "TIFF",
        "PDF",
    ],
)
def test_strange_pictures_are_read(server: RunningServer, line: bytes, kind: str) -> None:
    request_id = uuid.uuid4().hex
    with httpx.Client(base_url=server.url, timeout=TIMEOUT) as client:
        answer = post(client, variant(line, kind), "mode=line", **{"X-Request-ID": request_id})
    assert answer.status_code == 200, answer.text
    assert squeeze(answer.json()["text"]) == squeeze(TEXT)
    assert [each["event"] for each in server.lines_of(request_id)] == ["request"]


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 3)])
@pytest.mark.parametrize("mode", ["auto", "line", "page"])
def test_tiny_pictures(client: httpx.Client, size: tuple[int, int], mode: str) -> None:
    answer = post(client, png_of_size(*size), f"mode={mode}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["text"] == ""
    assert (answer.json()["pages"][0]["width"], answer.json()["pages"][0]["height"]) == size


# --- load -----------------------------------------------------------------------------------------------------------


async def test_fifty_at_once_read_as_one_alone(
    server_url: str, draw_line: Callable[..., Any], png: Any
) -> None:
    words = [
        "合计",
        "Total 1,024.50",
        "杭州西湖 Hangzhou",
        "2026-11-21",
        "a",
        "电话 0571-8888 分机 12 联系人 Wang",
    ]
    pictures = [png(draw_line(word)) for word in words]
    async with httpx.AsyncClient(base_url=server_url, timeout=TIMEOUT) as client:

        async def read(content: bytes) -> tuple[str, float]:
            answer = await client.post(
                "/api/ocr?mode=line", content=content, headers={"Content-Type": "image/png"}
            )
            assert answer.status_code == 200, answer.text
            (line,) = answer.json()["lines"]
            return line["text"], line["confidence"]

        alone = [await read(picture) for picture in pictures]
        together = await asyncio.gather(*(read(pictures[i % len(pictures)]) for i in range(50)))
    for i, (text, confidence) in enumerate(together):
        expected_text, expected_confidence = alone[i % len(pictures)]
        assert text == expected_text
        assert confidence == pytest.approx(expected_confidence, abs=2e-4)


def test_a_client_who_leaves_frees_the_queue(
    start_server: StartServer, page: tuple[bytes, list[str]]
) -> None:
    server = start_server(workers=1)
    server.wait_until_ready()
    address = server.url.removeprefix("http://").split(":")
    head = (
        f"POST /api/ocr?mode=page HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
        f"Content-Length: {len(page[0])}\r\n\r\n"
    )
    connections = []
    for _ in range(8):
        connection = socket.create_connection((address[0], int(address[1])))
        connection.sendall(head.encode() + page[0])
        connections.append(connection)
    metric_until(server.url, "ocrsvc_requests_inside", lambda value: value == 8)
    for connection in connections:
        connection.close()
    metric_until(server.url, "ocrsvc_requests_inside", lambda value: value == 0)
    # One run may still be in the engine; what was queued is gone.
    metric_until(server.url, "ocrsvc_lines_outstanding", lambda value: value == 0)
    gone = metric(server.url, 'ocrsvc_requests_total{code="499",route="/api/ocr"}')
    assert gone >= 6
    assert "traceback" not in server.log_text().lower()


def metric(url: str, name: str) -> float:
    """Return the value of one sample of /metrics, 0 if it is not there."""
    for each in httpx.get(f"{url}/metrics", timeout=TIMEOUT).text.splitlines():
        if each.startswith(name + " "):
            return float(each.rpartition(" ")[2])
    return 0.0


def metric_until(url: str, name: str, condition: Callable[[float], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition(value := metric(url, name)):
            return
        time.sleep(0.02)
    pytest.fail(f"{name} stayed at {value}")


# --- start and stop -------------------------------------------------------------------------------------------------


def test_it_listens_before_it_is_ready_and_stops_cleanly(start_server: StartServer, line: bytes) -> None:
    server = start_server()
    seen: list[int] = []
    until = time.monotonic() + 50
    while time.monotonic() < until and (not seen or seen[-1] != 200):
        assert httpx.get(f"{server.url}/livez").status_code == 200
        seen.append(httpx.get(f"{server.url}/readyz").status_code)
    assert seen[0] == 503
    assert seen[-1] == 200
    with httpx.Client(base_url=server.url, timeout=TIMEOUT) as client:
        assert squeeze(post(client, line).json()["text"]) == squeeze(TEXT)
    assert server.stop() == 0
    assert "traceback" not in server.log_text().lower()


def test_it_can_be_stopped_while_the_models_load(start_server: StartServer) -> None:
    server = start_server()
    assert server.stop() == 0
    assert "traceback" not in server.log_text().lower()


async def test_a_shutdown_under_load_answers_all_that_was_accepted(
    start_server: StartServer, page: tuple[bytes, list[str]]
) -> None:
    server = start_server()
    await asyncio.to_thread(server.wait_until_ready)
    async with httpx.AsyncClient(base_url=server.url, timeout=TIMEOUT) as client:
        headers = {"Content-Type": "image/png"}
        running = [
            asyncio.create_task(client.post("/api/ocr?mode=page", content=page[0], headers=headers))
            for _ in range(8)
        ]
        await asyncio.to_thread(metric_until, server.url, "ocrsvc_requests_inside", lambda value: value == 8)
        server.process.send_signal(signal.SIGTERM)
        answers = await asyncio.gather(*running)
    assert [answer.status_code for answer in answers] == [200] * 8
    assert len({answer.json()["text"] for answer in answers}) == 1
    # Not stop: a second signal may meet an interpreter that is ending and has given its handlers back.
    assert await asyncio.to_thread(server.wait) == 0
    assert "traceback" not in server.log_text().lower()


async def test_a_shutdown_that_may_not_wait_says_so(
    start_server: StartServer, page: tuple[bytes, list[str]]
) -> None:
    server = start_server(drain_seconds=1, workers=1)
    await asyncio.to_thread(server.wait_until_ready)
    async with httpx.AsyncClient(base_url=server.url, timeout=TIMEOUT) as client:
        headers = {"Content-Type": "image/png"}
        running = [
            asyncio.create_task(client.post("/api/ocr?mode=page", content=page[0], headers=headers))
            for _ in range(30)
        ]
        await asyncio.to_thread(metric_until, server.url, "ocrsvc_requests_inside", lambda value: value == 30)
        server.process.send_signal(signal.SIGTERM)
        answers = await asyncio.gather(*running)
    assert {answer.status_code for answer in answers} <= {200, 503}
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.json()["type"] == "/problems/shutting-down"
    assert refused.headers["retry-after"]
    assert await asyncio.to_thread(server.wait) == 0


def post_in_part(url: str, body: bytes) -> socket.socket:
    """A connection on which a PDF was sent, without waiting for its answer."""
    client = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
    head = "POST /api/ocr HTTP/1.1\r\nHost: x\r\nContent-Type: application/pdf\r\n"
    client.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    return client


def test_a_decoding_that_does_not_end_keeps_no_process_alive(start_server: StartServer) -> None:
    server = start_server(drain_seconds=2)
    server.wait_until_ready()
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    with post_in_part(server.url, endless_pdf()):
        metric_until(server.url, "ocrsvc_decode_pixels_inflight", lambda pixels: pixels > 0)
        decoders = [int(child) for child in children.read_text().split()] if children.exists() else []
        assert server.stop() == 0  # which waits for long, but not for ever
    assert not any(Path(f"/proc/{decoder}").exists() for decoder in decoders)


def test_what_a_codec_says_of_a_damaged_picture_is_a_line_of_the_log(
    start_server: StartServer, line: bytes
) -> None:
    server = start_server()
    server.wait_until_ready()
    buffer = io.BytesIO()
    Image.open(io.BytesIO(line)).convert("RGB").save(buffer, "JPEG")
    bent = bytearray(buffer.getvalue())
    bent[-40:-30] = b"\xff\xd0" * 5  # restart markers where none belong
    assert httpx.post(f"{server.url}/api/ocr", content=bytes(bent), timeout=60).status_code in (200, 422)
    assert server.stop() == 0
    said = [entry for entry in server.log_lines() if entry["logger"] == "ocrsvc.native"]
    assert said
    assert "JPEG" in said[0]["said"]


def test_threads_that_do_not_end_keep_no_process_alive() -> None:
    program = "import threading, time; from ocrsvc.service import server\n"
    program += "threading.Thread(target=time.sleep, args=(600,)).start(); server._leave_threads_behind()"
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0


def test_endless_inputs_are_refused_and_keep_nobody_waiting(start_server: StartServer, line: bytes) -> None:
    server = start_server(decode_seconds=2, max_decode_bytes=100 << 20)
    server.wait_until_ready()
    with ThreadPoolExecutor(4) as pool, httpx.Client(base_url=server.url, timeout=60) as client:
        attacks = [
            pool.submit(httpx.post, f"{server.url}/api/ocr", content=body, timeout=60)
            for body in (endless_pdf(), nested_pdf(), endless_pdf(), nested_pdf())
        ]
        expected = client.post("/api/ocr?format=text", content=line).text
        while not all(attack.done() for attack in attacks):
            assert client.post("/api/ocr?format=text", content=line).text == expected
            assert client.get("/livez").status_code == 200
        for attack in attacks:
            answer = attack.result()
            assert answer.status_code == 422
            assert "limit for one page" in answer.json()["detail"] or "crashed" in answer.json()["detail"]
        assert client.post("/api/ocr", content=pdf_page(b"0 0 9 9 re f")).status_code == 200
    metric_until(server.url, "ocrsvc_decode_pixels_inflight", lambda pixels: pixels == 0)
    assert server.log_lines()  # each of them JSON, whatever the codecs had to say


def test_a_model_that_is_not_there_ends_the_process(start_server: StartServer) -> None:
    server = start_server(model="no-such-model")
    assert server.process.wait(timeout=100) == 1
    assert "no-such-model" in server.log_text()


def test_a_port_in_use_ends_the_process(server: RunningServer) -> None:
    port = server.url.rpartition(":")[2]
    ended = subprocess.run(
        [sys.executable, "-m", "ocrsvc", "serve", "--port", port], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1
    assert ended.stdout + ended.stderr == f"ocrsvc: 127.0.0.1:{port}: Address already in use\n"
