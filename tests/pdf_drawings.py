"""PDFs that the tests write by hand: text in several ways, scans, forms, encryption."""

from __future__ import annotations

import hashlib
import io
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drawings import Picture, pdf_of
from PIL import Image

CHINESE = (
    b"<</Type/Font/Subtype/Type0/BaseFont/STSong-Light/Encoding/UniGB-UCS2-%s/DescendantFonts"
    b"[<</Type/Font/Subtype/CIDFontType0/BaseFont/STSong-Light/DW 1000"
    b"/CIDSystemInfo<</Registry(Adobe)/Ordering(GB1)/Supplement 4>>>>]>>"
)  # drawn with a font of the machine; H for horizontal, V for vertical text
HELVETICA = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"


@dataclass(frozen=True)
class PdfPage:
    """One page: its operators, its size in points, its resources and further members of its dictionary."""

    operators: bytes
    size: tuple[int, int] = (600, 800)
    resources: bytes = b""
    members: bytes = b""


def stream(content: bytes, members: bytes = b"") -> bytes:
    """A stream object with this content."""
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (members, len(content), content)


def pdf(pages: Sequence[PdfPage], objects: Sequence[bytes] = (HELVETICA,), catalogue: bytes = b"") -> bytes:
    """A PDF of these pages. ``objects`` are numbered from 3 on, and the first is the font /F of every page."""
    first = 3 + len(objects)
    kids = b" ".join(b"%d 0 R" % (first + 2 * i) for i in range(len(pages)))
    written = [
        b"<</Type/Catalog/Pages 2 0 R%s>>" % catalogue,
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, len(pages)),
        *objects,
    ]
    for i, page in enumerate(pages):
        written.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %d %d]/Contents %d 0 R/Resources<</Font<</F 3 0 R>>%s>>%s>>"
            % (*page.size, first + 2 * i + 1, page.resources, page.members)
        )
        written.append(stream(zlib.compress(page.operators), b"/Filter/FlateDecode"))
    return pdf_of(written)


def text(line: str, x: float, y: float, *, size: float = 14, mode: int = 0) -> bytes:
    """Operators that write a line of Latin letters at this place in points; ``mode`` 3 is invisible."""
    escaped = re.sub(r"([\\()])", r"\\\1", line).encode("cp1252")
    return b"BT /F %g Tf %d Tr 1 0 0 1 %g %g Tm (%s) Tj ET\n" % (size, mode, x, y, escaped)


def chinese(line: str, x: float, y: float, *, size: float = 20) -> bytes:
    """Operators that write a line in the font ``CHINESE``."""
    return b"BT /F %g Tf 1 0 0 1 %g %g Tm <%s> Tj ET\n" % (
        size,
        x,
        y,
        line.encode("utf-16-be").hex().encode(),
    )


def column(
    lines: Sequence[str], *, x: float = 60, top: float = 720, size: float = 14, mode: int = 0
) -> bytes:
    """Operators that write lines below each other."""
    return b"".join(text(line, x, top - 2 * size * i, size=size, mode=mode) for i, line in enumerate(lines))


def with_to_unicode(mapping: Mapping[int, int | str]) -> tuple[bytes, bytes]:
    """Helvetica with a ToUnicode table from codes to characters, as objects 3 and 4."""
    texts = {code: chr(each) if isinstance(each, int) else each for code, each in mapping.items()}
    pairs = b"".join(
        b"<%02x><%s>\n" % (code, each.encode("utf-16-be").hex().encode()) for code, each in texts.items()
    )
    table = (
        b"/CIDInit/ProcSet findresource begin 12 dict begin begincmap/CMapName/T def/CMapType 2 def\n"
        b"1 begincodespacerange<00><ff>endcodespacerange\n%d beginbfchar\n%sendbfchar\n"
        b"endcmap CMapName currentdict/CMap defineresource pop end end" % (len(mapping), pairs)
    )
    return HELVETICA[:-2] + b"/ToUnicode 4 0 R>>", stream(table)


def jpeg_object(picture: Picture, quality: int = 92) -> bytes:
    """A picture as an image object, stored as JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(picture[:, :, ::-1]).save(buffer, "JPEG", quality=quality)
    height, width = picture.shape[:2]
    return image_object(buffer.getvalue(), (width, height), b"/Filter/DCTDecode/ColorSpace/DeviceRGB")


def image_object(content: bytes, size: tuple[int, int], members: bytes, bits: int = 8) -> bytes:
    """An image object of these encoded bytes."""
    kind = b"/Type/XObject/Subtype/Image/Width %d/Height %d/BitsPerComponent %d" % (*size, bits)
    return stream(content, kind + members)


def show(number: int, left: float, bottom: float, width: float, height: float) -> tuple[bytes, bytes]:
    """Operators that show the image object of this number there, and the resource that names it."""
    operators = b"q %g 0 0 %g %g %g cm /I%d Do Q\n" % (width, height, left, bottom, number)
    return operators, b"/XObject<</I%d %d 0 R>>" % (number, number)


def scan(picture: Picture, dpi: float, *, hidden: bytes = b"") -> bytes:
    """A PDF of one page that a picture fills at this resolution, with ``hidden`` operators below it."""
    height, width = picture.shape[:2]
    size = (round(width * 72 / dpi), round(height * 72 / dpi))
    operators, resources = show(4, 0, 0, *size)
    page = PdfPage(operators + hidden, size, resources)
    return pdf([page], [HELVETICA, jpeg_object(picture)])


def encrypted(password: str, *, line: str = "Secret text 42") -> bytes:
    """A PDF of one line that this password opens (standard security handler, revision 2: RC4 of 40 bits)."""
    padding = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")
    identifier, permissions = b"0123456789abcdef", -4
    padded = (password.encode("latin-1") + padding)[:32]
    owner = rc4(hashlib.md5(padded).digest()[:5], padded)  # noqa: S324
    key = hashlib.md5(owner_key(padded, owner, permissions, identifier)).digest()[:5]  # noqa: S324
    user = rc4(key, padding)
    content = column([line])
    own = hashlib.md5(key + (4).to_bytes(3, "little") + bytes(2)).digest()[:10]  # noqa: S324
    members = b"/Encrypt 6 0 R/ID[<%s><%s>]" % (identifier.hex().encode(), identifier.hex().encode())
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        stream(rc4(own, content)),
        HELVETICA,
        b"<</Filter/Standard/V 1/R 2/O<%s>/U<%s>/P %d>>"
        % (owner.hex().encode(), user.hex().encode(), permissions),
    ]
    return pdf_of(objects).replace(b"/Root 1 0 R", b"/Root 1 0 R" + members)


def owner_key(padded: bytes, owner: bytes, permissions: int, identifier: bytes) -> bytes:
    """What the key of a document is the digest of."""
    return padded + owner + permissions.to_bytes(4, "little", signed=True) + identifier


def rc4(key: bytes, data: bytes) -> bytes:
    """RC4, which is its own inverse."""
    box = list(range(256))
    j = 0
    for i in range(256):
        j = (j + box[i] + key[i % len(key)]) % 256
        box[i], box[j] = box[j], box[i]
    i = j = 0
    out = bytearray()
    for byte in data:
        i = (i + 1) % 256
        j = (j + box[i]) % 256
        box[i], box[j] = box[j], box[i]
        out.append(byte ^ box[(box[i] + box[j]) % 256])
    return bytes(out)
