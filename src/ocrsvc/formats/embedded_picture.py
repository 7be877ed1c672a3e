"""Pictures as image objects of a PDF, without loss, and where possible as the very bytes of the file.

JPEG stays JPEG. The compressed pixels of PNG without transparency and of TIFF in one strip of CCITT group 4 mean the
same in a PDF. Everything else is decoded: pictures of one bit become group 4, others compressed as PNG compresses;
transparency becomes a mask.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ocrsvc.errors import UndecodableImage, reason

if TYPE_CHECKING:
    from PIL import Image

_ORIENTATION = 0x0112  # EXIF tag
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 259, 262, 266
_STRIP_OFFSETS, _STRIP_BYTES, _ROWS_PER_STRIP = 273, 279, 278
_GROUP_4, _BLACK_IS_ZERO = 4, 1
_PNG_HEAD = struct.Struct(">IIBBBBB")
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1}  # of the colour types without transparency
_COLOUR_SPACES = {"1": "DeviceGray", "L": "DeviceGray", "RGB": "DeviceRGB", "CMYK": "DeviceCMYK"}
_DPI = 200.0  # of a picture that does not say it: at which the service draws PDFs
_LEAST_DPI, _MOST_DPI = 73.0, 4800.0  # others are placeholders, such as the 72 of cameras, or mistakes


@dataclass(frozen=True, slots=True)
class EmbeddedPicture:
    """One picture: encoded ``data`` with the members of its dictionary, in plain values; strings are names.

    ``size`` in pixels and ``dpi`` as stored, before ``orientation`` (EXIF, 1 to 8) is applied. ``palette``: colours of
    an indexed picture. ``icc``: its colour profile. ``mask``: its opacity.
    """

    data: bytes = field(repr=False)
    size: tuple[int, int]
    members: dict[str, Any]
    dpi: tuple[float, float]
    orientation: int = 1
    palette: bytes = b""
    icc: bytes = field(default=b"", repr=False)
    mask: EmbeddedPicture | None = None


def embedded(data: bytes, page: int) -> EmbeddedPicture:
    """Return page ``page`` (from 1) of a picture file; raises UndecodableImage."""
    try:
        with _opened(data) as image:
            if page > 1 or image.format == "TIFF":
                image.seek(page - 1)
            return _embedded(data, image)
    except Exception as error:  # codecs raise many kinds of errors on damaged bytes
        raise UndecodableImage(f"The picture cannot be put into a PDF: {reason(error)}.") from error


def _opened(data: bytes) -> Image.Image:
    from PIL import Image

    for name in ("pi_heif", "pillow_heif"):
        if data[4:8] == b"ftyp" and b"avif" not in data[8:32] and find_spec(name):
            heic: Image.Image = import_module(name).HeifImageFile(io.BytesIO(data))
            return heic
    return Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF"))


def _embedded(data: bytes, image: Image.Image) -> EmbeddedPicture:
    dpi = _dpi(image)
    if image.format in ("JPEG", "MPO") and _is_plain_jpeg(data):
        members: dict[str, Any] = {"Filter": "DCTDecode", "BitsPerComponent": 8}
        members["ColorSpace"] = _COLOUR_SPACES[image.mode]
        if image.mode == "CMYK" and "adobe" in image.info:
            members["Decode"] = [1, 0] * 4
        return EmbeddedPicture(data, image.size, members, dpi, _orientation(image), icc=_profile(image))
    if image.format == "PNG" and (found := _png(data, image, dpi)) is not None:
        return found
    if image.format == "TIFF" and (found := _group_4(data, image, dpi)) is not None:
        return found
    # Pillow turns a TIFF upright by itself when it loads it, HEIC is turned already.
    orientation = _orientation(image)
    if image.format == "TIFF":
        dpi = dpi[::-1] if orientation > 4 else dpi
        orientation = 1
    return _decoded(image, dpi, orientation)


def _decoded(image: Image.Image, dpi: tuple[float, float], orientation: int) -> EmbeddedPicture:
    icc = _profile(image)
    image.load()
    mask = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        mask = _of_pixels(image.getchannel("A"), dpi)
        image = image.convert("RGB")
    elif image.mode == "CMYK":
        members = {"Filter": "FlateDecode", "BitsPerComponent": 8, "ColorSpace": "DeviceCMYK"}
        return EmbeddedPicture(zlib.compress(image.tobytes()), image.size, members, dpi, orientation, icc=icc)
    elif image.mode in ("F", "I"):
        image = image.convert("L")
    elif image.mode not in ("1", "L", "RGB", "I;16"):
        image = image.convert("RGB")
    found = _of_pixels(image, dpi)
    if _channels(icc) not in (0, 1 if image.mode != "RGB" else 3):
        icc = b""
    return EmbeddedPicture(found.data, found.size, found.members, dpi, orientation, found.palette, icc, mask)


def _of_pixels(image: Image.Image, dpi: tuple[float, float]) -> EmbeddedPicture:
    """Return a decoded picture of mode 1, L, RGB or I;16."""
    from PIL import Image

    buffer = io.BytesIO()
    if image.mode == "1":
        image.save(buffer, "TIFF", compression="group4", tiffinfo={_ROWS_PER_STRIP: image.height})
        find = _group_4
    else:
        image.save(buffer, "PNG")
        find = _png
    with Image.open(io.BytesIO(buffer.getvalue())) as saved:
        found = find(buffer.getvalue(), saved, dpi)
    if found is None:
        raise ValueError(f"a picture of mode {image.mode}")
    return found


def _png(data: bytes, image: Image.Image, dpi: tuple[float, float]) -> EmbeddedPicture | None:
    """Return the compressed pixels of a PNG as they are; None if it is interlaced or transparent."""
    chunks: list[bytes] = []
    palette, head = b"", None
    place = 8
    while place + 8 <= len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        kind, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + size]
        place += size + 12
        if kind == b"IHDR":
            head = _PNG_HEAD.unpack_from(body)
        elif kind == b"PLTE":
            palette = body
        elif kind == b"tRNS":
            return None
        elif kind == b"IDAT":
            chunks.append(body)
        elif kind == b"IEND":
            break
    if head is None or not chunks:
        return None
    width, height, bits, colours, _, _, interlaced = head
    channels = _PNG_CHANNELS.get(colours)
    if channels is None or interlaced or (colours == 3 and not palette):
        return None
    parameters = {"Predictor": 15, "Colors": channels, "BitsPerComponent": bits, "Columns": width}
    members = {"Filter": "FlateDecode", "BitsPerComponent": bits, "DecodeParms": parameters}
    members["ColorSpace"] = "DeviceRGB" if colours == 2 else "DeviceGray"
    icc = _profile(image)
    if _channels(icc) != (3 if colours else 1):
        icc = b""
    orientation = _orientation(image) if "exif" in image.info else 1
    own = palette if colours == 3 else b""
    return EmbeddedPicture(
        b"".join(chunks), (width, height), members, dpi, orientation, own, icc if not own else b""
    )


def _group_4(data: bytes, image: Image.Image, dpi: tuple[float, float]) -> EmbeddedPicture | None:
    """Return the strip of a TIFF of CCITT group 4 as it is; None if it has several or another compression."""
    tags: Any = image.tag_v2  # type: ignore[attr-defined]
    offsets, sizes = tags.get(_STRIP_OFFSETS, ()), tags.get(_STRIP_BYTES, ())
    plain = tags.get(_COMPRESSION) == _GROUP_4 and tags.get(_FILL_ORDER, 1) == 1
    if not plain or len(offsets) != 1 or len(sizes) != 1 or tags.get(_BITS, (1,)) not in (1, (1,)):
        return None
    width, height = int(tags[_WIDTH]), int(tags[_HEIGHT])
    strip = data[offsets[0] : offsets[0] + sizes[0]]
    if len(strip) != sizes[0] or not strip:
        return None
    black_is_1 = tags.get(_PHOTOMETRIC) == _BLACK_IS_ZERO
    parameters = {"K": -1, "Columns": width, "Rows": height, "BlackIs1": black_is_1}
    members = {
        "Filter": "CCITTFaxDecode",
        "BitsPerComponent": 1,
        "ColorSpace": "DeviceGray",
        "DecodeParms": parameters,
    }
    return EmbeddedPicture(strip, (width, height), members, dpi, int(tags.get(_ORIENTATION, 1)))


def _is_plain_jpeg(data: bytes) -> bool:
    """Return whether this is a baseline or progressive JPEG of 8 bits, the kinds that a PDF may hold."""
    place = 2
    while (found := re.compile(b"\xff+([\x01-\xfe])").search(data, place)) is not None:
        marker = found[1][0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return marker <= 0xC2 and data[found.end() + 2 : found.end() + 3] == b"\x08"
        if marker == 0xDA:
            break
        place = found.end()
        if not (0xD0 <= marker <= 0xD8 or marker == 0x01):
            place += int.from_bytes(data[place : place + 2], "big")
    return False


def _orientation(image: Image.Image) -> int:
    try:
        found = int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF data must not prevent it
        return 1
    return found if 1 <= found <= 8 else 1


def _dpi(image: Image.Image) -> tuple[float, float]:
    try:
        across, down = (float(each) for each in image.info.get("dpi", ()))
    except (TypeError, ValueError, ZeroDivisionError):
        return _DPI, _DPI
    if not (_LEAST_DPI <= across <= _MOST_DPI and _LEAST_DPI <= down <= _MOST_DPI):
        return _DPI, _DPI
    return across, down


def _profile(image: Image.Image) -> bytes:
    """Return the colour profile of a picture; empty if it has none, or none that fits."""
    icc = image.info.get("icc_profile") or b""
    fits = {"L": 1, "RGB": 3, "CMYK": 4}.get(image.mode) == _channels(icc)
    return bytes(icc) if fits else b""


def _channels(icc: bytes) -> int:
    if len(icc) < 132 or icc[36:40] != b"acsp":
        return 0
    return {b"GRAY": 1, b"RGB ": 3, b"CMYK": 4}.get(icc[16:20], 0)
