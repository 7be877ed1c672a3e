"""Bytes to pages: every supported kind, every way of being wrong."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import heic_samples
import numpy as np
import pypdfium2 as pdfium
import pytest
from available import missing
from drawings import pdf_of
from PIL import Image, ImageDraw

from ocrsvc.errors import (
    EmptyInput,
    InvalidParameter,
    TooManyPages,
    TooManyPixels,
    UndecodableImage,
    UnsupportedMedia,
)
from ocrsvc.pages.decoding import decode, open_source
from ocrsvc.pages.heif import reads_heic
from ocrsvc.pages.kinds import ACCEPTED, sniff
from ocrsvc.pages.source import Limits, PageImage, select_pages

LIMITS = Limits()
RED, GREEN, BLUE, WHITE = (0, 0, 255), (0, 128, 0), (255, 0, 0), (255, 255, 255)  # BGR


def corners(width: int = 40, height: int = 24) -> Image.Image:
    """A white picture whose top left quarter is red and whose bottom right quarter is blue."""
    image = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, width // 2 - 1, height // 2 - 1), fill="red")
    pen.rectangle((width // 2, height // 2, width, height), fill="blue")
    return image


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def only(data: bytes, limits: Limits = LIMITS) -> PageImage:
    (page,) = decode(data, limits)
    assert page.pixels.dtype == np.uint8
    assert page.pixels.ndim == 3
    assert page.pixels.shape[2] == 3
    assert page.pixels.flags.c_contiguous
    return page


def assert_corners(page: PageImage, tolerance: int = 12) -> None:
    height, width = page.pixels.shape[:2]
    expected = {(2, 2): RED, (2, width - 3): WHITE, (height - 3, 2): WHITE, (height - 3, width - 3): BLUE}
    for (y, x), color in expected.items():
        assert np.abs(page.pixels[y, x].astype(int) - color).max() <= tolerance, (y, x, page.pixels[y, x])


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims this size and holds one row of zeros."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(min(width, 64) + 1))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def pdf_bytes(sizes: list[tuple[float, float]]) -> bytes:
    """A PDF of empty pages of these sizes in points."""
    document = pdfium.PdfDocument.new()
    for width, height in sizes:
        document.new_page(width, height).close()
    buffer = io.BytesIO()
    document.save(buffer)
    document.close()
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP", "BMP", "GIF", "TIFF", "AVIF"])
def test_every_kind_of_picture_is_sniffed_and_decoded(kind: str) -> None:
    sharp: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": 95, "subsampling": 0},
        "AVIF": {"quality": 95, "subsampling": "4:4:4"},
    }
    data = encoded(corners(), kind, **sharp.get(kind, {}))
    assert sniff(data) == kind
    page = only(data)
    assert page.number == 1
    assert page.pixels.shape == (24, 40, 3)
    assert_corners(page)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(kind: str, orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = corners() if orientation == 1 else corners().transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": 95, "subsampling": 0},
        "WebP": {"lossless": True},
        "AVIF": {"quality": 95, "subsampling": "4:4:4"},
    }
    page = only(encoded(stored, kind, exif=exif, **options.get(kind, {})))
    assert page.pixels.shape == (24, 40, 3)
    assert_corners(page)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_exif_does_not_stop_the_reading() -> None:
    data = bytearray(
        encoded(corners(), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff\xff\xff", quality=95)
    )
    assert only(bytes(data)).pixels.shape == (24, 40, 3)


@pytest.mark.parametrize("kind", ["PNG", "WebP", "TIFF"])
def test_alpha_is_composited_on_white(kind: str) -> None:
    image = Image.new("RGBA", (4, 4), (0, 128, 0, 255))
    image.putpixel((0, 0), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 128))
    pixels = only(encoded(image, kind, **({"lossless": True} if kind == "WebP" else {}))).pixels
    assert tuple(pixels[0, 0]) == WHITE
    assert abs(int(pixels[0, 1, 0]) - 127) <= 1
    assert tuple(pixels[3, 3]) == GREEN


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("ink", [(255, 255, 255), (240, 240, 120), (0, 0, 0), (150, 20, 20)])
@pytest.mark.parametrize("size", [(40, 24), (900, 1500)])
def test_what_is_drawn_on_nothing_can_be_seen(
    kind: str, ink: tuple[int, int, int], size: tuple[int, int]
) -> None:
    image = Image.new("RGBA", size, (255, 255, 255, 0))
    width, height = size
    ImageDraw.Draw(image).rectangle((width // 4, height // 4, width // 2, height // 2), fill=(*ink, 255))
    options = {"lossless": True} if kind == "WEBP" else {}
    pixels = only(encoded(image, kind, **options)).pixels.astype(int)
    drawn, ground = pixels[height * 3 // 8, width * 3 // 8], pixels[-1, -1]
    assert drawn.tolist() == list(ink[::-1])
    assert abs(drawn - ground).max() > 120
    assert set(ground.tolist()) <= {0, 255}


def test_a_light_page_with_clear_corners_stays_on_white() -> None:
    image = Image.new("RGBA", (100, 60), (250, 250, 250, 255))
    image.paste((0, 0, 0, 0), (0, 0, 8, 8))
    assert only(encoded(image, "PNG")).pixels[0, 0].tolist() == [255, 255, 255]


def test_opaque_alpha_and_palette_transparency() -> None:
    opaque = only(encoded(corners().convert("RGBA"), "PNG"))
    assert_corners(opaque)
    palette = corners().quantize(8)
    clear = palette.getpixel((39, 0))  # white
    assert_corners(only(encoded(palette, "PNG", transparency=clear)))
    assert_corners(only(encoded(palette, "GIF", transparency=clear)))
    gray = Image.new("LA", (3, 3), (0, 0))
    assert tuple(only(encoded(gray, "PNG")).pixels[1, 1]) == WHITE


@pytest.mark.parametrize("data", [heic_samples.UPRIGHT, heic_samples.TURNED], ids=["upright", "turned"])
def test_heic_is_decoded_upright(data: bytes) -> None:
    assert sniff(data) == "HEIC"
    if not reads_heic():
        missing("no decoder of HEIC: pip install 'ocrsvc[heic]'")
    page = only(data)
    assert page.pixels.shape == (24, 40, 3)
    assert_corners(page, tolerance=30)


def test_without_its_decoder_heic_is_refused_with_the_extra_that_helps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ocrsvc.pages.heif._LIBRARIES", ("a_library_that_nobody_has",))
    with pytest.raises(UnsupportedMedia, match=r"ocrsvc\[heic\]"):
        open_source(heic_samples.UPRIGHT, LIMITS)


@pytest.mark.parametrize("brand", [b"isom", b"mp42", b"M4A "])
def test_films_are_no_pictures(brand: bytes) -> None:
    with pytest.raises(UnsupportedMedia):
        sniff(b"\0\0\0\x14ftyp" + brand + bytes(4) + brand)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("1", "PNG"), ("1", "TIFF"), ("1", "BMP"), ("L", "JPEG"), ("L", "PNG"), ("P", "PNG"), ("P", "BMP")],
)
def test_shallow_pictures(mode: str, kind: str) -> None:
    image = Image.new("L", (20, 10), 255)
    ImageDraw.Draw(image).rectangle((0, 0, 9, 9), fill=0)
    pixels = only(encoded(image.convert(mode), kind)).pixels
    assert pixels[5, 2].max() <= 4
    assert pixels[5, 17].min() >= 251


def test_cmyk_jpeg_has_natural_colours() -> None:
    assert_corners(only(encoded(corners().convert("CMYK"), "JPEG", quality=98, subsampling=0)), tolerance=25)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_to_eight(kind: str) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(1, -1).repeat(4, axis=0)
    pixels = only(encoded(Image.fromarray(ramp), kind)).pixels
    assert np.abs(pixels[2, :, 1].astype(int) - np.arange(256)).max() <= 1


def test_float_tiff_is_stretched() -> None:
    ramp = np.linspace(-1, 3, 64, dtype=np.float32).reshape(1, -1).repeat(4, axis=0)
    pixels = only(encoded(Image.fromarray(ramp), "TIFF")).pixels
    assert pixels[0, 0].tolist() == [0, 0, 0]
    assert pixels[0, -1].tolist() == [255, 255, 255]
    flat = only(encoded(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF")).pixels
    assert flat.max() == 0


def test_only_the_first_frame_of_an_animation_is_read() -> None:
    frames = [corners(), Image.new("RGB", (40, 24), "black")]
    for kind in ("GIF", "WebP", "PNG"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)
        assert_corners(only(data), tolerance=25)


def test_tiff_pages_are_decoded_one_by_one() -> None:
    pages = [Image.new("RGB", (10 + i, 20), (i * 50, 0, 0)) for i in range(4)]
    data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    read = list(decode(data, LIMITS))
    assert [page.number for page in read] == [1, 2, 3, 4]
    assert [page.pixels.shape[1] for page in read] == [10, 11, 12, 13]
    assert [page.pixels[0, 0, 2] for page in read] == [0, 50, 100, 150]
    assert [page.number for page in decode(data, LIMITS, "2,4")] == [2, 4]
    with pytest.raises(TooManyPages) as caught:
        open_source(data, Limits(max_pages=3))
    assert caught.value.extra["max_pages"] == 3
    assert open_source(data, Limits(max_pages=3), "1-3").numbers == (1, 2, 3)


@pytest.mark.parametrize("big", [False, True])
def test_pages_of_a_tiff_are_counted_without_decoding(big: bool) -> None:
    pages = [Image.new("L", (10, 20), i) for i in range(7)]
    data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:], big_tiff=big)
    assert open_source(data, LIMITS).numbers == (1, 2, 3, 4, 5, 6, 7)
    assert [int(page.pixels[0, 0, 0]) for page in decode(data, LIMITS)] == list(range(7))


def chained(data: bytes, more: int) -> bytes:
    """A little-endian TIFF of one page with so many empty directories behind it."""
    (first,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, first)
    changed, end = bytearray(data), first + 2 + 12 * entries
    struct.pack_into("<I", changed, end, len(data))
    for i in range(more):
        changed += struct.pack("<HI", 0, len(data) + 6 * (i + 1) if i < more - 1 else 0)
    return bytes(changed)


def test_endless_tiffs_are_refused_at_once() -> None:
    page = encoded(Image.new("L", (10, 20), 255), "TIFF")
    with pytest.raises(TooManyPages):
        open_source(chained(page, 200_000), LIMITS)
    assert open_source(chained(page, 3), LIMITS).numbers == (1, 2, 3, 4)
    (first,) = struct.unpack_from("<I", page, 4)
    (entries,) = struct.unpack_from("<H", page, first)
    circle = bytearray(page)
    struct.pack_into("<I", circle, first + 2 + 12 * entries, first)
    assert open_source(bytes(circle), LIMITS).numbers == (1,)


def test_a_jpeg_of_endless_scans_is_refused_and_a_progressive_one_read() -> None:
    plain = encoded(corners(400, 240), "JPEG", progressive=True, quality=95, subsampling=0)
    assert_corners(only(plain), tolerance=25)
    last = plain.rindex(b"\xff\xda")
    bomb = plain[:-2] + plain[last:-2] * 60_000 + plain[-2:]
    with pytest.raises(UndecodableImage, match="scans"):
        open_source(bomb, LIMITS)


@pytest.mark.parametrize("reduction", [2, 4, 8])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_jpeg_is_decoded_smaller_where_memory_is_short(reduction: int, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(corners(1203, 801), "JPEG", quality=95, exif=exif)
    source = open_source(data, Limits())
    least = Limits(max_decode_bytes=source.decode_bytes(1) // reduction**2 + 10_000)
    (page,) = decode(data, least)
    turned = orientation == 6
    assert page.size == ((801, 1203) if turned else (1203, 801))
    height, width = page.pixels.shape[:2]
    assert (width, height) == (-(-page.size[0] // reduction), -(-page.size[1] // reduction))
    assert open_source(data, least).decode_bytes(1) <= least.max_decode_bytes
    if not turned:
        assert_corners(page, tolerance=30)


def test_what_cannot_be_decoded_smaller_is_refused() -> None:
    short = Limits(max_decode_bytes=1_000_000)
    for data in (
        encoded(corners(1203, 801), "PNG"),
        encoded(corners(1203, 801), "JPEG", progressive=True),  # all of its coefficients are held
        encoded(corners(1203, 801).convert("CMYK"), "JPEG"),
        encoded(corners(1203, 801), "WEBP"),
        encoded(corners(1203, 801), "TIFF"),
        encoded(corners(1203, 801), "BMP"),
    ):
        with pytest.raises(TooManyPixels, match="MiB of memory"):
            only(data, short)
    large = pdf_bytes([(600.0, 800.0)])
    assert only(large, short).pixels.nbytes <= 1_000_000


def test_threads_that_share_a_tiff_each_get_their_own_page() -> None:
    pages = [Image.new("RGB", (40 + i, 20), (i * 30, 0, 0)) for i in range(8)]
    data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    with ThreadPoolExecutor(2) as pool:
        for _ in range(40):
            source = open_source(data, LIMITS)
            read = list(pool.map(source.page, source.numbers))
            source.close()
            assert [(page.pixels.shape[1], page.pixels[0, 0, 2]) for page in read] == [
                (40 + i, i * 30) for i in range(8)
            ]


def test_pdf_pages_are_drawn_at_the_resolution_asked_for() -> None:
    data = pdf_bytes([(144, 72), (72, 36), (72, 72)])
    assert sniff(data) == "PDF"
    shapes = [page.pixels.shape for page in decode(data, Limits(pdf_dpi=100))]
    assert shapes == [(100, 200, 3), (50, 100, 3), (100, 100, 3)]
    (page,) = decode(data, LIMITS, "2")
    assert page.number == 2
    assert page.pixels.min() == 255  # paper is white
    assert [p.number for p in decode(b"\n% rubbish before\n" + data, LIMITS)] == [1, 2, 3]


def test_large_pdf_pages_are_drawn_smaller_and_huge_ones_refused() -> None:
    poster = pdf_bytes([(2000, 1000)])
    page = only(poster, Limits(max_pixels=1_000_000, pdf_dpi=300))
    height, width = page.pixels.shape[:2]
    assert 900_000 < height * width <= 1_000_000
    assert abs(width / height - 2) < 0.01
    with pytest.raises(TooManyPixels):
        only(pdf_bytes([(14400, 14400)]), Limits(max_pixels=1_000_000))


def test_absurd_shapes_are_refused() -> None:
    for size in ((2.5e8, 0.001), (0.001, 2.5e8), (1e6, 0.5)):
        with pytest.raises(TooManyPixels):
            only(pdf_bytes([size]))
    row = Image.new("L", (100_001, 1), 255)
    with pytest.raises(TooManyPixels, match="on a side"):
        only(encoded(row, "PNG"))


def form_pdf(ink: bytes) -> bytes:
    """A page of 200 x 100 points whose one form field draws ``ink`` (PDF operators) at its lower left corner."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[4 0 R]>>>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]/Annots[4 0 R]>>",
        b"<</Type/Annot/Subtype/Widget/FT/Tx/T(name)/V(Alice)/F 4/Rect[20 20 120 60]/P 3 0 R/AP<</N 5 0 R>>>>",
        b"<</Type/XObject/Subtype/Form/BBox[0 0 100 40]/Length %d>>stream\n%s\nendstream" % (len(ink), ink),
    ]
    return pdf_of(objects)


def test_what_was_filled_into_a_form_is_drawn() -> None:
    pixels = only(form_pdf(b"0 g 0 0 30 40 re f"), Limits(pdf_dpi=72)).pixels
    assert pixels[60, 30].tolist() == [0, 0, 0]
    assert pixels[60, 150].tolist() == [255, 255, 255]


def test_pdf_text_is_upright_and_in_place() -> None:
    buffer = io.BytesIO()
    corners(400, 240).save(buffer, "PDF", resolution=72)
    page = only(buffer.getvalue(), Limits(pdf_dpi=72))
    assert page.pixels.shape == (240, 400, 3)
    assert_corners(page, tolerance=20)


@pytest.mark.parametrize(
    "cut", [b"%PDF-1.7\n", b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog", b"%PDF-" + bytes(500)]
)
def test_broken_pdf(cut: bytes) -> None:
    with pytest.raises(UndecodableImage):
        open_source(cut, LIMITS)


def test_encrypted_pdf_says_so() -> None:
    data = (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
        b"3 0 obj<</Filter/Standard/V 1/R 2/O<" + b"11" * 32 + b">/U<" + b"22" * 32 + b">/P -4>>endobj\n"
        b"trailer<</Root 1 0 R/Encrypt 3 0 R/ID[<33><33>]/Size 4>>\n%%EOF"
    )
    with pytest.raises(UndecodableImage, match="password"):
        open_source(data, LIMITS)


def test_pages_on_a_picture() -> None:
    data = encoded(corners(), "PNG")
    assert open_source(data, LIMITS, "1").numbers == (1,)
    with pytest.raises(InvalidParameter, match="within 1-1"):
        open_source(data, LIMITS, "2")


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        (None, (1, 2, 3, 4, 5, 6, 7)),
        ("", (1, 2, 3, 4, 5, 6, 7)),
        ("1-3,7", (1, 2, 3, 7)),
        (" 5 - ", (5, 6, 7)),
        ("3,1,3", (1, 3)),
        ("2-2", (2,)),
        ("1-4,3-5", (1, 2, 3, 4, 5)),
    ],
)
def test_page_selection(pages: str | None, expected: tuple[int, ...]) -> None:
    assert select_pages(pages, 7, 50) == expected


@pytest.mark.parametrize("pages", ["0", "8", "1-8", "3-1", "-3", "a", "1,,2", "1;2", "1-3-5", "9" * 12, "１"])
def test_wrong_page_selection(pages: str) -> None:
    if pages == "１":  # a full-width digit is a digit
        assert select_pages(pages, 7, 50) == (1,)
        return
    with pytest.raises(InvalidParameter):
        select_pages(pages, 7, 50)


def test_page_selection_never_expands_beyond_the_document() -> None:
    with pytest.raises(TooManyPages):
        select_pages(None, 10**9, 50)
    with pytest.raises(TooManyPages):
        select_pages("1-51", 60, 50)
    with pytest.raises(TooManyPages):
        select_pages("1-999999999," * 300 + "1", 10**9, 50)


def test_page_selection_has_a_length() -> None:
    assert select_pages("1-5,3-7,2," * 400 + "9", 9, 8) == (1, 2, 3, 4, 5, 6, 7, 9)
    with pytest.raises(InvalidParameter, match="characters"):
        select_pages("1," * 5_000_000 + "1", 9, 50)


def test_no_bytes() -> None:
    with pytest.raises(EmptyInput):
        open_source(b"", LIMITS)


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",
        b"hello",
        b"BMW is a car maker, not a bitmap",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        bytes(2000),
        b"PK\x03\x04" + bytes(100),
        b"RIFF\x00\x00\x00\x00WAVE",
        b"\xff\xd8",
        "图片".encode(),
    ],
)
def test_unknown_bytes_are_refused_with_what_is_supported(data: bytes) -> None:
    with pytest.raises(UnsupportedMedia) as caught:
        open_source(data, LIMITS)
    assert caught.value.extra["supported"] == list(ACCEPTED)
    assert "JPEG" in caught.value.detail
    assert "PDF" in caught.value.detail


def noise(width: int = 200, height: int = 150) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP", "BMP", "GIF", "TIFF"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
def test_truncated_pictures(kind: str, share: float, capfd: pytest.CaptureFixture[str]) -> None:
    data = encoded(noise(), kind)
    with pytest.raises(UndecodableImage):
        only(data[: max(16, int(len(data) * share))])
    assert capfd.readouterr().err == ""  # no codec writes to the log


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP", "BMP", "GIF", "TIFF"])
def test_damaged_bytes_never_raise_anything_else(kind: str) -> None:
    data = encoded(noise(60, 40), kind)
    random = np.random.default_rng(1)
    for _ in range(60):
        damaged = bytearray(data)
        for position in random.integers(8, len(data), 6):
            damaged[position] = int(random.integers(0, 256))
        with contextlib.suppress(UnsupportedMedia, UndecodableImage, TooManyPixels, TooManyPages):
            for page in decode(bytes(damaged), Limits(max_pixels=1_000_000)):
                assert page.pixels.size


def test_damaged_png_is_refused_before_libpng_complains(capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(encoded(noise(), "PNG"))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(UndecodableImage, match="check sum"):
        only(bytes(data))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("width", "height"), [(30_000, 30_000), (8001, 8001), (2_000_000_000, 1)])
def test_bombs_are_refused_on_their_header(width: int, height: int) -> None:
    with pytest.raises(TooManyPixels) as caught:
        open_source(png_header(width, height), LIMITS)
    assert caught.value.extra == {"max_pixels": LIMITS.max_pixels, "width": width, "height": height}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP", "BMP", "GIF", "TIFF"])
def test_the_pixel_limit_holds_for_every_kind(kind: str) -> None:
    data = encoded(Image.new("RGB", (101, 100)), kind)
    with pytest.raises(TooManyPixels):
        open_source(data, Limits(max_pixels=10_000))
    assert only(data, Limits(max_pixels=10_100)).pixels.shape == (100, 101, 3)


def test_a_large_later_page_of_a_tiff_is_refused() -> None:
    pages = [Image.new("RGB", (10, 10)), Image.new("RGB", (200, 200))]
    read: Iterator[PageImage] = decode(
        encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:]), Limits(max_pixels=1024)
    )
    assert next(read).pixels.shape == (10, 10, 3)
    with pytest.raises(TooManyPixels):
        next(read)


@pytest.mark.parametrize(("width", "height"), [(0, 10), (10, 0), (0, 0)])
def test_pictures_without_pixels(width: int, height: int) -> None:
    with pytest.raises(UndecodableImage):
        open_source(png_header(width, height), LIMITS)
    gif = b"GIF89a" + struct.pack("<HH", width, height) + b"\x00\x00\x00" + b";"
    with pytest.raises(UndecodableImage):
        only(gif)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP", "BMP", "GIF", "TIFF"])
def test_one_pixel(kind: str) -> None:
    assert only(encoded(Image.new("RGB", (1, 1), "white"), kind)).pixels.tolist() == [[[255, 255, 255]]]
