"""Searchable PDFs of PDFs: untouched pages, text on the ink, and what is refused."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from dataclasses import replace
from math import dist
from pathlib import Path

import numpy as np
import pikepdf
import pypdfium2 as pdfium
import pytest
from formats.pdf_reading import check, finds, pixels_of, placed, text_of
from pdf_drawings import HELVETICA, PdfPage, column, encrypted, pdf

from ocrsvc.errors import UnmodifiablePdf, WrongPassword
from ocrsvc.formats import Rendering, find, render
from ocrsvc.results import Character, Document, Line, ModelId, Page, Polygon

WIDTH, HEIGHT = 600, 800  # of the page as it is shown, in pixels
TEXT = "发票号码 No 24417"
# Upright, slanted, turned by 90 degrees either way, and upside down.
PLACES: dict[str, Polygon] = {
    "upright": ((60.0, 100.0), (460.0, 100.0), (460.0, 130.0), (60.0, 130.0)),
    "slanted": ((60.0, 100.0), (454.0, 169.0), (449.0, 199.0), (55.0, 130.0)),
    "downwards": ((300.0, 100.0), (300.0, 500.0), (270.0, 500.0), (270.0, 100.0)),
    "upwards": ((270.0, 500.0), (270.0, 100.0), (300.0, 100.0), (300.0, 500.0)),
    "upside down": ((460.0, 130.0), (60.0, 130.0), (60.0, 100.0), (460.0, 100.0)),
}


def line(text: str, polygon: Polygon, page: int = 1) -> Line:
    """A line whose characters are as wide as in print: Chinese ones take an em, others half."""
    widths = [1.0 if ord(one) > 0x2E80 else 0.5 for one in text]
    edges = [edge / sum(widths) for edge in itertools.accumulate(widths, initial=0.0)]
    spelt = (Character(one, 0.9, *place) for one, place in zip(text, itertools.pairwise(edges), strict=True))
    return Line(text, 0.9, polygon, page, tuple(spelt))


def upright(text: str, top: float, em: float = 24) -> Polygon:
    """The place of a text in letters of this size."""
    right, bottom = 40 + em * sum(1.0 if ord(one) > 0x2E80 else 0.5 for one in text), top + em
    return (40.0, top), (right, top), (right, bottom), (40.0, bottom)


def document(*lines: Line, size: tuple[int, int] = (WIDTH, HEIGHT), pages: int = 1) -> Document:
    numbered = tuple(Page(number, *size) for number in range(1, pages + 1))
    return Document(lines, numbered, ModelId("crnn", "sha256:ab"))


def drawn(members: bytes = b"", catalogue: bytes = b"") -> bytes:
    """A PDF of one page with some ink of its own and without text."""
    return pdf([PdfPage(b"1 0 0 rg 50 60 200 100 re f", members=members)], catalogue=catalogue)


def searchable(source: bytes, *lines: Line, opened_by: str | None = None, **options: object) -> bytes:
    read = document(*lines, **options)  # type: ignore[arg-type]
    return find("pdf").render(read, Rendering(source=source, password=opened_by))


def changed(source: bytes, change: Callable[[pikepdf.Pdf], None], **options: object) -> bytes:
    with pikepdf.Pdf.open(io.BytesIO(source)) as opened:
        change(opened)
        buffer = io.BytesIO()
        opened.save(buffer, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


@pytest.mark.parametrize("way", PLACES)
def test_each_character_lies_on_its_ink(way: str, tmp_path: Path) -> None:
    read = line(TEXT, PLACES[way])
    made = searchable(drawn(), read)
    check(made, tmp_path)
    expected = [
        (one.text, centre(read.polygon, (one.start + one.end) / 2))
        for one in read.characters
        if one.text.strip()
    ]
    found = placed(made, (WIDTH, HEIGHT))
    assert [text for text, _ in found] == [text for text, _ in expected]
    assert max(dist(a, b) for (_, a), (_, b) in zip(found, expected, strict=True)) < 5


def centre(polygon: Polygon, share: float) -> tuple[float, float]:
    """The middle of a line's height at this share of its length."""
    (a, b, c, d) = (np.asarray(corner) for corner in polygon)
    middle = (a + d) / 2 + share * ((b + c) / 2 - (a + d) / 2)
    return float(middle[0]), float(middle[1])


@pytest.mark.parametrize(
    "members",
    [
        b"/Rotate 90",
        b"/Rotate 180",
        b"/Rotate -90",
        b"/CropBox[40 30 540 700]",
        b"/CropBox[40 30 540 700]/Rotate 90",
        b"/CropBox[540 700 -40 -30]/Rotate 270",
        b"/UserUnit 2",
    ],
)
def test_pages_that_are_turned_or_cut_have_their_text_on_the_ink(members: bytes, tmp_path: Path) -> None:
    read = line(TEXT, PLACES["slanted"])
    source = drawn(members)
    size = shown_size(source)
    made = searchable(source, read, size=size)
    for text, place in placed(made, size):
        assert text in TEXT
        assert min(dist(place, centre(read.polygon, share / 50)) for share in range(51)) < 6
    assert len(placed(made, size)) == len("".join(TEXT.split()))
    assert np.array_equal(pixels_of(source, tmp_path), pixels_of(made, tmp_path))


def shown_size(source: bytes) -> tuple[int, int]:
    """The size of the first page in points, as PDFium shows it."""
    document = pdfium.PdfDocument(source)
    width, height = document[0].get_size()
    document.close()
    return round(width), round(height)


def test_a_page_of_another_shape_than_the_one_that_was_read_is_a_problem() -> None:
    with pytest.raises(UnmodifiablePdf, match="too damaged"):
        searchable(drawn(), line(TEXT, PLACES["upright"]), size=(HEIGHT, WIDTH))


def test_spaces_are_where_the_line_has_them(tmp_path: Path) -> None:
    texts = [
        "合计TOTAL 37.20元",
        "中国人民共和国",
        "the quick brown fox, i l 1",
        "𠮷野家 𝒳 é 1/2",
        "Ａ全角 空格",
    ]
    rows = [line(text, upright(text, 100 + 60 * row)) for row, text in enumerate(texts)]
    made = searchable(drawn(), *rows)
    found = [" ".join(each.split()) for each in text_of(made, tmp_path).splitlines() if each.strip()]
    assert found == [" ".join(text.split()) for text in texts]
    assert finds(made, ["合计", "人民共和国", "quick", "野家", "37.20元"]) == [True] * 5


def test_narrow_spaces_are_spaces(tmp_path: Path) -> None:
    """The recogniser's place of a space may be nearly nothing."""
    spelt = tuple(
        Character(one, 0.9, start, end)
        for one, start, end in [("a", 0, 0.3), ("b", 0.3, 0.5), (" ", 0.5, 0.501), ("c", 0.501, 1)]
    )
    made = searchable(drawn(), Line("ab c", 0.9, PLACES["upright"], 1, spelt))
    assert text_of(made, tmp_path).split() == ["ab", "c"]


def test_pages_stay_as_they_are(tmp_path: Path) -> None:
    source = pdf(
        [PdfPage(column(["Own text of page"]) + b"q 2 0 0 2 0 0 cm"), PdfPage(b"0 1 0 rg 9 9 99 99 re f")]
    )
    made = searchable(source, line("added", PLACES["upright"], 2), pages=2)
    check(made, tmp_path)
    for number in (1, 2):
        assert np.array_equal(pixels_of(source, tmp_path, number), pixels_of(made, tmp_path, number))
    assert [each.strip() for each in text_of(made, tmp_path).split("\f")] == ["Own text of page", "added", ""]
    with pikepdf.Pdf.open(io.BytesIO(source)) as before, pikepdf.Pdf.open(io.BytesIO(made)) as after:
        assert before.pages[0].Contents.read_raw_bytes() == after.pages[0].Contents.read_raw_bytes()
        own = list(after.pages[1].Contents)
        assert own[-1].read_raw_bytes() == before.pages[1].Contents.read_raw_bytes()
        assert "/F" in after.pages[1].Resources.Font


def test_text_of_the_pdf_is_not_added_again(tmp_path: Path) -> None:
    source = pdf([PdfPage(column(["Own text of page"]))])
    said = replace(line("Own text of page", PLACES["upright"]), source="pdf_text")
    made = searchable(source, said, line("stamp", PLACES["downwards"]))
    assert text_of(made, tmp_path).count("Own text") == 1
    assert "stamp" in text_of(made, tmp_path)
    only = searchable(source, said)
    assert text_of(only, tmp_path).split() == ["Own", "text", "of", "page"]


def test_a_page_without_lines_stays_without_text(tmp_path: Path) -> None:
    made = searchable(drawn())
    check(made, tmp_path)
    assert not text_of(made, tmp_path).strip()


def test_a_line_without_characters_or_size_breaks_nothing(tmp_path: Path) -> None:
    flat: Polygon = ((10.0, 10.0),) * 4
    made = searchable(
        drawn(),
        Line("whole line", 0.9, PLACES["upright"], 1),
        line("dot", flat),
        Line("", 0, PLACES["upright"], 1),
    )
    check(made, tmp_path)
    assert text_of(made, tmp_path).split() == ["whole", "line"]


def test_only_pages_that_were_read_get_text(tmp_path: Path) -> None:
    source = pdf([PdfPage(b"")] * 3)
    read = replace(document(line("third", PLACES["upright"], 3)), pages=(Page(3, WIDTH, HEIGHT),))
    made = render("pdf", read, source=source)
    assert [page.strip() for page in text_of(made, tmp_path).split("\f")[:3]] == ["", "", "third"]


def test_attachments_forms_and_outlines_are_kept() -> None:
    def furnish(opened: pikepdf.Pdf) -> None:
        opened.attachments["data.csv"] = b"1,2"
        opened.Root.AcroForm = pikepdf.Dictionary(
            Fields=pikepdf.Array([opened.make_indirect(pikepdf.Dictionary(FT=pikepdf.Name.Tx, T="a", V="b"))])
        )
        with opened.open_outline() as outline:
            outline.root.append(pikepdf.OutlineItem("First", 0))

    made = searchable(changed(drawn(), furnish), line("a", PLACES["upright"]))
    with pikepdf.Pdf.open(io.BytesIO(made)) as after:
        assert after.attachments["data.csv"].get_file().read_bytes() == b"1,2"
        assert str(after.Root.AcroForm.Fields[0].V) == "b"
        assert after.open_outline().root[0].title == "First"


def sign(opened: pikepdf.Pdf) -> None:
    field = pikepdf.Dictionary(FT=pikepdf.Name.Sig, T="s", V=pikepdf.Dictionary(Type=pikepdf.Name.Sig))
    group = pikepdf.Dictionary(T="group", Kids=pikepdf.Array([opened.make_indirect(field)]))
    opened.Root.AcroForm = pikepdf.Dictionary(Fields=pikepdf.Array([opened.make_indirect(group)]), SigFlags=3)


def test_a_signed_pdf_is_not_changed() -> None:
    with pytest.raises(UnmodifiablePdf, match="signed"):
        searchable(changed(drawn(), sign), line("a", PLACES["upright"]))


def test_an_empty_signature_field_is_no_signature() -> None:
    def prepare(opened: pikepdf.Pdf) -> None:
        sign(opened)
        del opened.Root.AcroForm.Fields[0].Kids[0].V

    assert searchable(changed(drawn(), prepare), line("a", PLACES["upright"]))


def protected(**allowed: bool) -> bytes:
    permissions = pikepdf.Permissions(**allowed)
    return changed(
        drawn(),
        lambda _: None,
        encryption=pikepdf.Encryption(owner="owner", user="user", allow=permissions),
    )


def test_permissions_count_unless_the_owner_sends_the_document(tmp_path: Path) -> None:
    closed = protected(modify_other=False)
    with pytest.raises(UnmodifiablePdf, match="not permitted changes"):
        searchable(closed, line("a", PLACES["upright"]), opened_by="user")
    made = searchable(closed, line("open", PLACES["upright"]), opened_by="owner")
    assert "open" in text_of(made, tmp_path, "-upw", "user")


def test_an_encrypted_pdf_stays_encrypted(tmp_path: Path) -> None:
    made = searchable(protected(), line("secret", PLACES["upright"]), opened_by="user")
    check(made, tmp_path, "--password=user")
    assert "secret" in text_of(made, tmp_path, "-upw", "user")
    with pytest.raises(pikepdf.PasswordError):
        pikepdf.Pdf.open(io.BytesIO(made))
    with pytest.raises(WrongPassword):
        searchable(protected(), line("a", PLACES["upright"]), opened_by="other")


def test_old_encryption_is_kept(tmp_path: Path) -> None:
    made = searchable(encrypted("pw"), line("more", PLACES["upright"]), opened_by="pw")
    assert "more" in text_of(made, tmp_path, "-upw", "pw")


@pytest.mark.parametrize(
    "broken",
    [
        b"%PDF-1.7\nnothing else",
        drawn()[:200],
        drawn().replace(b"/Kids[4 0 R]", b"/Kids[9 0 R]"),
        drawn().replace(b"/Kids[4 0 R]", b"/Kids[4 0 R 2 0 R]"),  # PDFium shows the first page
        drawn().replace(b"/Font<</F 3 0 R>>", b"/Font[1 2]"),
        drawn().replace(b"/Type/Catalog", b"/Type/Catalog/AcroForm 5"),
        drawn().replace(b"/Type/Pages", b"/Type/Pagez").replace(b"/Kids", b"/Kidz"),
    ],
)
def test_a_pdf_that_is_too_damaged_is_a_problem(broken: bytes) -> None:
    with pytest.raises(UnmodifiablePdf, match="too damaged"):
        searchable(broken, line("a", PLACES["upright"]))


def test_resources_that_pages_share_are_not_changed_for_others() -> None:
    shared = b"<</Font<</F 3 0 R>>>>"
    source = pdf([PdfPage(b""), PdfPage(b"")], [HELVETICA, shared])
    source = changed(source, lambda opened: share(opened))
    made = searchable(source, line("a", PLACES["upright"], 2), pages=2)
    with pikepdf.Pdf.open(io.BytesIO(made)) as after:
        assert set(after.pages[0].Resources.Font.keys()) == {"/F"}
        assert set(after.pages[1].Resources.Font.keys()) == {"/F", "/OcrsvcText"}


def share(opened: pikepdf.Pdf) -> None:
    resources = opened.make_indirect(pikepdf.Dictionary(Font=opened.pages[0].Resources.Font))
    for page in opened.pages:
        page.Resources = resources
