"""A font without visible shapes for the invisible text of PDFs, with two widths and any characters.

Each character of a document gets a number of its own (CID) in the order of its first use, and the table ToUnicode says
what it means, so that any text can be copied and found. All characters share two glyphs, of half an em and, for what is
as wide as a Chinese character, of a whole em. A glyph is a line without area from corner to corner: PDFium overlooks
turned text of glyphs without bounds.
"""

from __future__ import annotations

import itertools
import struct
import unicodedata
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pikepdf

NAME = "OcrsvcGlyphless"
_EM = 1000
ASCENT, DESCENT = 800, -200  # in thousandths of an em; together the height of a line
_WIDTHS = (500, 1000)  # of the two glyphs; glyph 0, for what is missing, is as the first
_MOST_BFCHARS = 100  # in one block of a CMap, by its specification


def is_wide(text: str) -> bool:
    """Return whether a character takes a whole em."""
    return unicodedata.east_asian_width(text[:1]) in ("W", "F")


def width_of(text: str) -> float:
    """Return the width of a character in em."""
    return _WIDTHS[is_wide(text)] / _EM


class GlyphlessFont:
    """The font of one document; it grows with the characters that are asked for."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def encode(self, texts: tuple[str, ...]) -> bytes:
        """Return the characters as the operand of Tj, two bytes each in hexadecimal digits."""
        numbers = (self._numbers.setdefault(text, len(self._numbers) + 1) for text in texts)
        return b"<" + b"".join(b"%04x" % number for number in numbers) + b">"

    def add_to(self, pdf: pikepdf.Pdf, font: pikepdf.Object) -> None:
        """Complete ``font``, an empty dictionary of ``pdf``, once all characters are known."""
        from pikepdf import Array, Dictionary, Name, String

        file = pdf.make_stream(zlib.compress(font_file()), Filter=Name.FlateDecode, Length1=len(font_file()))
        descriptor = Dictionary(
            Type=Name.FontDescriptor,
            FontName=Name("/" + NAME),
            Flags=4,
            FontBBox=[0, DESCENT, _WIDTHS[1], ASCENT],
            ItalicAngle=0,
            Ascent=ASCENT,
            Descent=DESCENT,
            CapHeight=ASCENT,
            StemV=80,
            FontFile2=file,
        )
        wide = [number for text, number in self._numbers.items() if is_wide(text)]
        glyphs = bytearray(struct.pack(">H", 0) + struct.pack(">H", 1) * len(self._numbers))
        for number in wide:
            struct.pack_into(">H", glyphs, 2 * number, 2)
        descendant = Dictionary(
            Type=Name.Font,
            Subtype=Name.CIDFontType2,
            BaseFont=Name("/" + NAME),
            CIDSystemInfo=Dictionary(Registry=String("Adobe"), Ordering=String("Identity"), Supplement=0),
            FontDescriptor=pdf.make_indirect(descriptor),
            DW=_WIDTHS[0],
            W=Array([entry for number in wide for entry in (number, Array([_WIDTHS[1]]))]),
            CIDToGIDMap=pdf.make_stream(zlib.compress(bytes(glyphs)), Filter=Name.FlateDecode),
        )
        table = pdf.make_stream(zlib.compress(self._to_unicode()), Filter=Name.FlateDecode)
        font.Type = Name.Font
        font.Subtype = Name.Type0
        font.BaseFont = Name("/" + NAME)
        font.Encoding = Name("/Identity-H")
        font.DescendantFonts = Array([pdf.make_indirect(descendant)])
        font.ToUnicode = table

    def _to_unicode(self) -> bytes:
        lines = [
            b"/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
            b"/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n"
            b"/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
            b"1 begincodespacerange\n<0000> <ffff>\nendcodespacerange\n"
        ]
        pairs = [
            b"<%04x> <%s>\n" % (number, text.encode("utf-16-be", "replace").hex().encode())
            for text, number in self._numbers.items()
        ]
        for first in range(0, len(pairs), _MOST_BFCHARS):
            some = pairs[first : first + _MOST_BFCHARS]
            lines.append(b"%d beginbfchar\n%sendbfchar\n" % (len(some), b"".join(some)))
        lines.append(b"endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n")
        return b"".join(lines)


def font_file() -> bytes:
    """Return the font as TrueType, with the tables that a PDF needs and three glyphs."""
    advances = (_WIDTHS[0], *_WIDTHS)
    glyphs = [_glyph(advance) for advance in advances]
    places = itertools.accumulate(map(len, glyphs), initial=0)
    tables = {
        b"glyf": b"".join(glyphs),
        b"head": struct.pack(
            ">IIIIHHQQhhhhHHhhh",
            0x00010000,
            0x00010000,
            0,  # the checksum of the file, which no reader of PDFs checks
            0x5F0F3CF5,
            0b11,
            _EM,
            0,
            0,
            0,
            DESCENT,
            _WIDTHS[1],
            ASCENT,
            0,
            8,
            2,
            0,
            0,
        ),
        b"hhea": struct.pack(
            ">IhhhHhhhhhhhhhhhH", 0x00010000, ASCENT, DESCENT, 0, _WIDTHS[1], *[0] * 11, len(advances)
        ),
        b"hmtx": b"".join(struct.pack(">Hh", advance, 0) for advance in advances),
        b"loca": b"".join(struct.pack(">H", place // 2) for place in places),
        b"maxp": struct.pack(">IHHHHHHHHHHHHHH", 0x00010000, len(advances), 2, 1, 0, 0, 2, *[0] * 8),
    }
    return _sfnt(tables)


def _glyph(advance: int) -> bytes:
    """Return a glyph of one contour with two points, the corners of its bounds."""
    bounds = struct.pack(">hhhhh", 1, 0, DESCENT, advance, ASCENT)
    on_curve = 1
    return bounds + struct.pack(">HHBBhhhh", 1, 0, on_curve, on_curve, 0, advance, DESCENT, ASCENT - DESCENT)


def _sfnt(tables: dict[bytes, bytes]) -> bytes:
    power = len(tables).bit_length() - 1
    head = struct.pack(
        ">IHHHH", 0x00010000, len(tables), 16 << power, power, 16 * len(tables) - (16 << power)
    )
    place = len(head) + 16 * len(tables)
    entries, bodies = b"", b""
    for tag, body in sorted(tables.items()):
        padded = body + bytes(-len(body) % 4)
        total = sum(struct.unpack(f">{len(padded) // 4}I", padded)) & 0xFFFFFFFF
        entries += struct.pack(">4sIII", tag, total, place + len(bodies), len(body))
        bodies += padded
    return head + entries + bodies
