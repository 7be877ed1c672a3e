"""bench/documents.py at the real server, with a tiny recogniser and small documents."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import documents
import long_documents
import printed
import pytest
import tiny_model
from pdf_drawings import PdfPage, column, pdf
from PIL import Image

pytestmark = pytest.mark.timeout(300)  # it starts four servers


def test_a_document_and_a_scan_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "models"
    tiny_model.write_with_detector(folder)
    monkeypatch.setenv("OCRSVC_MODELS_DIR", str(folder))
    monkeypatch.setenv("OCRSVC_DETECTOR_SIDE_PIXELS", "320")
    monkeypatch.setattr(long_documents, "_QUIET_SECONDS", 0.2)
    file, out = tmp_path / "two.pdf", tmp_path / "out.json"
    file.write_bytes(pdf([PdfPage(column(["First page"])), PdfPage(column(["Second page"]))]))
    arguments = [
        "--pdf",
        str(file),
        "--read-pages",
        "1",
        "--kinds",
        "tiff",
        "--scan-pages",
        "4",
        "--resume-pages",
        "6",
    ]
    monkeypatch.setattr(
        sys, "argv", ["documents.py", *arguments, "--model", "tiny", "--json", str(out), "--markdown"]
    )
    documents.main()
    document = json.loads(out.read_text("utf-8"))
    (layer,) = document["layers"]
    assert (layer["pages"], layer["cpu_ratio"]["median"] > 0) == (2, True)
    assert [each["kind"] for each in document["scans"]] == ["tiff"]
    for each in document["scans"]:
        assert len(each["stream"]["rss_megabytes"]) == each["pages"] == 4
        assert (each["job"]["state"], each["job"]["pages_read"]) == ("done", 4)
        assert 0 < each["stream"]["first_page_seconds"] <= each["stream"]["seconds"]
    resumed = document["resume"]
    assert (resumed["missing"], resumed["doubled"]) == (0, 0)
    printed_text = capsys.readouterr().out
    assert "| two.pdf | 2 |" in printed_text
    assert "killed at page" in printed_text


def test_words_are_compared_without_hyphens_at_line_ends() -> None:
    assert documents.words("exam-\nple 中文 ﬁne") == documents.words("example 中 文 fine")
    assert documents.words("a b a")["a"] == 2


def test_a_printed_document_is_the_same_for_the_same_seed() -> None:
    assert printed.document(2) == printed.document(2) != printed.document(2, seed=1)
    assert printed.document(3).count("<section>") == 3


@pytest.mark.parametrize("kind", ["tiff", "pdf"])
def test_a_drawn_scan_has_its_pages(kind: str) -> None:
    data = long_documents.drawn(kind, 3)
    if kind == "pdf":
        assert data.startswith(b"%PDF")
        assert data.count(b"/Type /Page\n") == 3
    else:
        with Image.open(io.BytesIO(data)) as scan:
            assert getattr(scan, "n_frames", 1) == 3
