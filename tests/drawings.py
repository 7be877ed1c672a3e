"""Pictures that the tests draw: lines and pages of Chinese and English text, exact labels included.

Pure functions; fixtures in conftest.py bind them to the font that this machine has.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]  # [H, W, 3], BGR as OpenCV has it

# Where Debian, Ubuntu, Fedora and Arch put Noto Sans CJK, and Homebrew's cask.
CJK_FONTS = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/Library/Fonts/NotoSansCJK-Regular.ttc",
)
SIMPLIFIED_CHINESE = 2  # the face of that collection: JP, KR, SC, TC, HK

RECEIPT = (
    "上海好又多超市",
    "收银小票 RECEIPT",
    "日期 2026-11-21 14:03",
    "苹果汁 Apple juice 12.50",
    "全麦面包 Bread 8.80",
    "牛奶 Milk 1L 15.90",
    "合计 TOTAL 37.20",
    "现金 CASH 50.00",
    "找零 CHANGE 12.80",
    "谢谢惠顾 Thank you",
)


@dataclass(frozen=True)
class DrawnPage:
    """A page and its truth: ``lines`` from top to bottom, ``boxes`` their ink (left, top, right, bottom)."""

    image: Picture
    lines: tuple[str, ...]
    boxes: tuple[tuple[int, int, int, int], ...]


def find_cjk_font() -> Path | None:
    """Return the Noto Sans CJK of this machine, or None."""
    return next((path for path in map(Path, CJK_FONTS) if path.is_file()), None)


def load_font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    """Return the face for simplified Chinese where ``path`` is a collection."""
    return ImageFont.truetype(str(path), size, index=SIMPLIFIED_CHINESE if path.suffix == ".ttc" else 0)


def line_image(
    text: str,
    font_path: Path,
    *,
    size: int = 36,
    margin: int = 8,
    ink: tuple[int, int, int] = (20, 20, 20),
    paper: tuple[int, int, int] = (250, 250, 250),
) -> Picture:
    """Return one line of text on plain paper; ``size`` and ``margin`` in pixels, colours in RGB."""
    font = load_font(font_path, size)
    left, top, right, bottom = font.getbbox(text)
    width, height = int(right - left) + 2 * margin, int(bottom - top) + 2 * margin
    canvas = Image.new("RGB", (width, height), paper)
    ImageDraw.Draw(canvas).text((margin - left, margin - top), text, fill=ink, font=font)
    return to_bgr(canvas)


def page_image(
    font_path: Path,
    lines: Sequence[str] = RECEIPT,
    *,
    size: int = 34,
    width: int = 720,
    leading: float = 1.8,
    margin: int = 48,
    angle: float = 0.0,
    noise: float = 0.0,
) -> DrawnPage:
    """Return a receipt-like page: one line of text below the other.

    ``angle`` turns it counter-clockwise, in degrees (the boxes then stay those of the upright page);
    ``noise`` is the standard deviation of gaussian noise in grey levels.
    """
    font = load_font(font_path, size)
    step = round(size * leading)
    canvas = Image.new("RGB", (width, 2 * margin + step * len(lines)), (246, 246, 243))
    pen = ImageDraw.Draw(canvas)
    boxes = []
    for row, text in enumerate(lines):
        origin = (margin, margin + row * step)
        pen.text(origin, text, fill=(24, 24, 28), font=font)
        left, top, right, bottom = pen.textbbox(origin, text, font=font)
        boxes.append((int(left), int(top), int(right), int(bottom)))
    if angle:
        canvas = canvas.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=(246, 246, 243))
    image = to_bgr(canvas)
    if noise:
        grain = np.random.default_rng(0).normal(0, noise, image.shape)
        image = np.clip(image + grain, 0, 255).astype(np.uint8)
    return DrawnPage(image, tuple(lines), tuple(boxes))


def columns_image(
    font_path: Path,
    columns: Sequence[str],
    *,
    size: int = 34,
    pitch: float = 1.15,
    gap: float = 1.9,
    margin: int = 48,
) -> Picture:
    """Return a page of vertical text: upright characters below each other, the first column at the right.

    ``pitch`` is the distance of characters and ``gap`` that of columns, in sizes.
    """
    font = load_font(font_path, size)
    step, beside = round(size * pitch), round(size * gap)
    height = 2 * margin + step * max(map(len, columns))
    canvas = Image.new("RGB", (2 * margin + beside * len(columns), height), (246, 246, 243))
    pen = ImageDraw.Draw(canvas)
    for i, column in enumerate(columns):
        middle = canvas.width - margin - i * beside - beside // 2
        for row, character in enumerate(column):
            pen.text((middle, margin + row * step), character, fill=(24, 24, 28), font=font, anchor="mt")
    return to_bgr(canvas)


def to_bgr(picture: Image.Image) -> Picture:
    """Return a Pillow picture as OpenCV has them: uint8 [H, W, 3], BGR."""
    return np.ascontiguousarray(np.asarray(picture.convert("RGB"))[:, :, ::-1])


def encode(image: Picture, suffix: str = ".png", quality: int = 92) -> bytes:
    """Return ``image`` as a file of this suffix (.png, .jpg, .webp, .bmp, .tiff)."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if suffix in (".jpg", ".jpeg") else []
    written, buffer = cv2.imencode(suffix, image, options)
    assert written, f"OpenCV cannot write {suffix}"
    return buffer.tobytes()


def pdf_of(objects: Sequence[bytes]) -> bytes:
    """A PDF of these objects, numbered from 1; the first is its catalogue."""
    data, places = b"%PDF-1.7\n", []
    for number, each in enumerate(objects, start=1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return data + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF"
        % (size, table, size, len(data))
    )


def pdf_page(operators: bytes, *others: bytes, resources: bytes = b"") -> bytes:
    """A PDF of one page of 600 x 800 points that draws ``operators``; ``others`` are objects from number 5."""
    packed = zlib.compress(operators, 9)
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<<%s>>>>" % resources
    return pdf_of(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            page,
            b"<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (len(packed), packed),
            *others,
        ]
    )


def endless_pdf() -> bytes:
    """A small PDF that takes PDFium minutes: 100 000 dashed lines across the page."""
    return pdf_page(b"[1 1] 0 d 0 0 m 600 800 l 600 0 l 0 800 l S\n" * 100_000)


def nested_pdf(depth: int = 8, fan: int = 30) -> bytes:
    """A small PDF that takes PDFium all memory there is: forms that each draw another one ``fan`` times."""
    forms = []
    for number in range(5, 5 + depth):
        last = number == 4 + depth
        inner = b"0 0 10 10 re f\n" * fan if last else b"/F Do\n" * fan
        refers = b"" if last else b"/Resources<</XObject<</F %d 0 R>>>>" % (number + 1)
        forms.append(
            b"<</Type/XObject/Subtype/Form/BBox[0 0 600 800]%s/Length %d>>stream\n%s\nendstream"
            % (refers, len(inner), inner)
        )
    return pdf_page(b"/F Do\n" * fan, *forms, resources=b"/XObject<</F 5 0 R>>")
