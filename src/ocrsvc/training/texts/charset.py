"""The charset of our recognisers in class order, and the scripts of its characters.

The 7 158 characters of the first models come first: ASCII, CJK punctuation, units and symbols, GB 2312, levels 1 and 2
of the Table of General Standard Chinese Characters, and the space. ``ocrsvc train charset`` appended level 3 of that
table (names, places), Traditional Chinese (Big5 level 1, the Traditional forms of GB 2312 in mainland, Taiwan and Hong
Kong spelling, written Cantonese), kana and further signs, as far as PP-OCRv6 small has them. New characters are only
appended, so that class numbers keep their meaning. Class 0 is the CTC blank.

Full-width ASCII is not part of the charset: ``canonical`` folds it to half width, except for punctuation whose width
matters in Chinese text.
"""

from __future__ import annotations

import bz2
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ocrsvc.recognition.charsets import SCRIPTS_FILE

CHARSET_FILE = Path(__file__).with_name("charset.txt")
UNIHAN_MAPPINGS = Path("/usr/share/unicode/Unihan_OtherMappings.txt.bz2")  # Debian package unicode-data

ASCII = "".join(chr(code) for code in range(0x21, 0x7F))
CJK_PUNCTUATION = "，。、；：？！（）《》〈〉“”‘’【】〔〕「」『』—…·～￥〇々"
SYMBOLS = "℃°±×÷‰²³№①②③④⑤⑥⑦⑧⑨⑩√☑□■○●◆★☆→←↑↓△▲▽▼※§©®™€£¥≤≥≠≈∞ΩμαβγπΦφδΔλθηκρσωⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩ㎡•½¼"

FURTHER_SYMBOLS = (
    "⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳❶❷❸❹❺❻❼❽❾❿ⅪⅫⅰⅱⅲⅳⅴⅵⅶⅷⅸⅹ☐☒✓✘◇◎◐▶◀▷♀♂☎↔↕↖↗↘↙⇒⇔⁰¹⁴⁵⁶⁷⁸⁹⁺⁻ⁿ₀₁₂₃₄₅₆₇₈₉"
    "∑∏∫∮∂∈∉∅∩∪⊂⊃⊆⊇∀∃∝∟∠⊥∴∵≅≌≒≡≦≧≪≫⊕⊙εζξτψχΓΘΛΞΨÅ¢¤₩₹₽¶†‡〒〓♪"
)
# German, French, Spanish, Portuguese, Italian, Dutch, the Nordic languages, Polish, Czech, Slovak, Slovene, Croatian,
# Hungarian, Romanian, Turkish.
EUROPEAN = (
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿŒœ"
    "ĄąĆćĘęŁłŃńŚśŹźŻżČčĎďĚěŇňŘřŠšŤťŮůŽžĹĺĽľŔŕŐőŰűĂăȘșȚțĞğİıŞşĐđ«»¿"
)
CANTONESE = "嘅咗啲嚟佢冇咁嘢噉啱嘥瞓搵掟孖冚奀嗮踎脷氹邨埗啫"
_LEVELS = 6500, 8105  # last number of levels 2 and 3 of the Table of General Standard Chinese Characters

# Look-alikes in labels, and the canonical form that our models write.
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
    "✔": "✓",
    "✗": "✘",
    "Σ": "∑",
    "ţ": "ț",
    "Ţ": "Ț",
    "Π": "∏",
    "∆": "Δ",
    "⌀": "∅",
    "Å": "Å",  # the ångström sign
}  # fmt: skip


def canonical(text: str) -> str:
    """Return ``text`` with look-alikes replaced by the form that our models write and runs of spaces merged."""
    return " ".join("".join(_FOLD.get(character, character) for character in text).split())


def build(unihan: Path = UNIHAN_MAPPINGS, known: Iterable[str] | None = None) -> str:
    """Return the charset built from Python's codecs, Unihan's ``kTGH`` (Debian package unicode-data) and OpenCC.

    ``known``: the characters of the donor of new rows (default: PP-OCRv6 small); others are not appended.
    """
    signs = [c for c in ASCII + CJK_PUNCTUATION + SYMBOLS if _FOLD.get(c, c) == c]
    first = "".join(dict.fromkeys([*signs, *_gb2312(), *_standard(unihan, _LEVELS[0])])) + " "
    if known is None:
        from ocrsvc.training.nets import teacher

        known = teacher.load_head().characters
    further = [*_standard(unihan, _LEVELS[1]), *_traditional(), *_kana(), *FURTHER_SYMBOLS]
    writable = set(known)
    return "".join(dict.fromkeys([*first, *(c for c in further if c in writable)]))


def scripts(charset: str) -> dict[str, str]:
    """Return the characters of ``charset`` by script, named as in ``charset=``: hans, hant, kana, signs.

    Most Chinese characters are both in ``hans`` and in ``hant``.
    """
    traditional, simplified = set(_traditional()), {*_gb2312(), *_standard(UNIHAN_MAPPINGS, _LEVELS[1])}
    both = {"々", "〇"}
    wanted = {
        "hans": simplified | both,
        "hant": traditional | both,
        "kana": set(_kana()),
        "signs": set(SYMBOLS + FURTHER_SYMBOLS),
    }
    return {name: "".join(c for c in charset if c in characters) for name, characters in wanted.items()}


def _gb2312() -> list[str]:
    return list(_decoded("gb2312", range(0xB0, 0xF8), range(0xA1, 0xFF)))


def _standard(unihan: Path, last: int) -> list[str]:
    """Return the Table of General Standard Chinese Characters up to number ``last``, in Unicode order."""
    found = []
    with bz2.open(unihan, "rt", encoding="utf-8") as lines:
        for line in lines:
            fields = line.split("\t")
            if len(fields) == 3 and fields[1] == "kTGH" and int(fields[2].strip().split(":")[1]) <= last:
                found.append(chr(int(fields[0][2:], 16)))
    return found


def _traditional() -> list[str]:
    """Return Big5 level 1, the Traditional forms of GB 2312 in all three spellings, and written Cantonese."""
    import opencc

    level_1 = _decoded("big5", range(0xA4, 0xC7), [*range(0x40, 0x7F), *range(0xA1, 0xFF)])
    simplified = "\n".join(_gb2312())
    forms = "\n".join(opencc.OpenCC(name).convert(simplified) for name in ("s2t", "s2tw", "s2hk")).split("\n")
    found = [*level_1, *sorted(set(forms)), *CANTONESE]
    return [c for c in dict.fromkeys(found) if len(c) == 1 and "\u3400" <= c <= "\u9fff"]


def _kana() -> list[str]:
    return [
        *map(chr, [*range(0x3041, 0x3097), 0x309D, 0x309E, *range(0x30A1, 0x30FB), 0x30FC, 0x30FD, 0x30FE])
    ]


def _decoded(codec: str, leads: Iterable[int], trails: Iterable[int]) -> Iterator[str]:
    """Yield the characters of a two-byte code, in its order; gaps are left out."""
    cells = list(trails)
    for lead in leads:
        for trail in cells:
            try:
                yield bytes((lead, trail)).decode(codec)
            except UnicodeDecodeError:
                continue


def load() -> str:
    """Return the committed charset: class ``i`` is character ``i - 1`` of the string, class 0 the CTC blank."""
    return CHARSET_FILE.read_text(encoding="utf-8").rstrip("\n")


def digest(charset: str) -> str:
    """Return the SHA-256 of the charset's UTF-8 bytes, as manifests store it."""
    return hashlib.sha256(charset.encode("utf-8")).hexdigest()


if __name__ == "__main__":
    characters = build()
    CHARSET_FILE.write_text(characters + "\n", encoding="utf-8")
    listed: Mapping[str, str] = scripts(characters)
    SCRIPTS_FILE.write_text(json.dumps(listed, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"{len(load())} characters, sha256 {digest(load())}")
