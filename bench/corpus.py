"""Drawn files and messages of every kind that the service takes, and how to damage them.

Nothing here comes from elsewhere: pictures are drawn, PDFs written, templates and forms made up.
"""

from __future__ import annotations

import base64
import io
import json
import random
import re
import runpy
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import exchange
import numbers_drawn
import numpy as np
import pikepdf
from PIL import Image

Seeds = Mapping[str, Sequence[bytes]]  # files of each kind

_MOST_BYTES = 400_000  # a file that grows beyond is cut
_INTERESTING = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x10000,
    2**31 - 1,
    2**31,
    2**32 - 1,
)
_TOKENS = (
    b"\0", b"\xff\xd8", b"\xff\xda", b"<<", b">>", b"stream\r\n", b"endobj", b"/Filter", b"/Length -1", b"obj", b"[",
    b"{", b"}", b'"', b"\\u0000", b"\\ud800", b"1e999", b"-0", b"NaN", b"null", b"\r\n\r\n", b"--", b"%00",
    b"\xf0\x9f\x98\x80",
)  # fmt: skip
_NUMBER = re.compile(rb"\d+")
_HEIC = Path(__file__).parents[1] / "tests" / "heic_samples.py"


@cache
def seeds() -> Seeds:
    """Return whole files and messages by kind."""
    return {**_pictures(), "PDF": _pdfs(), "json": _json_bodies(), "form": [_form()], "regions": _regions()}


@cache
def templates() -> Sequence[bytes]:
    """Return templates of forms as JSON."""
    box = {"box": [0.1, 0.1, 0.6, 0.3]}
    anchor = {**box, "text": "合计 TOTAL", "tolerance": 0.2, "similarity": 0.8}
    region = {**box, "name": "total", "type": "amount"}
    corners = [[10, 10], [90, 12], [90, 40], [10, 38]]
    pixels = {"polygon": corners, "unit": "pixel", "name": "no", "charset": "digits", "page": 1}
    whole = {
        "anchors": [anchor],
        "regions": [region, pixels],
        "name": "receipt",
        "page": {"width": 100, "height": 60},
        "ignore": [box],
        "least_anchors": 1,
    }
    return [
        json.dumps(each, ensure_ascii=False).encode()
        for each in (whole, {"anchors": [anchor], "regions": [region]})
    ]


def damaged(rng: random.Random, kind: str, files: Sequence[bytes]) -> bytes:
    """Return one of the files with some damage; the check sums of a PNG are often made to fit again."""
    data = bytearray(rng.choice(files))
    for _ in range(1 + int(rng.expovariate(0.6))):
        rng.choice(_DAMAGES)(rng, data, files)
    data = data[:_MOST_BYTES]
    return _with_check_sums(data) if kind == "PNG" and rng.random() < 0.7 else bytes(data)


def _flip(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _head(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:  # sizes and tables are at the beginning
        data[rng.randrange(min(len(data), 64))] = rng.randrange(256)


def _integer(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    form = rng.choice(("<H", ">H", "<I", ">I"))
    size = struct.calcsize(form)
    if len(data) > size:
        place = rng.randrange(len(data) - size)
        value = rng.choice(_INTERESTING) % 2 ** (8 * size)
        struct.pack_into(form, data, place, value)


def _cut(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    first, last = _span(rng, data)
    del data[first:last]


def _repeat(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    first, last = _span(rng, data)
    data[first:first] = data[first:last] * rng.choice((1, 1, 2, 50))


def _truncate(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _splice(rng: random.Random, data: bytearray, files: Sequence[bytes]) -> None:
    other = rng.choice(files)
    data[rng.randrange(len(data) + 1) :] = other[rng.randrange(len(other)) :]


def _noise(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    first, last = _span(rng, data)
    data[first:last] = rng.randbytes(last - first)


def _token(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    place = rng.randrange(len(data) + 1)
    data[place:place] = rng.choice(_TOKENS) * rng.choice((1, 1, 1, 300))


def _written_number(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    places = [found.span() for found in _NUMBER.finditer(data)]
    if places:
        first, last = rng.choice(places)
        data[first:last] = str(rng.choice((*_INTERESTING, -1, 10**30))).encode()


_DAMAGES: tuple[Callable[[random.Random, bytearray, Sequence[bytes]], None], ...] = (
    _flip, _flip, _head, _integer, _integer, _cut, _repeat, _truncate, _splice, _noise, _token, _written_number,
)  # fmt: skip


def _span(rng: random.Random, data: bytearray) -> tuple[int, int]:
    first = rng.randrange(len(data) + 1)
    return first, min(len(data), first + int(rng.expovariate(1 / 20)))


def _with_check_sums(data: bytearray) -> bytes:
    """Return a PNG with right check sums, or the damage would be seen before any decoder sees it."""
    place = 8
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        end = place + 8 + length
        if end + 4 > len(data):
            break
        data[end : end + 4] = zlib.crc32(data[place + 4 : end]).to_bytes(4, "big")
        place = end + 4
    return bytes(data)


def line() -> Image.Image:
    """Return a line of digits in colour."""
    grey = Image.fromarray(numbers_drawn.drawn("0123456789", 0))
    return Image.merge("RGB", [grey, grey.point(lambda value: value // 2 + 127), grey])


def _encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _pictures() -> dict[str, list[bytes]]:
    whole, grey = line(), line().convert("L")
    bitmap = grey.convert("1")
    others = {"save_all": True, "append_images": [whole.transpose(Image.Transpose.ROTATE_180), whole]}
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    real = Image.fromarray(np.asarray(grey).astype(np.float32) / 255)
    exif = Image.Exif()
    exif[0x0112] = 6
    clear = whole.convert("RGBA")
    clear.putalpha(grey.point(lambda value: 255 - value))
    heic = runpy.run_path(str(_HEIC))
    return {
        "PNG": [
            _encoded(whole, "PNG"), _encoded(clear, "PNG"), _encoded(whole.quantize(8), "PNG", transparency=0),
            _encoded(bitmap, "PNG"), _encoded(deep, "PNG"), _encoded(whole, "PNG", **others),
        ],
        "JPEG": [
            _encoded(whole, "JPEG", exif=exif), _encoded(whole, "JPEG", progressive=True, subsampling=0),
            _encoded(whole.convert("CMYK"), "JPEG"), _encoded(grey, "JPEG", restart_marker_rows=1),
        ],
        "WebP": [_encoded(whole, "WebP"), _encoded(clear, "WebP", lossless=True), _encoded(whole, "WebP", **others)],
        "BMP": [_encoded(whole, "BMP"), _encoded(bitmap, "BMP"), _encoded(whole.quantize(8), "BMP")],
        "GIF": [_encoded(whole, "GIF"), _encoded(whole, "GIF", duration=50, **others)],
        "TIFF": [
            *(_encoded(whole, "TIFF", compression=name) for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg")),
            *(_encoded(bitmap, "TIFF", compression=name) for name in ("group3", "group4", "packbits")),
            _encoded(whole, "TIFF", **others), _encoded(deep, "TIFF"), _encoded(real, "TIFF"),
            _encoded(whole, "TIFF", big_tiff=True),
        ],
        "AVIF": [_encoded(whole, "AVIF", speed=10), _encoded(clear, "AVIF", speed=10)],
        "HEIC": [heic["UPRIGHT"], heic["TURNED"]],
    }  # fmt: skip


def _pdfs() -> list[bytes]:
    text = b"BT /F 14 Tf 20 60 Td (Total 1,024.50) Tj T* [(a) -250 (b)] TJ ET"
    form = b"q 1 0 0 1 20 20 cm /X Do Q 0 0 9 9 re f [2 1] 0 d 0 0 m 90 90 l S /I Do"
    pages = []
    for content, options in (
        (text, {}),
        (text + b"\n" + form, {"object_stream_mode": pikepdf.ObjectStreamMode.generate}),
        (text + b"\n" + form, {"compress_streams": False}),
        (text, {"encryption": pikepdf.Encryption(owner="o", user="", R=6)}),
    ):
        with pikepdf.new() as document:
            page = document.add_blank_page(page_size=(220, 100))
            font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1)
            font["/BaseFont"] = pikepdf.Name.Helvetica
            inner = document.make_stream(b"1 0 0 rg 0 0 30 10 re f", Type=pikepdf.Name.XObject)
            inner.Subtype, inner.BBox = pikepdf.Name.Form, pikepdf.Array([0, 0, 30, 10])
            picture = pikepdf.Stream(document, _encoded(line(), "JPEG"))
            picture.Type, picture.Subtype = pikepdf.Name.XObject, pikepdf.Name.Image
            picture.Width, picture.Height = line().size
            picture.ColorSpace, picture.BitsPerComponent = pikepdf.Name.DeviceRGB, 8
            picture.Filter = pikepdf.Name.DCTDecode
            page.Resources = pikepdf.Dictionary(
                Font=pikepdf.Dictionary(F=font), XObject=pikepdf.Dictionary(X=inner, I=picture)
            )
            page.Contents = document.make_stream(content)
            buffer = io.BytesIO()
            document.save(buffer, **options)
            pages.append(buffer.getvalue())
    return [*pages, _encoded(line(), "PDF", save_all=True, append_images=[line().convert("L")])]


def _json_bodies() -> list[bytes]:
    picture = base64.b64encode(_encoded(line(), "PNG")).decode()
    regions = json.loads(_regions()[0])
    asked = {"charset": "digits", "n_best": 3, "granularity": "char", "layout": "tables", "pages": "1"}
    bodies: list[dict[str, Any]] = [
        {"image": picture},
        {"image": f"data:image/png;base64,{picture}", "regions": regions, **asked},
        {
            "image": {"file": "图片.png", "image": picture},
            "ignore": [{"box": [0, 0.9, 1, 1]}],
            "mode": "line",
        },
    ]
    return [json.dumps(body, ensure_ascii=index == 1).encode() for index, body in enumerate(bodies)]


def _form() -> bytes:
    body, _ = exchange.form(
        [
            ("image", "图片.png", _encoded(line(), "PNG")),
            ("mode", None, b"line"),
            ("charset", None, b"chars:0123456789X"),
            ("regions", None, _regions()[0]),
        ]
    )
    return body


def _regions() -> list[bytes]:
    box = {"name": "a", "box": [0, 0, 0.5, 1], "charset": "digits", "page": 1}
    corners = [[1, 1], [99, 2], [98, 30], [2, 29]]
    polygon = {"name": "b", "polygon": corners, "unit": "pixel", "type": "date"}
    return [json.dumps([box, polygon]).encode(), json.dumps([box]).encode()]
