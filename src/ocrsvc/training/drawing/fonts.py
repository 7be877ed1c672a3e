"""Typefaces for drawn lines: installed files, sorted by script and use, with their character coverage.

Debian packages provide most families. Brush and handwriting come as npm packages (``@fontsource``), whose
``.woff2`` files are converted to TrueType once. A face draws a text only if its cmap has every character.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

from fontTools.ttLib import TTCollection, TTFont
from PIL import ImageFont

DEBIAN_PACKAGES = (
    "fonts-noto-cjk fonts-noto-cjk-extra fonts-wqy-microhei fonts-wqy-zenhei fonts-arphic-ukai "
    "fonts-arphic-uming fonts-arphic-gbsn00lp fonts-arphic-gkai00mp fonts-cwtex-fs fonts-cwtex-kai "
    "fonts-lxgw-wenkai fonts-smiley-sans fonts-dejavu fonts-liberation fonts-freefont-ttf "
    "fonts-open-sans fonts-roboto fonts-hack fonts-lato fonts-crosextra-carlito "
    "fonts-crosextra-caladea fonts-inconsolata fonts-courier-prime fonts-comfortaa fonts-cantarell "
    "fonts-firacode fonts-jetbrains-mono fonts-dseg fonts-unifont fonts-ocr-b "
    "fonts-arphic-bkai00mp fonts-arphic-bsmi00lp fonts-cwtex-ming fonts-cwtex-heib fonts-cwtex-yen "
    "fonts-ipafont-gothic fonts-ipafont-mincho fonts-vlgothic fonts-symbola "
).split()
NPM_PACKAGES = tuple(
    f"@fontsource/{name}"
    for name in (
        "ma-shan-zheng",
        "liu-jian-mao-cao",
        "long-cang",
        "zhi-mang-xing",
        "zcool-xiaowei",
        "zcool-kuaile",
        "zcool-qingke-huangyou",
    )
)

# Weights of families by a substring of the file name; common print faces dominate real documents.
_CJK = {
    "NotoSansCJK-Regular": 5.0,
    "NotoSansCJK-Bold": 3.0,
    "NotoSansCJK-Medium": 2.0,
    "NotoSansCJK-Light": 1.0,
    "NotoSansCJK-Black": 1.0,
    "NotoSansCJK-Thin": 0.4,
    "NotoSerifCJK-Regular": 4.0,
    "NotoSerifCJK-Bold": 2.0,
    "NotoSerifCJK-Light": 1.0,
    "NotoSerifCJK-Black": 0.7,
    "wqy-microhei": 3.0,
    "wqy-zenhei": 3.0,
    "uming": 3.0,
    "ukai": 2.0,
    "gbsn00lp": 3.0,
    "gkai00mp": 2.0,
    "LXGWWenKai-Regular": 2.0,
    "LXGWWenKaiMono": 0.5,
    "LXGWWenKai-Bold": 1.0,
    "SmileySans": 1.5,
    "cwfs": 1.5,
    "cwkai": 0.4,
    "ma-shan-zheng": 0.8,
    "liu-jian-mao-cao": 0.4,
    "long-cang": 0.6,
    "zhi-mang-xing": 0.4,
    "zcool-xiaowei": 1.2,
    "zcool-kuaile": 0.8,
    "zcool-qingke-huangyou": 0.8,
    "unifont": 0.7,
}
_LATIN = {
    "LiberationSans": 4.0,
    "LiberationSerif": 4.0,
    "LiberationMono": 3.0,
    "DejaVuSans": 1.0,
    "DejaVuSerif": 1.0,
    "DejaVuSansMono": 1.5,
    "FreeSans": 1.5,
    "FreeSerif": 1.5,
    "FreeMono": 2.0,
    "OpenSans": 1.0,
    "Roboto": 1.5,
    "Hack": 0.7,
    "Lato": 1.0,
    "Carlito": 2.0,
    "Caladea": 1.5,
    "Inconsolata": 1.0,
    "Courier": 2.5,
    "Comfortaa": 0.6,
    "Cantarell": 0.7,
    "FiraCode": 0.7,
    "JetBrainsMono": 0.7,
    "unifont": 0.7,
    "OCRB": 0.3,
}
# Faces with the glyph shapes of Taiwan and Hong Kong, or with both kinds.
_HANT = {
    "NotoSansCJK-Regular": 5.0,
    "NotoSansCJK-Bold": 3.0,
    "NotoSansCJK-Medium": 2.0,
    "NotoSansCJK-Light": 1.0,
    "NotoSansCJK-Black": 0.7,
    "NotoSerifCJK-Regular": 4.0,
    "NotoSerifCJK-Bold": 2.0,
    "NotoSerifCJK-Light": 0.7,
    "uming": 3.0,
    "ukai": 2.0,
    "bsmi00lp": 3.0,
    "bkai00mp": 3.0,
    "cwming": 2.0,
    "cwheib": 2.0,
    "cwkai": 2.0,
    "cwfs": 1.0,
    "cwyen": 1.0,
    "LXGWWenKai-Regular": 2.0,
    "wqy-microhei": 2.0,
    "wqy-zenhei": 2.0,
    "unifont": 0.5,
}
_KANA = {
    "NotoSansCJK-Regular": 5.0,
    "NotoSansCJK-Bold": 2.0,
    "NotoSerifCJK-Regular": 4.0,
    "NotoSerifCJK-Bold": 1.0,
    "ipag": 2.0,
    "ipam": 2.0,
    "VL-Gothic": 2.0,
    "LXGWWenKai-Regular": 1.0,
    "wqy-zenhei": 1.0,
    "uming": 1.0,
}
# Faces with signs that most others lack.
_SIGNS = {"DejaVuSans": 3.0, "FreeSans": 1.0, "FreeSerif": 1.5, "Symbola": 2.0, "unifont": 0.5}
_MEMBERS = {"cjk": (" SC", "CN"), "hant": (" TC", " HK", "TW", "HK"), "kana": (" JP",)}
_SEGMENT = {"DSEG7Classic-Regular": 1.0, "DSEG7Classic-Bold": 1.0, "DSEG7Modern-Regular": 1.0}
_CARD = {"OCRB": 1.0}
_NOT = ("Emoji", "unifont_", "OCRBE", "OCRBF", "OCRBS", "OCRBX")  # excluded: samples and boxed faces
_MAGIC = (b"\0\1\0\0", b"true", b"OTTO", b"ttcf")
_ROOTS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))


@dataclass(frozen=True)
class Face:
    """One typeface: its file and collection index, its drawing weight, the code points of its glyphs."""

    path: Path
    index: int
    weight: float
    coverage: frozenset[int] = field(repr=False)

    def covers(self, text: str) -> bool:
        """Return whether every character of ``text`` except the space has a glyph."""
        return all(ord(character) in self.coverage for character in text if character != " ")

    def at(self, size_pixels: int) -> ImageFont.FreeTypeFont:
        """Return the face at a size, for drawing with Pillow."""
        return _load(str(self.path), self.index, size_pixels)


@lru_cache(maxsize=256)
def _load(path: str, index: int, size_pixels: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size_pixels, index=index)


@dataclass(frozen=True)
class Library:
    """All faces by use.

    ``cjk`` draw Chinese, ``latin`` ASCII, ``segment`` seven-segment digits, ``card`` digits of bank cards, ``hant``
    Traditional Chinese of Taiwan and Hong Kong, ``kana`` Japanese, ``signs`` signs that most faces lack.
    """

    cjk: tuple[Face, ...]
    latin: tuple[Face, ...]
    segment: tuple[Face, ...]
    card: tuple[Face, ...] = ()
    hant: tuple[Face, ...] = ()
    kana: tuple[Face, ...] = ()
    signs: tuple[Face, ...] = ()


def unpack_npm(archives: Iterable[Path], folder: Path) -> Path:
    """Convert the faces of npm ``@fontsource`` archives (``npm pack``) to TrueType files; return ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for archive in archives:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = Path(member.name).name
                if not name.endswith("-chinese-simplified-400-normal.woff2"):
                    continue
                target = folder / f"{name.removesuffix('.woff2')}.ttf"
                if not target.exists() and (source := tar.extractfile(member)) is not None:
                    with source:
                        font = TTFont(source)
                        font.flavor = None
                        font.save(target)
    return folder


@cache  # opening every installed font takes seconds, and one command may ask several times
def _coverage(path: Path, members: tuple[str, ...] = _MEMBERS["cjk"]) -> tuple[int, frozenset[int]]:
    """Return index and code points of a face; of a collection, of the first face named like one of ``members``."""
    if path.suffix == ".ttc":
        with TTCollection(path, lazy=True) as collection:
            names = [str(font["name"].getDebugName(1) or "") for font in collection.fonts]
            index = next((i for part in members for i, name in enumerate(names) if part in name), 0)
            return index, frozenset(collection.fonts[index].getBestCmap())
    with TTFont(path, lazy=True) as font:
        return 0, frozenset(font.getBestCmap() or {})


def face(path: Path) -> Face:
    """Return the face of any typeface file; FileNotFoundError or ValueError if it is none."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no typeface {path}")
    with path.open("rb") as file:
        if file.read(4) not in _MAGIC:
            raise ValueError(f"{path} is no .ttf, .otf or .ttc")
    index, coverage = _coverage(path)
    return Face(path, index, 1.0, coverage)


def _share(stem: str) -> float:
    """Return the weight of a face within its family: upright regular faces are more frequent, as in print."""
    slanted = 0.4 if "Italic" in stem or "Oblique" in stem else 1.0
    return slanted * (0.6 if "Bold" in stem else 1.0)


def discover(extra: Sequence[Path] = ()) -> Library:
    """Return all known faces that are installed or in ``extra`` folders; FileNotFoundError without any CJK face."""
    files = sorted(
        file
        for root in (*_ROOTS, *extra)
        for pattern in ("*.ttf", "*.otf", "*.ttc")
        for file in root.rglob(pattern)
    )
    kinds = {
        "cjk": _CJK,
        "latin": _LATIN,
        "segment": _SEGMENT,
        "card": _CARD,
        "hant": _HANT,
        "kana": _KANA,
        "signs": _SIGNS,
    }
    chosen: dict[str, list[Face]] = {kind: [] for kind in kinds}
    for kind, wanted in kinds.items():
        for name, weight in wanted.items():
            found = [f for f in files if name in f.stem and not any(part in f.stem for part in _NOT)]
            if kind not in _MEMBERS:
                found = [file for file in found if "CJK" not in file.stem and "Math" not in file.stem][:6]
            for file in found:
                index, coverage = _coverage(file, _MEMBERS.get(kind, ()))
                if kind != "latin" or ord("a") in coverage:
                    share = weight * _share(file.stem) / sum(_share(other.stem) for other in found)
                    chosen[kind].append(Face(file, index, share, coverage))
    if not chosen["cjk"]:
        raise FileNotFoundError("no Chinese typeface found: apt-get install " + " ".join(DEBIAN_PACKAGES[:4]))
    return Library(**{kind: tuple(faces) for kind, faces in chosen.items()})
