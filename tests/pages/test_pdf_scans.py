"""Scans in PDFs: the resolution at which they are drawn, the codecs of their pictures, and documents that are odd."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from drawings import Picture, pdf_of
from jbig2 import encode as jbig2
from pdf_drawings import HELVETICA, PdfPage, column, image_object, jpeg_object, pdf, scan, show
from PIL import Image, TiffImagePlugin

from ocrsvc.errors import OcrError, TooManyPages, TooManyPixels
from ocrsvc.pages.decoding import decode, open_source
from ocrsvc.pages.source import DocumentOptions, Limits

TEXT = DocumentOptions(pdf_text="auto")


def stripes(width: int, height: int) -> Picture:
    """A white picture with a black stripe at the top and a black square at the lower right."""
    picture = np.full((height, width, 3), 255, np.uint8)
    picture[: height // 8] = 0
    picture[-height // 4 :, -width // 4 :] = 0
    return picture


def size_of(data: bytes, limits: Limits = Limits()) -> tuple[int, int]:  # noqa: B008
    (page,) = decode(data, limits)
    return page.size


@pytest.mark.parametrize(("dpi", "drawn"), [(40, 72), (72, 72), (150, 150), (300, 300), (600, 300)])
def test_a_scan_is_drawn_at_its_own_resolution(dpi: int, drawn: int) -> None:
    assert size_of(scan(stripes(4 * dpi, 2 * dpi), dpi)) == (4 * drawn, 2 * drawn)


def test_the_pixels_of_a_scan_are_those_of_its_picture() -> None:
    picture = stripes(400, 240)
    (page,) = decode(scan(picture, 96), Limits())
    assert page.pixels.shape == picture.shape
    assert np.abs(page.pixels.astype(int) - picture).mean() < 2


def test_other_pages_are_drawn_at_the_setting() -> None:
    usual = (4 * 200, 2 * 200)
    whole, resources = show(4, 0, 0, 288, 144)
    part, _ = show(4, 0, 0, 100, 100)
    objects = [HELVETICA, jpeg_object(stripes(100, 50))]
    words = column(["Words"], top=100)
    for operators in (words, part, whole + words, whole + b"10 10 m 90 90 l S\n"):
        assert size_of(pdf([PdfPage(operators, (288, 144), resources)], objects)) == usual
    hidden = whole + column(["Words"], top=100, mode=3)  # a scan with the text of another recogniser: 25 dpi
    assert size_of(pdf([PdfPage(hidden, (288, 144), resources)], objects)) == (288, 144)


def test_a_scan_within_a_form_and_a_turned_one() -> None:
    picture, resources = show(4, 0, 0, 144, 288)
    form = (
        b"<</Type/XObject/Subtype/Form/BBox[0 0 144 288]/Resources<<%s>>/Length %d>>stream\n%s\nendstream"
        % (resources, len(picture), picture)
    )
    page = PdfPage(b"q 2 0 0 2 0 0 cm /X Do Q", (288, 576), b"/XObject<</X 5 0 R>>")
    assert size_of(pdf([page], [HELVETICA, jpeg_object(stripes(400, 800)), form])) == (400, 800)
    turned = PdfPage(picture, (144, 288), resources, b"/Rotate 90")
    assert size_of(pdf([turned], [HELVETICA, jpeg_object(stripes(300, 600))])) == (600, 300)


def test_a_scan_is_drawn_within_the_limit_of_pixels() -> None:
    width, height = size_of(scan(stripes(1200, 600), 300), Limits(max_pixels=180_000))
    assert 150_000 < width * height <= 180_000


def tiff_strip(picture: Image.Image, **options: Any) -> bytes:
    """The one compressed strip that libtiff writes for this picture."""
    buffer = io.BytesIO()
    picture.save(buffer, "TIFF", tiffinfo={278: picture.height}, **options)
    with Image.open(buffer) as file:
        assert isinstance(file, TiffImagePlugin.TiffImageFile)
        (offset,), (count,) = file.tag_v2[273], file.tag_v2[279]
    return buffer.getvalue()[offset : offset + count]


def encoded(codec: str, picture: Image.Image) -> tuple[bytes, bytes, int]:
    """A gray picture as bytes, members of an image object, and bits of a pixel."""
    gray = b"/ColorSpace/DeviceGray"
    if codec == "JPEG 2000":
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG2000", irreversible=False)
        return buffer.getvalue(), gray + b"/Filter/JPXDecode", 8
    bilevel = picture.convert("1")
    if codec == "JBIG2":
        return jbig2(np.asarray(bilevel) == 0), gray + b"/Filter/JBIG2Decode", 1
    group = {"CCITT G3": ("group3", 0), "CCITT G4": ("group4", -1)}[codec]
    # Pillow stores black as 0, which libtiff codes as the white of a fax.
    parameters = b"/Filter/CCITTFaxDecode/DecodeParms<</K %d/Columns %d/Rows %d/BlackIs1 true>>"
    members = gray + parameters % (group[1], *picture.size)
    return tiff_strip(bilevel, compression=group[0]), members, 1


@pytest.mark.parametrize("codec", ["JPEG 2000", "CCITT G3", "CCITT G4", "JBIG2"])
def test_codecs_of_scanners(codec: str) -> None:
    picture = Image.fromarray(stripes(320, 200)[:, :, 0])
    content, members, bits = encoded(codec, picture)
    operators, resources = show(4, 0, 0, 230.4, 144)
    page = PdfPage(operators, (230, 144), resources)
    (found,) = decode(pdf([page], [HELVETICA, image_object(content, picture.size, members, bits)]), Limits())
    height, width = found.pixels.shape[:2]
    assert abs(width - 320) <= 2
    assert found.pixels[height // 16, width // 2].max() < 40
    assert found.pixels[height * 7 // 8, width * 7 // 8].max() < 40
    assert found.pixels[height // 2, width // 2].min() > 215


def test_a_page_of_any_size_has_its_own_number_of_pixels() -> None:
    pages = [PdfPage(column(["Words"], top=80), size) for size in ((300, 100), (100, 300), (612, 792))]
    sizes = [page.size for page in decode(pdf(pages), Limits(pdf_dpi=72), None, TEXT)]
    assert sizes == [(300, 100), (100, 300), (612, 792)]


def test_ten_thousand_pages_are_refused_or_one_of_them_is_read() -> None:
    many = pdf([PdfPage(column(["Words"]))] * 10_000)
    with pytest.raises(TooManyPages):
        open_source(many, Limits())
    (page,) = decode(many, Limits(), "9999", TEXT)
    assert page.number == 9999
    assert page.text is not None


@pytest.mark.parametrize("size", [(0, 800), (600, 0)])
def test_a_page_without_size_is_of_the_usual_size(size: tuple[int, int]) -> None:
    assert size_of(pdf([PdfPage(column(["Words"]), size)])) == (1700, 2200)  # US letter at 200 dpi


def test_a_page_of_two_hundred_inches_is_drawn_smaller_or_refused() -> None:
    poster = pdf([PdfPage(column(["Words"]), (14_400, 14_400))])
    width, height = size_of(poster)
    assert 60_000_000 < width * height <= Limits().max_pixels
    with pytest.raises(TooManyPixels, match="200x200 inches"):
        size_of(poster, Limits(max_pixels=16_000_000))


def test_a_wrong_table_of_objects_is_repaired() -> None:
    whole = pdf([PdfPage(column(["Words"]))])
    start = whole.rindex(b"xref\n0")
    broken = (
        whole[:start]
        + b"xref\n0 2\n0000000000 65535 f \n9999999999 00000 n \n"
        + whole[whole.rindex(b"trailer") :]
    )
    (page,) = decode(broken, Limits(), None, TEXT)
    assert page.text is not None
    assert page.text.lines[0].text == "Words"


def test_pages_that_contain_themselves() -> None:
    loop = pdf_of([b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2>>"])
    with pytest.raises(OcrError):
        list(decode(loop, Limits()))


def test_an_annotation_is_drawn() -> None:
    ink = b"0 g 0 0 40 20 re f"
    note = (
        b"<</Type/Annot/Subtype/Stamp/F 4/Rect[100 100 140 120]/AP<</N 5 0 R>>>>",
        b"<</Type/XObject/Subtype/Form/BBox[0 0 40 20]/Length %d>>stream\n%s\nendstream" % (len(ink), ink),
    )
    data = pdf([PdfPage(column(["Words"]), members=b"/Annots[4 0 R]")], [HELVETICA, *note])
    (page,) = decode(data, Limits(pdf_dpi=72), None, TEXT)
    assert page.pixels[800 - 110, 120].tolist() == [0, 0, 0]
    assert page.pixels[800 - 130, 120].tolist() == [255, 255, 255]


def test_a_chain_of_tiff_pages_that_closes_in_a_circle() -> None:
    buffer = io.BytesIO()
    picture = Image.fromarray(stripes(60, 40)[:, :, 0])
    picture.save(buffer, "TIFF", save_all=True, append_images=[picture])
    data = bytearray(buffer.getvalue())
    (first,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, first)
    (second,) = struct.unpack_from("<I", data, first + 2 + 12 * entries)
    (entries,) = struct.unpack_from("<H", data, second)
    struct.pack_into("<I", data, second + 2 + 12 * entries, first)
    assert [page.number for page in decode(bytes(data), Limits())] == [1, 2]
