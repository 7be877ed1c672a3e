"""What is taken from the text layer of a PDF page, and what is left to be read."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
import pytest
from available import missing
from drawings import line_image, pdf_page
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from pdf_drawings import (
    CHINESE,
    HELVETICA,
    PdfPage,
    chinese,
    column,
    encrypted,
    jpeg_object,
    pdf,
    scan,
    show,
    text,
    with_to_unicode,
)

from ocrsvc.errors import PasswordRequired, UndecodableImage, WrongPassword
from ocrsvc.pages import layout, pdf_text
from ocrsvc.pages import pdf as pdf_source
from ocrsvc.pages.decoding import decode, open_source
from ocrsvc.pages.source import DocumentOptions, Limits, PageImage
from ocrsvc.pages.text_layer import PdfText, TextLayer

LINES = ("Invoice number 24417", "Total amount due (net) 1,280.50 EUR", "Thank you for your order")


def page_of(data: bytes, mode: PdfText = "auto") -> PageImage:
    (page,) = decode(data, Limits(), None, DocumentOptions(pdf_text=mode))
    return page


def layer_of(data: bytes, mode: PdfText = "auto") -> TextLayer:
    layer = page_of(data, mode).text
    assert layer is not None
    return layer


def texts(layer: TextLayer) -> list[str]:
    """The lines in reading order."""
    return [layer.lines[i].text for i in layout.order([line.polygon for line in layer.lines])]


def test_written_text_is_taken_as_it_is() -> None:
    page = page_of(pdf([PdfPage(column(LINES))]))
    assert page.text is not None
    assert texts(page.text) == list(LINES)
    assert page.text.areas == ()
    gray = page.pixels.min(axis=2)
    for line in page.text.lines:
        (left, top), _, (right, bottom), _ = line.polygon
        ink = np.argwhere(gray[int(top) : int(bottom) + 1, int(left) : int(right) + 1] < 128)
        assert ink.size, line
        assert len(line.spans) == len(line.text)
        assert line.spans[0][0] == 0
        assert line.spans[-1][1] == 1
        assert all(start <= end for start, end in line.spans)
        gray[int(top) : int(bottom) + 1, int(left) : int(right) + 1] = 255
    assert gray.min() == 255  # no ink is outside


@pytest.mark.parametrize("mode", ["never", "auto", "always"])
def test_the_mode_decides_what_is_taken(mode: PdfText) -> None:
    hidden = pdf([PdfPage(column(LINES, mode=3))])
    taken = page_of(hidden, mode).text
    assert (taken is not None and texts(taken) == list(LINES)) == (mode == "always")
    assert (page_of(pdf([PdfPage(column(LINES))]), mode).text is None) == (mode == "never")


def test_pdftotext_agrees(tmp_path: Path) -> None:
    if shutil.which("pdftotext") is None:
        missing("no pdftotext: install poppler-utils")
    operators = (
        column(LINES) + text("one  two", 60, 500) + text("super", 60, 460) + text("2", 93, 465, size=8)
    )
    operators += b"BT /F 14 Tf 60 420 Td [(kerned)-300(words)-20( he)20(re)] TJ ET\n"
    operators += b"".join(
        text(word, 60 + 45 * i, 380) for i, word in reversed([*enumerate(("drawn", "back", "wards"))])
    )
    path = tmp_path / "page.pdf"
    path.write_bytes(pdf([PdfPage(operators)]))
    said = subprocess.run(["pdftotext", str(path), "-"], capture_output=True, text=True, check=True).stdout
    assert " ".join(texts(layer_of(path.read_bytes()))).split() == said.split()


def test_letters_of_a_ligature_share_its_place() -> None:
    (line,) = layer_of(
        pdf([PdfPage(column(["a #nal o$ce"]))], with_to_unicode({ord("#"): "fi", ord("$"): "ffi"}))
    ).lines
    assert line.text == "a final office"
    assert all(start <= end for start, end in line.spans)
    (first, middle), (same, end) = line.spans[2:4]
    assert first < middle == same < end


def test_columns_and_cells_are_lines_of_their_own() -> None:
    operators = (
        text("Apple juice", 60, 700)
        + text("12.50", 400, 700)
        + text("Bread", 60, 670)
        + text("8.80", 400, 670)
    )
    assert texts(layer_of(pdf([PdfPage(operators)]))) == ["Apple juice", "12.50", "Bread", "8.80"]


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_rotated_pages_and_cropped_ones(turn: int) -> None:
    members = b"/Rotate %d/CropBox[40 100 590 790]" % turn
    page = page_of(pdf([PdfPage(column(LINES), members=members)]))
    assert page.text is not None
    assert sorted(line.text for line in page.text.lines) == sorted(LINES)
    assert page.text.areas == ()
    (line,) = [line for line in page.text.lines if line.text == LINES[0]]
    (x, y), (end_x, end_y), *_ = line.polygon
    direction = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[turn]
    assert np.sign(np.round([end_x - x, end_y - y])).astype(int).tolist() == list(direction)


def test_slanted_text_has_a_slanted_polygon() -> None:
    cosine, sine = np.cos(np.radians(30)), np.sin(np.radians(30))
    operators = b"BT /F 20 Tf %f %f %f %f 100 300 Tm (Slanted words here) Tj ET" % (
        cosine,
        sine,
        -sine,
        cosine,
    )
    (line,) = layer_of(pdf([PdfPage(operators)])).lines
    assert line.text == "Slanted words here"
    (x, y), (end_x, end_y), *_ = line.polygon
    assert np.degrees(np.arctan2(y - end_y, end_x - x)) == pytest.approx(30, abs=1)


@pytest.mark.usefixtures("font_path")
def test_chinese_text_runs_across_and_down() -> None:
    operators = chinese("发票号码 No. 24417", 200, 700) + chinese("会议纪要（草案）", 160, 600)
    assert texts(layer_of(pdf([PdfPage(operators)], [CHINESE % b"H"]))) == [
        "发票号码 No. 24417",
        "会议纪要（草案）",
    ]
    down = layer_of(
        pdf([PdfPage(chinese("发票号码 24417", 200, 700) + chinese("会议纪要", 160, 700))], [CHINESE % b"V"])
    )
    assert texts(down) == ["发票号码 24417", "会议纪要"]
    for line in down.lines:
        (x, y), (end_x, end_y), *_ = line.polygon
        assert end_x == x
        assert end_y > y + 100


def test_glyphs_without_meaning_are_not_believed() -> None:
    private = with_to_unicode({code: 0xE000 + code for code in range(32, 127)})
    assert page_of(pdf([PdfPage(column(LINES))], private)).text is None
    controls = with_to_unicode({code: code % 8 + 1 for code in range(33, 127)})
    assert page_of(pdf([PdfPage(column(LINES))], controls)).text is None


def test_the_sign_of_a_list_does_not_spoil_its_line() -> None:
    bullet = with_to_unicode({ord("*"): 0xF0B7})
    assert texts(layer_of(pdf([PdfPage(column(["* first", "* second"]))], bullet))) == ["first", "second"]


def test_a_font_is_the_same_on_all_pages_if_it_has_a_file() -> None:
    """A Type 3 font has none: it is checked on each page, because the next one of that name may be wrong."""
    page = PdfPage(column(LINES))
    written = io.BytesIO()
    with PdfPages(written) as pages:
        for line in LINES[:2]:
            figure = Figure(figsize=(6, 4))
            figure.text(0.1, 0.5, line, fontsize=20)
            pages.savefig(figure)
    fonts = []
    for data in (pdf([page, page]), written.getvalue()):
        layers = [each.text for each in decode(data, Limits(), None, DocumentOptions(pdf_text="auto"))]
        assert all(layers)
        fonts.append({line.font for layer in layers if layer for line in layer.lines})
    assert [len(each) for each in fonts] == [1, 2]


def test_one_line_without_meaning_is_read() -> None:
    mapping = with_to_unicode({code: 0xE000 + code for code in b"#$%&"})
    layer = layer_of(pdf([PdfPage(column([*LINES, "#$%&#$%&"]))], mapping))
    assert texts(layer) == list(LINES)
    ((left, top, right, bottom),) = layer.areas
    x, y = 60 * 200 / 72, (800 - 720 + 3 * 28) * 200 / 72
    assert left <= x <= right
    assert top <= y - 5 <= bottom


def test_text_below_a_picture_is_not_believed() -> None:
    paper = np.full((800, 600, 3), 255, np.uint8)
    picture, resources = show(4, 0, 0, 600, 800)
    objects = [HELVETICA, jpeg_object(paper)]
    under = pdf([PdfPage(column(LINES) + picture, resources=resources)], objects)
    over = pdf([PdfPage(picture + column(LINES), resources=resources)], objects)
    assert page_of(under).text is None
    assert texts(layer_of(over)) == list(LINES)


def test_a_scan_with_a_hidden_layer_is_read(font_path: Path) -> None:
    picture = np.full((1100, 850, 3), 255, np.uint8)
    drawn = line_image("What the scan shows", font_path)
    picture[200 : 200 + drawn.shape[0], 100 : 100 + drawn.shape[1]] = drawn
    hidden = column(["Vvhat the 5can sh0ws"], mode=3)
    assert page_of(scan(picture, 100, hidden=hidden)).text is None
    stamped = layer_of(scan(picture, 100, hidden=hidden + text("PAGE 17", 60, 40)))
    assert texts(stamped) == ["PAGE 17"]
    assert any(top <= 220 * 200 / 100 <= bottom for _, top, _, bottom in stamped.areas)


def test_pictures_and_drawings_beside_text(font_path: Path) -> None:
    drawn = line_image("图中文字 in the picture", font_path)
    height, width = drawn.shape[:2]
    picture, resources = show(4, 100, 300, width / 2, height / 2)
    rules = b"0.5 w 60 690 m 540 690 l S 60 600 480 20 re S 0.9 g 60 500 480 40 re f 0 g\n"
    data = pdf(
        [PdfPage(column(LINES) + rules + picture, resources=resources)], [HELVETICA, jpeg_object(drawn)]
    )
    layer = layer_of(data)
    assert texts(layer) == list(LINES)
    scale = 200 / 72
    ((left, top, right, bottom),) = layer.areas  # rules, frames and grounds are none
    assert left <= (100 + 8) * scale
    assert right >= (100 + width / 2 - 8) * scale
    assert top <= (800 - 300 - height / 2 + 8) * scale
    assert bottom >= (800 - 300 - 8) * scale


def test_more_text_than_a_page_can_have_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_text, "MOST_CHARACTERS", 50)
    assert page_of(pdf([PdfPage(column(LINES))])).text is None


def test_a_page_without_text_has_no_layer() -> None:
    assert page_of(pdf_page(b"1 0 0 rg 50 50 200 300 re f")).text is None
    assert page_of(pdf_page(b"1 0 0 rg 50 50 200 300 re f"), "always").text is None


def test_a_password_opens_what_is_encrypted() -> None:
    data = encrypted("open sesame")
    with pytest.raises(PasswordRequired, match="needs a password"):
        open_source(data, Limits())
    with pytest.raises(WrongPassword) as wrong:
        open_source(data, Limits(), None, DocumentOptions("sesame street"))
    assert "street" not in str(wrong.value) + repr(wrong.value.__cause__) + repr(
        DocumentOptions("sesame street")
    )
    (page,) = decode(data, Limits(), None, DocumentOptions("open sesame", "auto"))
    assert page.text is not None
    assert texts(page.text) == ["Secret text 42"]
    (plain,) = decode(pdf([PdfPage(column(LINES))]), Limits(), None, DocumentOptions("needless"))
    assert plain.pixels.min() < 128


def test_a_pdf_whose_trailer_is_cut_off_is_repaired(capfd: pytest.CaptureFixture[str]) -> None:
    whole = pdf([PdfPage(column(["Page one"])), PdfPage(column(["Page two"]))])
    root = whole.rindex(b"/Root 1 0 R") + len(b"/Root 1 0 R")
    cut = whole[:root] + b"/ID[<904e5a16\xff\x00"
    with pytest.raises(pdfium.PdfiumError):
        pdfium.PdfDocument(cut)
    options = DocumentOptions("needless", "auto")
    read = [texts(page.text) for page in decode(cut, Limits(), None, options) if page.text]
    assert read == [["Page one"], ["Page two"]]
    assert capfd.readouterr() == ("", "")
    with pytest.raises(UndecodableImage, match="cannot be opened"):
        open_source(b"%PDF-1.7\n" + bytes(2000), Limits(), None, options)


def test_a_long_document_is_opened_again_and_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encrypted("secret")
    long = pdf([PdfPage(column([f"Page number {i}"])) for i in range(1, 8)])
    options = DocumentOptions(pdf_text="auto")
    whole = [texts(page.text) for page in decode(long, Limits(), None, options) if page.text]
    monkeypatch.setattr(pdf_source, "_PAGES_AT_ONCE", 2)
    assert [texts(page.text) for page in decode(long, Limits(), None, options) if page.text] == whole
    assert whole == [[f"Page number {i}"] for i in range(1, 8)]
    source = pdf_source.PdfSource(data, Limits(), None, options=DocumentOptions("secret", "auto"))
    pictures = [source.page(1).pixels for _ in range(4)]
    source.close()
    assert all(np.array_equal(picture, pictures[0]) for picture in pictures)
