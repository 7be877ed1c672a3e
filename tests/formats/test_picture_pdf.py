"""Searchable PDFs of pictures: the picture's own bytes or pixels, its size, its orientation, and PDF/A."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pikepdf
import pytest
from formats.pdf_reading import check, drawn_by_pdfium, text_of
from PIL import Image, ImageCms, ImageDraw, ImageOps

from ocrsvc.errors import UndecodableImage
from ocrsvc.formats import Rendering, find, glyphless
from ocrsvc.results import Character, Document, Line, ModelId, Page

SIZE = (100, 75)  # whole points at 200 dpi


def picture(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    """A picture whose corners differ."""
    image = Image.new("RGB", size, (255, 250, 240))
    pen = ImageDraw.Draw(image)
    pen.rectangle((5, 5, 40, 20), fill=(200, 30, 40))
    pen.rectangle((60, 40, 80, 50), fill=(20, 60, 200))
    pen.line((0, 74, 99, 0), fill=(0, 0, 0))
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L"), dtype=np.uint16) * 257)
    return image.convert(mode)


def file_of(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def searchable(data: bytes, size: tuple[int, int] = SIZE, numbers: tuple[int, ...] = (1,)) -> bytes:
    lines = tuple(
        Line("票", 0.9, ((5, 5), (40, 5), (40, 20), (5, 20)), number, (Character("票", 0.9, 0, 1),))
        for number in numbers
    )
    read = Document(lines, tuple(Page(number, *size) for number in numbers), ModelId("crnn", "sha256:ab"))
    return find("pdf").render(read, Rendering(source=data))


@dataclass(frozen=True)
class Embedded:
    """The picture of a page: its dictionary in plain values, its encoded bytes, and itself."""

    members: dict[str, str]
    data: bytes
    image: Image.Image | None


def embedded(made: bytes, *, decoded: bool = False) -> Embedded:
    with pikepdf.Pdf.open(io.BytesIO(made)) as opened:
        found = opened.pages[0].Resources.XObject.Picture
        members = {name: str(value) for name, value in found.items()}
        image = pikepdf.PdfImage(cast(pikepdf.Stream, found)).as_pil_image() if decoded else None
        return Embedded(members, found.read_raw_bytes(), image)


LOSSLESS: dict[str, Callable[[], bytes]] = {
    "PNG": lambda: file_of(picture(), "PNG"),
    "PNG, grey": lambda: file_of(picture("L"), "PNG"),
    "PNG, one bit": lambda: file_of(picture("1"), "PNG"),
    "PNG, palette": lambda: file_of(picture("P"), "PNG"),
    "PNG, 16 bits": lambda: file_of(picture("I;16"), "PNG"),
    "BMP": lambda: file_of(picture(), "BMP"),
    "GIF": lambda: file_of(picture("P"), "GIF"),
    "WebP": lambda: file_of(picture(), "WEBP", lossless=True),
    "TIFF": lambda: file_of(picture(), "TIFF"),
    "TIFF, LZW": lambda: file_of(picture("L"), "TIFF", compression="tiff_lzw"),
    "TIFF, one bit": lambda: file_of(picture("1"), "TIFF"),
    "TIFF, group 3": lambda: file_of(picture("1"), "TIFF", compression="group3"),
    "TIFF, group 4": lambda: file_of(picture("1"), "TIFF", compression="group4"),
    "TIFF, CMYK": lambda: file_of(picture("CMYK"), "TIFF", compression="tiff_lzw"),
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_no_pixel_changes(kind: str, tmp_path: Path) -> None:
    data = LOSSLESS[kind]()
    made = searchable(data)
    check(made, tmp_path)
    assert text_of(made, tmp_path).strip() == "票"
    with Image.open(io.BytesIO(data)) as before:
        if kind != "PNG, 16 bits":
            after = embedded(made, decoded=True).image
            assert after is not None
            assert np.array_equal(np.asarray(before.convert("RGB")), np.asarray(after.convert("RGB")))
        drawn = drawn_by_pdfium(made, SIZE[0])
        assert drawn.shape[1::-1] == SIZE
        if before.mode in ("RGB", "L", "P", "1"):
            assert np.array_equal(np.asarray(before.convert("RGB")), drawn)


def test_compressed_bytes_of_a_png_are_kept() -> None:
    data = file_of(picture(), "PNG")
    image = embedded(searchable(data))
    assert image.data in data


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_stays_a_jpeg(mode: str, options: dict[str, bool], tmp_path: Path) -> None:
    data = file_of(picture(mode), "JPEG", quality=90, **options)
    made = searchable(data)
    check(made, tmp_path)
    assert embedded(made).data == data
    with Image.open(io.BytesIO(data)) as before:
        difference = np.abs(np.asarray(before.convert("RGB"), float) - drawn_by_pdfium(made, SIZE[0]))
    # Programs convert CMYK, and decode JPEG, a little differently.
    assert difference.mean() < (30 if mode == "CMYK" else 3)


def test_group_4_is_embedded_as_it_is() -> None:
    data = file_of(picture("1"), "TIFF", compression="group4", tiffinfo={278: SIZE[1]})
    image = embedded(searchable(data))
    assert image.members["/Filter"] == "/CCITTFaxDecode"
    assert image.data in data


def test_group_4_with_black_as_zero_and_one(tmp_path: Path) -> None:
    for photometric in (0, 1):
        data = file_of(picture("1"), "TIFF", compression="group4", tiffinfo={262: photometric, 278: SIZE[1]})
        with Image.open(io.BytesIO(data)) as before:
            expected = np.asarray(before.convert("RGB"))
        assert np.array_equal(drawn_by_pdfium(searchable(data), SIZE[0]), expected)


def test_transparency_becomes_a_mask(tmp_path: Path) -> None:
    image = picture("RGBA")
    image.putpixel((50, 30), (10, 200, 10, 128))
    for data in (file_of(image, "PNG"), file_of(picture("P"), "PNG", transparency=0)):
        made = searchable(data)
        check(made, tmp_path)
        with Image.open(io.BytesIO(data)) as before:
            on_white = Image.alpha_composite(Image.new("RGBA", SIZE, "white"), before.convert("RGBA"))
            assert "/SMask" in embedded(made).members
        difference = np.asarray(on_white.convert("RGB"), int) - drawn_by_pdfium(made, SIZE[0])
        assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_is_shown_upright(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"tiffinfo": {0x0112: orientation}} if kind == "TIFF" else {"exif": exif}
    data = file_of(picture(), kind, **options)
    with Image.open(io.BytesIO(data)) as before:
        upright = np.asarray(ImageOps.exif_transpose(before).convert("RGB"), float)
    height, width = upright.shape[:2]
    drawn = drawn_by_pdfium(searchable(data, (width, height)), width)
    assert drawn.shape == upright.shape
    assert np.abs(drawn - upright).mean() < 6


@pytest.mark.parametrize(
    ("options", "points"),
    [
        ({"dpi": (300, 300)}, (24, 18)),
        ({"dpi": (204, 98)}, (35.29, 55.1)),  # a fax
        ({"dpi": (1, 1)}, (36, 27)),  # a placeholder, so 200 dpi
        ({}, (36, 27)),
    ],
)
def test_the_resolution_gives_the_size(options: dict[str, object], points: tuple[float, float]) -> None:
    for kind in ("JPEG", "PNG", "TIFF"):
        with pikepdf.Pdf.open(io.BytesIO(searchable(file_of(picture(), kind, **options)))) as made:
            box = [float(side) for side in made.pages[0].MediaBox]
        assert box[:2] == [0, 0]
        assert box[2:] == pytest.approx(points, abs=0.2)


def test_pages_of_a_tiff_that_were_read(tmp_path: Path) -> None:
    pages = [picture(), picture("1", (40, 80)), picture("L", (70, 30))]
    buffer = io.BytesIO()
    pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:])
    made = searchable(buffer.getvalue(), numbers=(2, 3))
    check(made, tmp_path)
    with pikepdf.Pdf.open(io.BytesIO(made)) as opened:
        sizes = [tuple(float(side) for side in page.MediaBox)[2:] for page in opened.pages]
    assert sizes == [(14.4, 28.8), (25.2, 10.8)]
    assert text_of(made, tmp_path).split() == ["票", "票"]


def test_a_picture_becomes_pdf_a(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for data in (file_of(picture(), "PNG"), file_of(picture(), "JPEG", icc_profile=srgb)):
        with pikepdf.Pdf.open(io.BytesIO(searchable(data))) as made:
            assert made.open_metadata().pdfa_status == "2B"
            assert made.Root.OutputIntents[0].DestOutputProfile.read_bytes()[36:40] == b"acsp"
            assert made.pdf_version == "1.7"
            assert "/ID" in made.trailer
            assert str(made.docinfo["/Producer"]) == str(made.open_metadata()["pdf:Producer"])
            fonts = [
                each for each in made.objects if isinstance(each, pikepdf.Dictionary) and "/FontFile2" in each
            ]
            assert len(fonts) == 1
    with pikepdf.Pdf.open(io.BytesIO(searchable(file_of(picture("CMYK"), "JPEG")))) as made:
        assert not made.open_metadata().pdfa_status


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_a_picture_becomes_nothing_that_pdf_a_forbids(kind: str) -> None:
    with pikepdf.Pdf.open(io.BytesIO(searchable(file_of(picture(), kind)))) as made:
        assert not made.is_encrypted
        assert not {"/OpenAction", "/AA", "/AcroForm", "/Names", "/Perms"} & set(made.Root.keys())
        assert "/Filter" not in made.Root.Metadata  # searched for by programs that read no PDF
        for page in made.pages:
            assert not {"/AA", "/Annots", "/PresSteps"} & set(page.obj.keys())
        for each in made.objects:
            if not isinstance(each, pikepdf.Dictionary | pikepdf.Stream):
                continue
            assert each.get("/S") not in ("/JavaScript", "/Launch", "/Movie", "/Sound")
            assert each.get("/Filter") not in ("/LZWDecode", "/Crypt")
            assert not {"/F", "/FFilter", "/Alternates", "/OPI", "/PS"} & set(each.keys())
            assert not each.get("/Interpolate", False)
            if each.get("/Type") == "/Font":
                assert "/ToUnicode" in each or "/CIDSystemInfo" in each


def test_a_profile_of_other_colours_is_left_out() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = embedded(searchable(file_of(picture("L"), "JPEG", icc_profile=srgb)))
    assert image.members["/ColorSpace"] == "/DeviceGray"
    other = embedded(searchable(file_of(picture(), "JPEG", icc_profile=srgb)))
    assert "/ICCBased" in other.members["/ColorSpace"]


def test_a_damaged_picture_is_a_problem() -> None:
    for data in (b"\x89PNG\r\n\x1a\n", file_of(picture("L"), "TIFF")[:60], b"GIF89a"):
        with pytest.raises(UndecodableImage, match="cannot be put into a PDF"):
            searchable(data)


def test_the_font_is_a_font() -> None:
    """Its tables are those of TrueType, and glyph 2 is twice as wide as glyph 1."""
    data = glyphless.font_file()
    assert len(data) < 600
    tables = {}
    for entry in range(struct.unpack_from(">H", data, 4)[0]):
        tag, total, place, size = struct.unpack_from(">4sIII", data, 12 + 16 * entry)
        padded = data[place : place + size] + bytes(-size % 4)
        assert sum(struct.unpack(f">{len(padded) // 4}I", padded)) & 0xFFFFFFFF == total
        tables[tag] = data[place : place + size]
    assert list(tables) == sorted(tables)
    assert struct.unpack(">6H", tables[b"hmtx"])[::2] == (500, 500, 1000)
    places = struct.unpack(">4H", tables[b"loca"])
    assert 2 * places[-1] == len(tables[b"glyf"])
