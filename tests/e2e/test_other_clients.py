"""Clients of other OCR services against the running server.

LiteParse and PaddleOCR's client are the programs themselves. The others are not on the package index without their
servers, so that here stands what they do with an answer, with the file that it follows.
"""

from __future__ import annotations

import base64
import importlib.util
import io
import re
import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from available import missing
from drawings import DrawnPage, Picture
from PIL import Image

pytestmark = pytest.mark.timeout(180)

LINE = "发票号码 No. 24417"


@pytest.fixture(scope="module")
def line(draw_line: Callable[..., Picture], png: Callable[[Picture], bytes]) -> bytes:
    return png(draw_line(LINE))


@pytest.fixture(scope="module")
def pdf(draw_page: Callable[..., DrawnPage]) -> bytes:
    """One scanned page, of the size of a letter at 72 dpi."""
    page = Image.fromarray(
        draw_page(["采购合同", "本合同由双方于 2026 年签订。", "合计 TOTAL 37.20"]).image[:, :, ::-1]
    )
    sheet = Image.new("RGB", (1275, 1650), "white")
    sheet.paste(page, (150, 300))
    buffer = io.BytesIO()
    sheet.save(buffer, "PDF", resolution=150)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def paddleocr() -> Iterator[Any]:
    """The client of the ``paddleocr`` package, without the rest, which needs PaddleX."""
    found = importlib.util.find_spec("paddleocr")
    if found is None:
        missing("no paddleocr: pip install --no-deps paddleocr")
    package = types.ModuleType("paddleocr")
    package.__path__ = list(found.submodule_search_locations or ())
    sys.modules["paddleocr"] = package
    spec = importlib.util.spec_from_file_location(
        "paddleocr._api_client", Path(package.__path__[0]) / "_api_client" / "__init__.py"
    )
    assert spec is not None
    client = importlib.import_module("paddleocr._api_client.client")
    yield client
    for name in [name for name in sys.modules if name.partition(".")[0] == "paddleocr"]:
        del sys.modules[name]


def finished(client: Any, job: Any) -> Any:
    """Wait for a job more often than the client does, and return it."""
    while client.get_status(job.job_id).state not in ("done", "failed"):
        time.sleep(0.1)
    return job


def test_liteparse_reads_a_scan(server_url: str, pdf: bytes, tmp_path: Path) -> None:
    if importlib.util.find_spec("liteparse") is None:
        missing("no liteparse: pip install liteparse")
    import liteparse

    path = tmp_path / "scan.pdf"
    path.write_bytes(pdf)
    parser = liteparse.LiteParse(ocr_server_url=f"{server_url}/ocr", ocr_language="zh", quiet=True)
    text = parser.parse(str(path)).text
    assert re.search(r"采购合同\s.*签订。\s.*合计 TOTAL 37\.20", text, re.DOTALL), text


def test_paddleocr_reads_lines(server_url: str, line: bytes, paddleocr: Any, tmp_path: Path) -> None:
    path = tmp_path / "发票.png"
    path.write_bytes(line)
    with paddleocr.PaddleOCRClient(token="any", base_url=server_url) as client:  # noqa: S106
        job = finished(client, client.submit_ocr(file_path=str(path)))
        result = client.wait_ocr_result(job)
        assert client.get_status(job.job_id).progress.total_pages == 1
    (page,) = result.pages
    assert page.pruned_result["rec_texts"] == [LINE]
    assert result.data_info["type"] == "image"


def test_paddleocr_parses_a_document(server_url: str, pdf: bytes, paddleocr: Any, tmp_path: Path) -> None:
    path = tmp_path / "scan.pdf"
    path.write_bytes(pdf)
    with paddleocr.PaddleOCRClient(token="any", base_url=server_url) as client:  # noqa: S106
        job = finished(client, client.submit_document_parsing("PP-StructureV3", file_path=str(path)))
        result = client.wait_document_parsing_result(job)
    assert "合计 TOTAL 37.20" in result.pages[0].markdown_text
    assert result.data_info["numPages"] == 1


def test_paddleocr_understands_refusals(server_url: str, paddleocr: Any, tmp_path: Path) -> None:
    errors = sys.modules["paddleocr._api_client.errors"]
    (path := tmp_path / "a.txt").write_text("hello")
    with paddleocr.PaddleOCRClient(token="any", base_url=server_url) as client:  # noqa: S106
        with pytest.raises(errors.APIError, match=r"HTTP 415: The type of this file"):
            client.ocr(file_path=str(path))
        with pytest.raises(errors.InvalidRequestError, match="fetches no URLs"):
            client.ocr(file_url="https://example.org/a.pdf")


def ragflow_sections(server_url: str, content: bytes) -> list[tuple[str, list[float]]]:
    """Texts with their boxes in points: infiniflow/ragflow, deepdoc/parser/paddleocr_parser.py (local requests)."""
    payload: dict[str, Any] = {
        "file": base64.b64encode(content).decode("ascii"),
        "fileType": 0 if content[:4] == b"%PDF" else 1,
        "returnMarkdownImages": False,
        "prettifyMarkdown": True,
        "formatBlockContent": True,
        "useDocUnwarping": False,
    }
    headers = {"Content-Type": "application/json", "Client-Platform": "ragflow"}
    response = requests.post(f"{server_url}/layout-parsing", json=payload, headers=headers, timeout=60)
    assert response.status_code == 200, response.text[:500]
    body = response.json()
    assert not body.get("errorCode"), body.get("errorMsg")
    sections = []
    for page in body.get("result", {}).get("layoutParsingResults", []):
        for block in page.get("prunedResult", {}).get("parsing_res_list", []):
            if content := block.get("block_content", "").strip():
                box = [float(value) // 2 for value in block.get("block_bbox", [0, 0, 0, 0])]
                sections.append((content, box))
    return sections


def test_ragflow_finds_texts_where_they_are_on_the_page(server_url: str, pdf: bytes) -> None:
    assert requests.get(f"{server_url}/layout-parsing", timeout=10).status_code  # any answer will do
    sections = ragflow_sections(server_url, pdf)
    assert "采购合同" in "\n".join(text for text, _ in sections)
    for _, (left, top, right, bottom) in sections:  # pasted at 150, 300 on a page of 150 dpi
        assert 72 <= left < right <= 612
        assert 144 <= top < bottom <= 792


def test_rapidocr_api_client(server_url: str, line: bytes) -> None:
    """RapidAI/RapidOCRAPI, README.md: a dictionary of numbers, each with rec_txt, dt_boxes and score."""
    form = {"image_data": base64.b64encode(line).decode(), "use_det": True}
    ways: tuple[dict[str, Any], ...] = (
        {"image_file": ("a.png", line)},
        {name: (None, str(value)) for name, value in form.items()},
    )
    for files in ways:
        response = requests.post(f"{server_url}/ocr", timeout=60, files=files)
        response.raise_for_status()
        (entry,) = response.json().values()
        assert entry["rec_txt"] == LINE
        assert float(entry["score"]) > 0.5
        assert [len(corner) for corner in entry["dt_boxes"]] == [2] * 4


def open_webui_documents(server_url: str, content: bytes, name: str) -> list[tuple[Any, Any]]:
    """Contents with metadata: open-webui/open-webui, retrieval/loaders/external_document.py."""
    headers = {"Content-Type": "application/pdf", "Authorization": "Bearer none", "X-Filename": name}
    response = requests.put(f"{server_url}/process", data=content, headers=headers, timeout=30)
    assert response.ok, response.json()["detail"]
    body = response.json()
    assert body
    entries = [body] if isinstance(body, dict) else body
    return [(each.get("page_content"), each.get("metadata")) for each in entries]


def test_open_webui_gets_pages(server_url: str, pdf: bytes) -> None:
    ((text, metadata),) = open_webui_documents(server_url, pdf, "%E5%90%88%E5%90%8C.pdf")
    assert "合计 TOTAL 37.20" in text
    assert metadata["page"] == 0


def test_fastgpt_gets_markdown(server_url: str, pdf: bytes) -> None:
    """labring/FastGPT, packages/service/common/file/read/utils.ts: pages, markdown, and no error."""
    response = requests.post(f"{server_url}/v2/parse/file", files={"file": ("file.pdf", pdf)}, timeout=600)
    response.raise_for_status()
    body = response.json()
    assert not body.get("error")
    assert body["pages"] == 1
    assert "合计 TOTAL 37.20" in body["markdown"]


def test_umi_ocr_scripts(server_url: str, line: bytes) -> None:
    """hiroi-sora/Umi-OCR, docs/http/api_ocr.md: the example of its documentation."""
    data: dict[str, Any] = {"base64": base64.b64encode(line).decode(), "options": {"data.format": "text"}}
    response = requests.post(f"{server_url}/api/ocr", json=data, timeout=60)
    response.raise_for_status()
    assert response.json()["code"] == 100
    assert response.json()["data"] == LINE
    assert "tbpu.parser" in requests.get(f"{server_url}/api/ocr/get_options", timeout=60).json()


def test_umi_ocr_document_script(server_url: str, pdf: bytes, tmp_path: Path) -> None:
    """hiroi-sora/Umi-OCR, docs/http/api_doc_demo.py: upload, poll, download, clear."""
    sent = requests.post(
        f"{server_url}/api/doc/upload",
        files={"file": ("scan.pdf", io.BytesIO(pdf))},
        data={"json": '{"doc.extractionMode": "mixed"}'},
        timeout=60,
    ).json()
    assert sent["code"] == 100, sent
    text = ""
    while True:
        asked: dict[str, Any] = {"id": sent["data"], "is_data": True, "format": "text", "is_unread": True}
        state = requests.post(f"{server_url}/api/doc/result", json=asked, timeout=60).json()
        assert state["code"] == 100, state
        text += state["data"] or ""
        if state["is_done"]:
            break
        time.sleep(0.1)
    assert state["state"] == "success"
    assert "合计 TOTAL 37.20" in text
    wanted: dict[str, Any] = {"id": sent["data"], "file_types": ["pdfLayered"], "ingore_blank": False}
    link = requests.post(f"{server_url}/api/doc/download", json=wanted, timeout=60).json()
    assert link["code"] == 100
    fetched = requests.get(link["data"], timeout=60)
    fetched.raise_for_status()
    assert fetched.content[:5] == b"%PDF-"
    assert link["name"] == "[OCR]_scan.layered.pdf"
    gone = requests.get(f"{server_url}/api/doc/clear/{sent['data']}", timeout=60).json()
    assert gone["code"] == 100
