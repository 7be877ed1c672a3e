"""POST /api/render: a reading that a client sends back, corrected, is written in any format, or refused."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pikepdf
import pytest
from given_readings import line, reading, table
from openpyxl import load_workbook
from PIL import Image

from ocrsvc.formats import FORMATS

CORRECTED = reading(line("梨汁 Pear", 10, corrected=True, read="架汁 Pear"), line("12.50", 40))


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (400, 300), "white").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def client(server_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server_url, timeout=50) as client:
        yield client


def send(client: httpx.Client, result: Any, image: bytes | None = None, **query: str) -> httpx.Response:
    content = result if isinstance(result, bytes) else json.dumps(result).encode()
    files = {"result": ("reading.json", content, "application/json")}
    if image is not None:
        files["image"] = ("票 1.png", image, "image/png")
    return client.post("/api/render", params=query, files=files)


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("pdf", "xlsx", "docx")])
def test_every_format_has_the_corrected_text(client: httpx.Client, name: str) -> None:
    answer = send(client, CORRECTED, format=name)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith(FORMATS[name].media_type.partition(";")[0])
    plain = answer.text.replace("</span> <span", "").replace("\t", " ")
    assert "梨汁" in plain
    assert "架" not in plain


def test_a_searchable_pdf_has_the_corrected_text(client: httpx.Client) -> None:
    answer = send(client, CORRECTED, picture(), format="pdf")
    assert answer.status_code == 200, answer.text
    assert "filename*=UTF-8''%E7%A5%A8%201.png.pdf" in answer.headers["content-disposition"]
    with pikepdf.open(io.BytesIO(answer.content)) as pdf:
        (font,) = pdf.pages[0].Resources.Font.values()
        meaning = font.ToUnicode.read_bytes().decode()
    assert f"{ord('梨'):04x}" in meaning.lower()
    assert f"{ord('架'):04x}" not in meaning.lower()


def test_a_pdf_without_its_document_is_refused(client: httpx.Client) -> None:
    answer = send(client, CORRECTED, format="pdf")
    assert answer.status_code == 400
    assert "'image'" in answer.json()["detail"]


def test_cells_of_tables_have_the_corrected_text(client: httpx.Client) -> None:
    given = reading(line("品名", 10), line("37.20", 10, left=150), blocks=[table()])
    answer = send(client, given, format="xlsx")
    sheet = load_workbook(io.BytesIO(answer.content)).worksheets[0]
    assert [cell.value for cell in sheet[1]] == ["品名", 37.2]
    marked = send(client, given, format="markdown")
    assert "| 品名 | 37.20 |" in marked.text


def test_the_layout_is_that_which_is_asked_for(client: httpx.Client) -> None:
    given = reading(line("品名", 10), line("37.20", 10, left=150), blocks=[table()])
    answer = send(client, given, format="text", layout="tables")
    assert answer.text.startswith("| 品名 | 37.20 |")


def test_characters_count_only_if_they_spell_the_text(client: httpx.Client) -> None:
    characters = [
        {"text": each, "confidence": 0.5, "start": at / 2, "end": (at + 1) / 2}
        for at, each in enumerate("AB")
    ]
    given = reading(line("AB", 10, characters=characters), line("CD", 40, characters=characters))
    answer = send(client, given, format="json", characters="true")
    first, second = answer.json()["lines"]
    assert [each["text"] for each in first["characters"]] == ["A", "B"]
    assert second["text"] == "CD"
    assert not second.get("characters")


def test_characters_that_no_format_can_hold_become_spaces(client: httpx.Client) -> None:
    given = reading(line("a\x00b\nc", 10))
    assert (send(client, given, format="text")).text == "a b c\n"
    for name in ("xlsx", "hocr", "pdf"):
        assert (send(client, given, picture(), format=name)).status_code == 200


@pytest.mark.parametrize("text", ["\U0001f600 Emoji", "𠮷野家", "שלום", "e\u0301"])
def test_any_text_can_be_in_a_pdf(client: httpx.Client, text: str) -> None:
    answer = send(client, reading(line(text, 10)), picture(), format="pdf")
    assert answer.status_code == 200, answer.text


def test_a_refusal_is_a_problem_document(client: httpx.Client) -> None:
    answer = send(client, reading({**line("a", 1), "page": 2}), format="text")
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/invalid-parameter"
    assert (send(client, CORRECTED, format="rtf")).json()["type"] == "/problems/unknown-format"
    assert (send(client, CORRECTED, charset="digits")).status_code == 422  # nothing is read
    assert (client.post("/api/render", json=CORRECTED)).status_code == 415
    nothing = client.post("/api/render", files={"image": ("a.png", picture(), "image/png")})
    assert nothing.status_code == 400
