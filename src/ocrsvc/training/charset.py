"""The characters that our recognisers can write, in class order.

GB 2312 and levels 1 and 2 of the Table of General Standard Chinese Characters (6 500), ASCII, CJK punctuation,
common units and symbols. Full-width ASCII is *not* a class: labels are folded to half width (see ``canonical``),
except for the punctuation whose width carries meaning in Chinese text. Class 0 is the CTC blank, the space is last.
"""

from __future__ import annotations

import bz2
import hashlib
from pathlib import Path

CHARSET_FILE = Path(__file__).with_name("charset.txt")
UNIHAN_MAPPINGS = Path("/usr/share/unicode/Unihan_OtherMappings.txt.bz2")  # Debian package unicode-data

ASCII = "".join(chr(code) for code in range(0x21, 0x7F))
CJK_PUNCTUATION = "，。、；：？！（）《》〈〉“”‘’【】〔〕「」『』—…·～￥〇々"
SYMBOLS = "℃°±×÷‰²³№①②③④⑤⑥⑦⑧⑨⑩√☑□■○●◆★☆→←↑↓△▲▽▼※§©®™€£¥≤≥≠≈∞ΩμαβγπΦφδΔλθηκρσωⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩ㎡•½¼"

# Look-alikes that a label may use for one printed sign; the canonical form is the one that we write.
_FOLD = {
    **{chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F) if chr(code) not in "，；：？！（）～"},
    "\u3000": " ",
    "\u00a0": " ",
    "¥": "￥",
    "–": "-",
    "−": "-",
    "－": "-",
    "―": "—",
    "─": "—",
    "∶": "：",
    "〜": "～",
    "•": "·",
    "・": "·",
    "‧": "·",
    "˙": "·",
    "\u2126": "Ω",  # the ohm sign
    "µ": "μ",
    "´": "'",
    "‐": "-",
    "℉": "°F",
    "⋯": "…",
}  # fmt: skip


def canonical(text: str) -> str:
    """``text`` with every look-alike replaced by the form that our models write; runs of spaces become one."""
    return " ".join("".join(_FOLD.get(character, character) for character in text).split())


def build(unihan: Path = UNIHAN_MAPPINGS) -> str:
    """The charset from its sources: Python's GB 2312 codec and Unihan's ``kTGH`` (Debian package unicode-data)."""
    gb2312 = []
    for row in range(0xB0, 0xF8):
        for cell in range(0xA1, 0xFF):
            try:
                gb2312.append(bytes((row, cell)).decode("gb2312"))
            except UnicodeDecodeError:
                continue
    standard = []
    with bz2.open(unihan, "rt", encoding="utf-8") as lines:
        for line in lines:
            fields = line.split("\t")
            if len(fields) == 3 and fields[1] == "kTGH" and int(fields[2].strip().split(":")[1]) <= 6500:
                standard.append(chr(int(fields[0][2:], 16)))
    signs = [c for c in ASCII + CJK_PUNCTUATION + SYMBOLS if _FOLD.get(c, c) == c]
    return "".join(dict.fromkeys([*signs, *gb2312, *standard])) + " "


def load() -> str:
    """The committed charset: class ``i`` is character ``i - 1`` of the string, class 0 the CTC blank."""
    return CHARSET_FILE.read_text(encoding="utf-8").rstrip("\n")


def digest(charset: str) -> str:
    """SHA-256 of the charset's UTF-8 bytes, as manifests carry it."""
    return hashlib.sha256(charset.encode("utf-8")).hexdigest()


if __name__ == "__main__":
    CHARSET_FILE.write_text(build() + "\n", encoding="utf-8")
    print(f"{len(load())} characters, sha256 {digest(load())}")
