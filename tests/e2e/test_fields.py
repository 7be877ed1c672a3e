"""Fields of drawn forms: over HTTP, as a job, and by a template on the command line."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import openpyxl
import pytest
from available import model_name
from drawings import DrawnPage

from ocrsvc.service import schemas

pytestmark = pytest.mark.timeout(180)

ID = "110101199003077934"
LINES = (f"公民身份号码 {ID}", "开票日期: 2024年01月31日", "价税合计(小写)￥1,234.50", "内部资料 请勿外传")
NAMES = ("id", "date", "sum")
TYPES = ("id_card", "date", "amount")
VALUES = (ID, "2024-01-31", "1234.50")
TIMEOUT = 60


@pytest.fixture(scope="module")
def form(draw_page: Callable[..., DrawnPage]) -> DrawnPage:
    return draw_page(LINES)


def box(form: DrawnPage, row: int) -> list[float]:
    """A generous region around a line, in fractions of the page."""
    height, width = form.image.shape[:2]
    _, top, right, bottom = form.boxes[row]
    return [0.0, (top - 8) / height, min(1.0, (right + 40) / width), (bottom + 8) / height]


def regions(form: DrawnPage) -> list[dict[str, Any]]:
    return [
        {"name": name, "box": box(form, row), "type": kind}
        for row, (name, kind) in enumerate(zip(NAMES, TYPES, strict=True))
    ]


def check(answer: dict[str, Any]) -> None:
    schemas.ReadingShape.model_validate(answer)
    fields = {field["name"]: field for field in answer["fields"]}
    assert tuple(fields[name]["value"] for name in NAMES) == VALUES
    assert all(fields[name]["valid"] and fields[name]["changed_from"] is None for name in NAMES)
    assert "请勿外传" not in answer["text"]


def test_regions_and_areas_to_ignore_over_http(
    server_url: str, form: DrawnPage, png: Callable[..., bytes]
) -> None:
    data = png(form.image)
    asked = {"regions": regions(form), "ignore": [{"box": box(form, 3)}]}
    as_fields = {name: json.dumps(value) for name, value in asked.items()}
    with httpx.Client(base_url=server_url, timeout=TIMEOUT) as client:
        image = base64.b64encode(data).decode()
        check(client.post("/api/ocr", json={"image": image, **asked}).json())
        check(client.post("/api/ocr", files={"image": data}, data=as_fields).json())
        lines = client.post("/api/ocr", content=data, params={**as_fields, "format": "jsonl"}).text
        page = json.loads(lines.splitlines()[0])
        assert [field["value"] for field in page["fields"]] == list(VALUES)
        plain = client.post("/api/ocr", content=data).json()
        assert "fields" not in plain
        job = client.post("/api/jobs", files={"image": data}, data=as_fields).json()["id"]
        client.get(f"/api/jobs/{job}/events")
        check(client.get(f"/api/jobs/{job}/result").json())


def test_a_wrong_region_is_a_problem_that_names_its_place(server_url: str, form: DrawnPage) -> None:
    wrong = [*regions(form), {"name": "x", "box": [0, 0, 1]}]
    answer = httpx.post(f"{server_url}/api/ocr", json={"image": "AAAA", "regions": wrong}, timeout=TIMEOUT)
    assert (answer.status_code, answer.json()["place"]) == (422, "regions[3].box[3]")


def template(form: DrawnPage) -> dict[str, Any]:
    height, width = form.image.shape[:2]
    anchors = []
    for row, text in enumerate(("公民身份号码", "开票日期", "价税合计")):
        left, top, _, bottom = form.boxes[row]
        anchors.append({"text": text, "box": [left, top, left + 34 * len(text), bottom], "unit": "pixel"})
    return {"page": {"width": width, "height": height}, "anchors": anchors, "regions": regions(form)}


def run(*arguments: str | Path, status: int = 0) -> bytes:
    environment = {**os.environ, "OCRSVC_MODEL": model_name(), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", "ocrsvc", *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)
    assert done.returncode == status, done.stderr.decode()
    return done.stdout


def test_a_template_gives_a_table(form: DrawnPage, png: Callable[..., bytes], tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    height, width = form.image.shape[:2]
    moved = cv2.getRotationMatrix2D((width / 2, height / 2), 1.5, 0.92)
    moved[:, 2] += (14, -9)
    shifted = cv2.warpAffine(form.image, moved, (width, height), borderValue=(246, 246, 243))
    (scans / "1.png").write_bytes(png(form.image))
    (scans / "2.png").write_bytes(png(np.asarray(shifted, np.uint8)))
    (scans / "3.png").write_bytes(png(np.full((300, 300, 3), 255, np.uint8)))
    (scans / "4.png").write_bytes(b"no picture")
    path = tmp_path / "template.json"
    path.write_text(json.dumps(template(form)), "utf-8")
    book = tmp_path / "fields.xlsx"
    run("extract", path, scans, "--output", book, status=1)
    sheet = openpyxl.load_workbook(book).active
    assert sheet is not None
    heads, *rows = [[cell or "" for cell in row] for row in sheet.iter_rows(values_only=True)]
    assert heads == ["file", "page", "id", "id_valid", "date", "date_valid", "sum", "sum_valid", "error"]
    for row in rows[:2]:
        assert row[2:] == [ID, "true", "2024-01-31", "true", "1234.50", "true", ""]
    assert [row[2:8] for row in rows[2:]] == [[""] * 6] * 2
    assert str(rows[2][8]).startswith("template-unmatched")
    assert rows[3][8]
    printed = run("extract", path, scans / "1.png").decode()
    assert list(csv.reader(io.StringIO(printed)))[1][2:8] == rows[0][2:8]


def test_regions_of_a_file_on_the_command_line(
    form: DrawnPage, png: Callable[..., bytes], tmp_path: Path
) -> None:
    picture, asked = tmp_path / "form.png", tmp_path / "regions.json"
    picture.write_bytes(png(form.image))
    asked.write_text(json.dumps({"regions": regions(form), "ignore": [{"box": box(form, 3)}]}), "utf-8")
    answer = json.loads(run("read", picture, "--regions", asked, "--format", "json"))
    assert [field["value"] for field in answer["fields"]] == list(VALUES)
    assert "请勿外传" not in answer["text"]
    asked.write_text('{"regions": [{"name": "a"}]}', "utf-8")
    run("read", picture, "--regions", asked, status=2)
