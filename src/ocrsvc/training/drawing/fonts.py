"""Typefaces for drawn lines: installed files, sorted by script and use, with their character coverage.

Debian packages provide most families. Handwriting, display and interface faces come as npm packages
(``@fontsource``), which ``archives`` unpacks once. A face draws a text only if it has a glyph for every character.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTCollection, TTFont
from PIL import Image, ImageDraw, ImageFont

from ocrsvc.training.drawing.families import DEBIAN_PACKAGES, EXCLUDED, HELD_OUT, MEMBERS, USES

_MAGIC = (b"\0\1\0\0", b"true", b"OTTO", b"ttcf")
_ROOTS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
_LEAST_DIFFERENCE = 0.1  # of the pixels of small letters and capitals, both fitted to a square
_MOST_FILES = 6  # of a family without Chinese
_NAMED_REGIONS = frozenset(MEMBERS)  # uses whose collections have a member for each region


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


# A face of a size takes up to 3 MB, and opening one less than a millisecond.
@lru_cache(maxsize=80)
def _load(path: str, index: int, size_pixels: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size_pixels, index=index)


@dataclass(frozen=True)
class Library:
    """All faces by use.

    ``cjk`` draw Chinese, ``latin`` ASCII, ``segment`` seven-segment digits, ``card`` digits of bank cards, ``hant``
    Traditional Chinese of Taiwan and Hong Kong, ``kana`` Japanese, ``signs`` signs that most faces lack. Looks other
    than print have faces of their own: ``handwriting``, ``display`` (signs, games, subtitles) and ``interface``, each
    with Chinese and Latin ones.
    """

    cjk: tuple[Face, ...]
    latin: tuple[Face, ...]
    segment: tuple[Face, ...]
    card: tuple[Face, ...] = ()
    hant: tuple[Face, ...] = ()
    kana: tuple[Face, ...] = ()
    signs: tuple[Face, ...] = ()
    handwriting: tuple[Face, ...] = ()
    handwriting_latin: tuple[Face, ...] = ()
    display: tuple[Face, ...] = ()
    display_latin: tuple[Face, ...] = ()
    interface: tuple[Face, ...] = ()
    interface_latin: tuple[Face, ...] = ()

    def only(self, chinese: tuple[Face, ...], latin: tuple[Face, ...]) -> Library:
        """Return a library whose texts are drawn in these faces; signs that they lack in the usual ones."""
        return replace(self, cjk=chinese, hant=chinese, kana=chinese, latin=latin or self.latin, segment=())


@cache
def _code_point(value: int) -> int:
    """Return one object for equal numbers: a hundred faces have the same two million code points between them."""
    return value


@cache
def _shared(points: frozenset[int]) -> frozenset[int]:
    """Return one object for equal sets: the weights of a family have the same characters."""
    return points


def _coverage(path: Path, members: tuple[str, ...] = MEMBERS["cjk"]) -> tuple[int, frozenset[int]]:
    """Return index and code points of a face; of a collection, of the first face named like one of ``members``."""
    return _of_collection(path, members) if path.suffix == ".ttc" else (0, _of_file(path))


@cache  # opening every installed font takes seconds, and one command may ask several times
def _of_collection(path: Path, members: tuple[str, ...]) -> tuple[int, frozenset[int]]:
    with TTCollection(path, lazy=True) as collection:
        names = [str(font["name"].getDebugName(1) or "") for font in collection.fonts]
        index = next((i for part in members for i, name in enumerate(names) if part in name), 0)
        return index, _drawn(collection.fonts[index])


@cache
def _of_file(path: Path) -> frozenset[int]:
    with TTFont(path, lazy=True) as font:
        points = _drawn(font)
    if points.issuperset(b"agreAGRE") and not _has_small_letters(path):
        return _shared(frozenset(point for point in points if not chr(point).islower()))
    return points


def _drawn(font: TTFont) -> frozenset[int]:
    """Return the code points with a glyph that is not empty: some faces map characters that they lack to blanks."""
    font.setGlyphOrder(
        [str(number) for number in range(font["maxp"].numGlyphs)]
    )  # reading the names takes long
    characters: dict[int, str] = font.getBestCmap() or {}
    if "glyf" in font:
        places = font["loca"]
        characters = {
            code: name
            for code, name in characters.items()
            if places[int(name) + 1] > places[int(name)] or chr(code).isspace()
        }
    return _shared(frozenset(map(_code_point, characters)))


def _has_small_letters(path: Path) -> bool:
    """Return whether a face draws agre unlike AGRE; some display faces have only capitals."""
    font = ImageFont.truetype(str(path), 40)
    differences = []
    for letter in "agre":
        pair = []
        for shape in (letter, letter.upper()):
            canvas = Image.new("L", (120, 120), 0)
            ImageDraw.Draw(canvas).text((40, 80), shape, 255, font=font, anchor="ls")
            box = canvas.getbbox()
            if box is None:
                return True
            pair.append(np.asarray(canvas.crop(box).resize((24, 24)), np.float32) / 255)
        differences.append(float(np.abs(pair[0] - pair[1]).mean()))
    return sum(differences) / len(differences) > _LEAST_DIFFERENCE


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


def _files(extra: Sequence[Path]) -> list[Path]:
    found = (
        file
        for root in (*_ROOTS, *extra)
        for kind in ("*.ttf", "*.otf", "*.ttc")
        for file in root.rglob(kind)
    )
    return sorted(file for file in found if not any(part in file.stem for part in EXCLUDED))


def discover(extra: Sequence[Path] = ()) -> Library:
    """Return the known faces that are installed or in ``extra`` folders, without those of ``HELD_OUT``.

    FileNotFoundError without any CJK face.
    """
    logging.getLogger("fontTools.ttLib.tables._h_e_a_d").setLevel(
        logging.ERROR
    )  # dates of old files are wrong
    files = [file for file in _files(extra) if not any(name in file.stem for name in HELD_OUT)]
    chosen: dict[str, list[Face]] = {use: [] for use in USES}
    for use, wanted in USES.items():
        for name, weight in wanted.items():
            found = [file for file in files if name in file.stem]
            if use not in _NAMED_REGIONS:
                found = [file for file in found if "CJK" not in file.stem and "Math" not in file.stem]
                found = found[:_MOST_FILES]
            for file in found:
                index, coverage = _coverage(file, MEMBERS.get(use, ()))
                if not use.endswith("latin") or ord("A") in coverage:
                    share = weight * _share(file.stem) / sum(_share(other.stem) for other in found)
                    chosen[use].append(Face(file, index, share, coverage))
    if not chosen["cjk"]:
        raise FileNotFoundError("no Chinese typeface found: apt-get install " + " ".join(DEBIAN_PACKAGES[:4]))
    return Library(**{use: tuple(faces) for use, faces in chosen.items()})


def held_out(extra: Sequence[Path] = ()) -> Library:
    """Return the faces of ``HELD_OUT`` that are in ``extra`` folders or installed; training never draws them."""
    files = _files(extra)
    chosen: dict[str, list[Face]] = {use: [] for use in USES}
    for name, uses in HELD_OUT.items():
        for file in files:
            if name in file.stem:
                index, coverage = _coverage(file)
                for use in uses:
                    chosen[use].append(Face(file, index, 1.0, coverage))
    return Library(**{use: tuple(faces) for use, faces in chosen.items()})
