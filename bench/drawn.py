"""Slices of lines that are drawn for the occasion, with a fixed seed: vertical, rare characters, handwriting, and
scanned print of one script each.

``ocrsvc.training`` draws them (extra ``train``); its faces are those of the machine. Handwriting needs faces that
no Debian package has: name the folder that ``ocrsvc train fonts --npm`` unpacked.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from peers.recogniser import Picture
from PIL import Image, ImageDraw
from slices import Line, Slice

from ocrsvc.diagnosis.evaluation import Sample
from ocrsvc.pages.crops import cut
from ocrsvc.recognition.charsets import named

if TYPE_CHECKING:
    from ocrsvc.training.drawing.fonts import Face, Library
    from ocrsvc.training.drawing.synth import Synthesiser
    from ocrsvc.training.texts.corpus import Corpus

SEED = 20_261_121
_HANDWRITING = ("ma-shan-zheng", "liu-jian-mao-cao", "long-cang", "zhi-mang-xing")
_NEEDS = ("fontTools", "jieba", "wordfreq", "faker")
_PRINT_PIXELS = (18, 48)  # heights of printed lines
_COLUMN_SIZES = (24, 48)  # pixels a character of vertical text
_MOST_TRIES = 20  # a line that no face can draw is drawn again with another text


def lines(count: int, fonts: Sequence[Path] = ()) -> list[Line]:
    """``count`` lines of each slice; fewer slices, and a word on standard error, where something is missing."""
    absent = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
    if absent:
        _tell(f"no drawn lines, for want of {', '.join(absent)}: pip install 'ocrsvc[train]'")
        return []
    from ocrsvc.training.drawing import fonts as faces
    from ocrsvc.training.texts import charset
    from ocrsvc.training.texts.corpus import Corpus

    try:
        library = faces.discover(fonts)
    except FileNotFoundError as error:
        _tell(f"no drawn lines: {error}")
        return []
    corpus = Corpus(charset.load(), SEED)
    found: list[Line] = []
    for name, draw in _SLICES.items():
        chosen = _faces(name, library)
        if chosen is None:
            _tell(
                "no drawn handwriting: --fonts FOLDER names the faces that `ocrsvc train fonts --npm` unpacks"
            )
            continue
        found += list(_lines(name, count, draw, corpus, chosen))
    return found


def _faces(name: str, library: Library) -> Library | None:
    """The faces of a slice; None if there are none."""
    if name != "handwriting":
        return library
    cjk = tuple(face for face in library.cjk if any(part in face.path.stem for part in _HANDWRITING))
    return replace(library, cjk=cjk) if cjk else None


def _lines(
    name: str,
    count: int,
    draw: Callable[[Corpus, Synthesiser], tuple[str, Picture] | None],
    corpus: Corpus,
    library: Library,
) -> Iterator[Line]:
    from ocrsvc.training.drawing.synth import Synthesiser

    synthesiser = Synthesiser(library, SEED)
    for number in range(count):
        drawn = next(filter(None, (draw(corpus, synthesiser) for _ in range(_MOST_TRIES))), None)
        if drawn is None:
            _tell(f"the faces of this machine cannot draw the slice {name}")
            return
        text, picture = drawn
        key = f"drawn-{name}/img/{number}.png"
        yield Line(Sample(f"drawn-{name}", key, Path(key), {"text": text}), picture)


def _rare(corpus: Corpus, synthesiser: Synthesiser) -> tuple[str, Picture] | None:
    text = corpus.rare()
    picture = synthesiser.draw(text)
    return None if picture is None else (text, picture)


def _handwriting(corpus: Corpus, synthesiser: Synthesiser) -> tuple[str, Picture] | None:
    text = corpus.chinese_label()
    picture = synthesiser.draw(text)
    return None if picture is None else (text, picture)


def _simplified(corpus: Corpus, synthesiser: Synthesiser) -> tuple[str, Picture] | None:
    kinds = (
        corpus.chinese_prose,
        corpus.chinese_words,
        corpus.chinese_label,
        corpus.chinese_field,
        corpus.mixed,
    )
    return _printed(corpus, synthesiser, synthesiser.rng.choice(kinds)(), "")


def _traditional(corpus: Corpus, synthesiser: Synthesiser) -> tuple[str, Picture] | None:
    """A line with at least one character that Simplified Chinese lacks."""
    scripts = named()
    only = "".join(set(scripts["hant"]) - set(scripts["hans"]))
    return _printed(corpus, synthesiser, corpus.traditional.line(), only)


def _kana(corpus: Corpus, synthesiser: Synthesiser) -> tuple[str, Picture] | None:
    return _printed(corpus, synthesiser, corpus.kana.line(), named()["kana"])


def _signs(corpus: Corpus, synthesiser: Synthesiser) -> tuple[str, Picture] | None:
    return _printed(corpus, synthesiser, corpus.signs.line(), named()["signs"])


def _printed(corpus: Corpus, synthesiser: Synthesiser, text: str, needed: str) -> tuple[str, Picture] | None:
    """The text in dark ink on light paper, scanned and kept as JPEG; None without one of the ``needed`` characters."""
    from ocrsvc.training.drawing.glyphs import Glyphs

    rng, noise = synthesiser.rng, synthesiser.noise
    text = corpus.written(text[:24])
    if not text or (needed and set(needed).isdisjoint(text)):
        return None
    ink = Glyphs(synthesiser.library, rng, noise, worn=False).ink(text)
    if ink is None:
        return None
    margin = round(ink.shape[0] * 0.12)
    alpha = cv2.copyMakeBorder(ink, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=(0,))
    gray = rng.uniform(215, 255) * (1 - alpha) + rng.uniform(0, 80) * alpha
    scale = rng.randint(*_PRINT_PIXELS) / gray.shape[0]
    gray = cv2.resize(
        gray,
        (max(8, round(gray.shape[1] * scale)), round(gray.shape[0] * scale)),
        interpolation=cv2.INTER_AREA,
    )
    gray = cv2.GaussianBlur(gray, (0, 0), rng.uniform(0.2, 0.8)) + noise.normal(
        0, rng.uniform(0, 5), gray.shape
    )
    picture = cv2.cvtColor(np.clip(gray, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, rng.randint(70, 95)])[1]
    return text, np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)


def _vertical(corpus: Corpus, synthesiser: Synthesiser) -> tuple[str, Picture] | None:
    """A column of characters, turned as the crops of tall boxes are, and seen through the same camera."""
    text = corpus.chinese_label()
    face = next((each for each in _shuffled(synthesiser) if each.covers(text)), None)
    if face is None or len(text) < 2:
        return None
    rng = synthesiser.rng
    page = _column(text, face, rng.randint(*_COLUMN_SIZES), rng.uniform(1.0, 1.25))
    height, width = page.shape[:2]
    corners = ((0.0, 0.0), (float(width), 0.0), (float(width), float(height)), (0.0, float(height)))
    crop = cut(page, corners)
    if crop is None:
        return None
    return text, synthesiser.camera.shoot(synthesiser.camera.warp(crop.pixels.astype(np.float32)))


def _shuffled(synthesiser: Synthesiser) -> list[Face]:
    faces = list(synthesiser.library.cjk)
    synthesiser.rng.shuffle(faces)
    return faces


def _column(text: str, face: Face, size_pixels: int, leading: float) -> Picture:
    """The characters below each other, dark on light, with a margin of a detector's size."""
    margin = round(size_pixels * 0.15)
    step = size_pixels * leading
    canvas = Image.new("L", (size_pixels + 2 * margin, round(step * len(text)) + 2 * margin), 235)
    pen = ImageDraw.Draw(canvas)
    for row, character in enumerate(text):
        middle = (canvas.width / 2, margin + step * (row + 0.5))
        pen.text(middle, character, 30, font=face.at(size_pixels), anchor="mm")
    return np.asarray(cv2.cvtColor(np.asarray(canvas, np.uint8), cv2.COLOR_GRAY2BGR), np.uint8)


_SLICES: Mapping[str, Callable[[Corpus, Synthesiser], tuple[str, Picture] | None]] = {
    "vertical": _vertical,
    "rare": _rare,
    "handwriting": _handwriting,
    "simplified": _simplified,
    "traditional": _traditional,
    "kana": _kana,
    "signs": _signs,
}


def _of(source: str) -> Callable[[Line], bool]:
    return lambda line: line.sample.source == source


DRAWN: Mapping[str, Slice] = {
    "vertical": Slice("drawn: columns of Chinese, turned as the detector's crops are", _of("drawn-vertical")),
    "rare": Slice("drawn: characters drawn evenly from the whole charset", _of("drawn-rare")),
    "handwriting": Slice("drawn: Chinese in brush and handwriting faces", _of("drawn-handwriting")),
    "simplified": Slice("drawn: scanned print in Simplified Chinese", _of("drawn-simplified")),
    "traditional": Slice("drawn: scanned print in Traditional Chinese", _of("drawn-traditional")),
    "kana": Slice("drawn: scanned print in Japanese", _of("drawn-kana")),
    "signs": Slice("drawn: scanned print with signs that carry the meaning", _of("drawn-signs")),
}


def _tell(message: str) -> None:
    print(message, file=sys.stderr)
