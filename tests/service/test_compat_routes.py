"""Contracts of other services on the whole application with a tiny real recogniser: limits, keys, refusals, jobs."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pikepdf
import pytest
import pytest_asyncio
import tiny_model
from fastapi.routing import APIRoute
from PIL import Image

from ocrsvc.reading.reader import Reader
from ocrsvc.service.app import create_app
from ocrsvc.service.compat_job_routes import compat_jobs
from ocrsvc.service.compat_openapi import TAG
from ocrsvc.service.compat_routes import compat
from ocrsvc.service.job_routes import jobs
from ocrsvc.service.routes import exposition, reading, router
from ocrsvc.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "0123456789abcdef0123"


def png(text: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(tiny_model.draw(text)).save(buffer, "PNG")
    return buffer.getvalue()


def pdf() -> bytes:
    """Two pages of one line, at 100 dpi."""
    first, second = (Image.fromarray(tiny_model.draw(text)) for text in ("12", "34"))
    buffer = io.BytesIO()
    first.save(buffer, "PDF", resolution=100, save_all=True, append_images=[second])
    return buffer.getvalue()


def blank() -> bytes:
    """A picture without a line."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, tiny_model.HEIGHT), (tiny_model.PAD,) * 3).save(buffer, "PNG")
    return buffer.getvalue()


LINE = png("12")
TEXT64 = base64.b64encode(LINE).decode()


class ColdReader(Reader):
    """Does not run every shape once before."""

    async def start(self, *, warm: bool = False) -> None:
        await super().start(warm=warm)


Opened = Callable[..., contextlib.AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.write_with_detector(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def opened(models_dir: Path) -> Opened:
    """``opened(max_pages=..., ...)`` -> a client of an application that is ready."""

    @contextlib.asynccontextmanager
    async def open_(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        chosen = {"model": "tiny", "models_dir": models_dir, "workers": 1, "detector_side_pixels": 320}
        app = create_app(Settings(**{**chosen, **settings}), ColdReader)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http,
        ):
            while (await http.get("/readyz")).status_code != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            yield http

    return open_


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(opened: Opened) -> AsyncIterator[httpx.AsyncClient]:
    async with opened() as client:
        yield client


async def test_no_path_shadows_ours() -> None:
    theirs, ours = (
        [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
        for routers in ((compat, compat_jobs), (reading, jobs, router, exposition))
    )
    assert len(theirs) >= 10
    for route in theirs:
        assert route.tags == [TAG]
        path = route.path.replace("{id}", "x").replace("{name}", "y")
        for own in ours:
            if set(route.methods or ()) & set(own.methods or ()):
                assert own.path_regex.fullmatch(path) is None, path


async def test_the_description_lists_them_under_a_tag_of_their_own(opened: Opened) -> None:
    async with opened(api_keys=KEY) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    tagged = {path for path, each in paths.items() for op in each.values() if op.get("tags") == [TAG]}
    assert {"/ocr", "/layout-parsing", "/process", "/v2/parse/file", "/api/doc/upload"} <= tagged
    assert paths["/process"]["put"]["security"]
    assert {"401", "429"} <= set(paths["/process"]["put"]["responses"])
    assert paths["/api/v2/ocr/jobs/{id}/result.jsonl"]["get"]["security"] == []


async def test_they_are_gone_if_they_are_not_wanted(opened: Opened) -> None:
    async with opened(compat=False) as client:
        assert (await client.post("/ocr", files={"file": LINE})).status_code == 404
        answer = await client.post("/api/ocr", json={"base64": TEXT64})
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-request")


async def test_our_own_request_is_untouched(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/ocr", json={"image": TEXT64, "mode": "line"})
    assert answer.json()["text"] == "12"
    both = await client.post("/api/ocr", json={"image": TEXT64, "base64": TEXT64})
    assert both.status_code == 422  # `base64` is no parameter of ours


@pytest.mark.parametrize(
    ("send", "members"),
    [
        ({"url": "/ocr", "files": {"file": ("a.txt", b"hello")}}, {"error"}),
        ({"url": "/ocr", "files": {"image_file": ("a.txt", b"hello")}}, {"detail"}),
        ({"url": "/ocr", "json": {"file": "aGVsbG8="}}, {"errorCode", "errorMsg", "logId"}),
        ({"url": "/layout-parsing", "json": {"file": "aGVsbG8="}}, {"errorCode", "errorMsg", "logId"}),
        ({"url": "/v2/parse/file", "files": {"file": ("a.txt", b"hello")}}, {"error"}),
        ({"url": "/api/v2/ocr/jobs", "files": {"file": b"hello"}, "data": {"model": "PP-OCRv6"}}, {"msg"}),
    ],
)
async def test_a_refusal_is_our_problem_with_the_members_that_a_client_reads(
    client: httpx.AsyncClient, send: dict[str, Any], members: set[str]
) -> None:
    answer = await client.post(**send)
    body = answer.json()
    assert (answer.status_code, body["type"]) == (415, "/problems/unsupported-media-type")
    assert answer.headers["content-type"] == "application/problem+json"
    assert members | {"title", "detail", "request_id"} <= body.keys()


async def test_open_webui_is_told_to_read_other_files_itself(client: httpx.AsyncClient) -> None:
    for content in (b"hello", blank()):
        answer = await client.put("/process?mode=line", content=content, headers={"X-Filename": "a.docx"})
        assert answer.status_code == 422
        assert "No extractable text" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("send", "status"),
    [
        ({"url": "/ocr", "content": b"x", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"url": "/ocr", "content": b"x", "headers": {"Content-Type": "image/png"}}, 400),
        ({"url": "/ocr", "content": b"[1]", "headers": {"Content-Type": "application/json"}}, 400),
        ({"url": "/ocr", "json": {"image": TEXT64}}, 400),
        ({"url": "/ocr", "json": {"file": 7}}, 400),
        ({"url": "/ocr", "json": {"file": "http://elsewhere/a.png"}}, 400),
        ({"url": "/ocr", "json": {"file": TEXT64, "textRecScoreThresh": 7}}, 422),
        ({"url": "/ocr", "files": {"image": LINE}}, 400),
        ({"url": "/ocr", "files": {"file": LINE}, "data": {"language": "ru"}}, 400),
        ({"url": "/ocr?charst=digits", "files": {"file": LINE}}, 422),
        ({"url": "/ocr?format=text", "files": {"file": LINE}}, 422),
        ({"url": "/v2/parse/file", "content": b""}, 400),
        (
            {"url": "/api/v2/ocr/jobs", "json": {"fileUrl": "http://elsewhere/a.pdf", "model": "PP-OCRv6"}},
            400,
        ),
        ({"url": "/api/v2/ocr/jobs", "data": {"model": "PP-OCRv6"}}, 415),
        ({"url": "/api/v2/ocr/jobs", "files": {"file": LINE}}, 400),
        ({"url": "/api/v2/ocr/jobs", "files": {"file": LINE}, "data": {"model": "x", "batchId": "b"}}, 422),
        (
            {
                "url": "/api/v2/ocr/jobs",
                "files": {"file": LINE},
                "data": {"model": "x", "optionalPayload": "{"},
            },
            400,
        ),
    ],
)
async def test_wrong_requests(client: httpx.AsyncClient, send: dict[str, Any], status: int) -> None:
    answer = await client.post(**send)
    assert answer.status_code == status, answer.text
    assert answer.json()["request_id"]


async def test_our_parameters_may_stand_in_the_query(client: httpx.AsyncClient) -> None:
    answer = await client.post("/ocr?mode=line&charset=chars:2", files={"file": png("12")})
    assert [each["text"] for each in answer.json()["results"]] == ["22"]


async def test_limits_and_deadlines_hold(opened: Opened) -> None:
    async with opened(max_pages=1, max_body_bytes=64 * 1024) as client:
        many = await client.post("/ocr", json={"file": base64.b64encode(pdf()).decode()})
        assert (many.status_code, many.json()["errorCode"]) == (422, 422)
        large = await client.put("/process", content=bytes(70_000))
        assert large.status_code == 413
        headers = {"X-Request-Timeout": "0.001"}
        late = await client.post("/ocr", files={"file": tiny_model.tiff(1)}, headers=headers)
        assert late.status_code == 504
        assert late.json()["error"] == late.json()["detail"]


async def test_health_is_that_of_readyz_without_a_key(models_dir: Path) -> None:
    settings = Settings(model="tiny", models_dir=models_dir, workers=1, api_keys=KEY)
    app = create_app(settings, ColdReader)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        early = await http.get("/health")  # nothing has been loaded
        assert (early.status_code, early.json()["type"]) == (503, (await http.get("/readyz")).json()["type"])
        async with app.router.lifespan_context(app):
            while (await http.get("/readyz")).status_code != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            answer = await http.get("/health", headers={"X-Request-ID": "seven"})
    assert answer.json() == {"logId": "seven", "errorCode": 0, "errorMsg": "Success"}


async def test_keys_are_asked_for_and_puts_are_counted(opened: Opened) -> None:
    async with opened(api_keys=KEY, key_requests_per_minute=2) as client:
        assert (await client.put("/process", content=LINE)).status_code == 401
        headers = {"Authorization": f"Bearer {KEY}"}
        for status in (200, 200, 429):
            answer = await client.put("/process?mode=line", content=LINE, headers=headers)
            assert answer.status_code == status, answer.text
        assert answer.headers["retry-after"]


async def test_coordinates_of_a_pdf_are_those_of_144_dpi(client: httpx.AsyncClient) -> None:
    body = (await client.post("/ocr", json={"file": base64.b64encode(pdf()).decode(), "fileType": 0})).json()
    info = body["result"]["dataInfo"]
    assert (info["type"], info["numPages"]) == ("pdf", 2)
    drawn = tiny_model.draw("12")
    assert info["pages"][0] == {
        "width": pytest.approx(drawn.shape[1] * 1.44, abs=1),
        "height": pytest.approx(drawn.shape[0] * 1.44, abs=1),
    }
    picture = (await client.post("/ocr?mode=line", json={"file": TEXT64, "fileType": 1})).json()["result"]
    assert picture["dataInfo"] == {"width": drawn.shape[1], "height": drawn.shape[0], "type": "image"}
    (page,) = picture["ocrResults"]
    assert page["prunedResult"]["rec_texts"] == ["12"]
    assert page["prunedResult"]["rec_boxes"] == [[0, 0, drawn.shape[1], drawn.shape[0]]]
    none = await client.post("/ocr?mode=line", json={"file": TEXT64, "textRecScoreThresh": 1.0})
    assert none.json()["result"]["ocrResults"][0]["prunedResult"]["rec_texts"] == []


# --- Umi-OCR ---


async def test_umi_codes(client: httpx.AsyncClient) -> None:
    async def ask(**body: Any) -> dict[str, Any]:
        answer = await client.post("/api/ocr?mode=line", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    done = await ask(base64=TEXT64)
    assert (done["code"], done["data"][0]["text"]) == (100, "12")
    assert done["time"] > 0 < done["timestamp"]
    assert (await ask(base64=TEXT64, options={"data.format": "text"}))["data"] == "12"
    assert (await ask(base64=base64.b64encode(blank()).decode()))["code"] == 101
    wrong: tuple[Any, ...] = (
        {"tbpu.parser": "other"},
        {"data.format": "html"},
        {"tbpu.ignoreArea": [[1, 2]]},
        {"tbpu.ignoreArea": [[[9, 9], [1, 1]]]},
        {"ocr.language": "models/config_korean.txt"},
        [1],
    )
    for options in wrong:
        refused = await ask(base64=TEXT64, options=options)
        assert refused["code"] == 804
        assert isinstance(refused["data"], str)
    assert (await ask(base64="!!"))["code"] == 902


async def test_umi_areas_are_left_out(client: httpx.AsyncClient) -> None:
    ignore = {"tbpu.ignoreArea": [[[0, 0], [500, 500]]]}
    answer = await client.post("/api/ocr?mode=line", json={"base64": TEXT64, "options": ignore})
    assert answer.json()["code"] == 101


async def test_what_umi_offers_is_what_it_takes(client: httpx.AsyncClient) -> None:
    for path in ("/api/ocr/get_options", "/api/doc/get_options"):
        offered = (await client.get(path)).json()
        assert {"title", "default", "type"} <= offered["tbpu.parser"].keys()
    for choice, _ in offered["tbpu.parser"]["optionsList"]:
        options = {"tbpu.parser": choice}
        answer = await client.post("/api/ocr?mode=line", json={"base64": TEXT64, "options": options})
        assert answer.json()["code"] == 100


async def test_umi_documents_from_upload_to_clear(client: httpx.AsyncClient) -> None:
    async def ask(path: str, **body: Any) -> dict[str, Any]:
        return dict((await client.post(path, json=body)).json())

    options = {"pageRangeStart": 2, "pageRangeEnd": 4, "tbpu.parser": "single_line"}
    sent = await client.post(
        "/api/doc/upload?mode=line",
        files={"file": ("报告.tif", tiny_model.tiff(5))},
        data={"json": json.dumps(options)},
    )
    task = sent.json()["data"]
    assert sent.json()["code"] == 100
    seen = ""
    while True:
        state = await ask("/api/doc/result", id=task, is_data=True, format="text")
        seen += state["data"]
        if state["is_done"]:
            break
        await asyncio.sleep(0.02)
    assert (state["state"], state["pages_count"], state["processed_count"]) == ("success", 3, 3)
    assert (
        seen + (await ask("/api/doc/result", id=task, is_data=True, format="text"))["data"]
        == "002\n003\n004\n"
    )
    assert (await ask("/api/doc/result", id=task, is_data=True))["data"] == []  # all of it has been read
    whole = await ask("/api/doc/result", id=task, is_data=True, is_unread=False)
    assert [(each["page"], each["data"][0]["text"]) for each in whole["data"]] == [
        (2, "002"),
        (3, "003"),
        (4, "004"),
    ]
    kinds = ["txt", "txtPlain", "jsonl", "csv", "pdfLayered"]
    link = await ask("/api/doc/download", id=task, file_types=kinds)
    assert link["name"] == "[OCR]_报告.zip"
    fetched = await client.get(link["data"])
    with zipfile.ZipFile(io.BytesIO(fetched.content)) as archive:
        files = {name.rpartition("报告")[2]: archive.read(name) for name in archive.namelist()}
    assert files[".p.txt"].decode() == "002\n003\n004\n"
    assert "≦ 报告.tif - 2 ≧" in files[".txt"].decode()
    assert json.loads(files[".jsonl"].splitlines()[1])["page"] == 3
    assert files[".csv"].decode("utf-8-sig").splitlines()[0] == "Name,OCR,Path"
    with pikepdf.Pdf.open(io.BytesIO(files[".layered.pdf"])) as made:
        assert len(made.pages) == 3
    assert (await ask("/api/doc/download", id=task, file_types=["pdfOneLayer"]))["code"] == 804
    assert (await client.get(f"/api/doc/clear/{task}")).json()["code"] == 100
    assert (await client.get(f"/api/doc/clear/{task}")).json()["code"] == 902
    assert (await ask("/api/doc/result", id=task))["code"] == 902


@pytest.mark.parametrize(
    "options",
    [
        "{",
        "[]",
        '{"doc.extractionMode": "imageOnly"}',
        '{"pageList": "1"}',
        '{"pageRangeEnd": -3}',
        '{"pageRangeStart": 0}',
    ],
)
async def test_wrong_options_of_an_upload(client: httpx.AsyncClient, options: str) -> None:
    answer = await client.post("/api/doc/upload", files={"file": LINE}, data={"json": options})
    assert answer.status_code == 200
    assert answer.json()["code"] in (804, 902)


async def test_a_job_answers_only_those_who_sent_it(client: httpx.AsyncClient) -> None:
    own = (await client.post("/api/jobs?mode=line", content=LINE)).json()["id"]
    assert (await client.post("/api/doc/result", json={"id": own})).json()["code"] == 902
    for path in (f"/api/v2/ocr/jobs/{own}", f"/api/v2/ocr/jobs/{own}/result.jsonl"):
        assert (await client.get(path)).status_code == 404


async def test_paddle_results_need_no_key_but_everything_else_does(opened: Opened) -> None:
    async with opened(api_keys=KEY) as client:
        headers = {"Authorization": f"Bearer {KEY}"}
        sent = await client.post(
            "/api/v2/ocr/jobs?mode=line",
            files={"file": ("a.tif", tiny_model.tiff(40))},
            data={"model": "PP-OCRv6", "pageRanges": "1-39", "optionalPayload": '{"visualize": false}'},
            headers=headers,
        )
        assert sent.status_code == 200, sent.text
        job = sent.json()["data"]["jobId"]
        path = f"/api/v2/ocr/jobs/{job}"
        assert (await client.get(path)).status_code == 401
        early = await client.get(f"{path}/result.jsonl")
        assert early.status_code in (200, 409)
        while (state := (await client.get(path, headers=headers)).json()["data"])["state"] != "done":  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        assert state["extractProgress"]["extractedPages"] == 39
        lines = (await client.get(state["resultUrl"]["jsonUrl"])).text.splitlines()
    pages = [json.loads(each)["result"]["ocrResults"][0]["prunedResult"]["rec_texts"] for each in lines]
    assert pages == [[f"{n:03}"] for n in range(1, 40)]
