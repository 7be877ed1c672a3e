"""Slices of lines that are drawn with a fixed seed: vertical, rare characters, handwriting, and print of one script.

``ocrsvc.training`` draws them (extra ``train``) with the faces of the machine. Handwriting needs faces that no Debian
package has: name the folder that ``ocrsvc train fonts --npm`` unpacked.
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

Drawn = tuple[str, Picture] | None  # a text and its picture; None if the text does not suit
Draw = Callable[["Corpus", "Synthesiser"], Drawn]

SEED = 20_261_121
_HANDWRITING = ("ma-shan-zheng", "liu-jian-mao-cao", "long-cang", "zhi-mang-xing")
_NEEDS = ("fontTools", "jieba", "wordfreq", "faker")
_PRINT_PIXELS = (18, 48)  # heights of printed lines
_COLUMN_SIZES = (24, 48)  # pixels a character of vertical text
_MOST_TRIES = 20  # a line that no face can draw is drawn again with another text


def lines(count: int, fonts: Sequence[Path] = ()) -> list[Line]:
    """Return ``count`` lines of each slice. Where something is missing, say so and leave slices out."""
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
    for name, (_, draw) in _SLICES.items():
        chosen = _faces(library) if name == "handwriting" else library
        if chosen is None:
            _tell("no drawn handwriting: name a folder by --fonts (`ocrsvc train fonts --npm`)")
        else:
            found += _lines(name, count, draw, corpus, chosen)
    return found


def _faces(library: Library) -> Library | None:
    """Return the faces of handwriting, or None if there are none."""
    cjk = tuple(face for face in library.cjk if any(part in face.path.stem for part in _HANDWRITING))
    return replace(library, cjk=cjk) if cjk else None


def _lines(
    name: str,
    count: int,
    draw: Draw,
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


def _rare(corpus: Corpus, synthesiser: Synthesiser) -> Drawn:
    return _drawn(synthesiser, "".join(corpus.rng.choices(corpus.han, k=corpus.rng.randint(1, 9))))


def _handwriting(corpus: Corpus, synthesiser: Synthesiser) -> Drawn:
    return _drawn(synthesiser, corpus.chinese_label())


def _drawn(synthesiser: Synthesiser, text: str) -> Drawn:
    picture = synthesiser.draw(text)
    return None if picture is None else (text, picture)


def _simplified(corpus: Corpus, synthesiser: Synthesiser) -> Drawn:
    kinds = (
        corpus.chinese_prose,
        corpus.chinese_words,
        corpus.chinese_label,
        corpus.chinese_field,
        corpus.mixed,
    )
    return _printed(corpus, synthesiser, synthesiser.rng.choice(kinds)(), "")


def _traditional(corpus: Corpus, synthesiser: Synthesiser) -> Drawn:
    """Draw a line with at least one character that Simplified Chinese lacks."""
    scripts = named()
    only = "".join(set(scripts["hant"]) - set(scripts["hans"]))
    return _printed(corpus, synthesiser, corpus.traditional.line(), only)


def _kana(corpus: Corpus, synthesiser: Synthesiser) -> Drawn:
    return _printed(corpus, synthesiser, corpus.kana.line(), named()["kana"])


def _signs(corpus: Corpus, synthesiser: Synthesiser) -> Drawn:
    return _printed(corpus, synthesiser, corpus.signs.line(), named()["signs"])


def _printed(corpus: Corpus, synthesiser: Synthesiser, text: str, needed: str) -> Drawn:
    """Draw the text in dark ink on light paper, as if scanned and kept as JPEG.

    Return None if the text has none of the ``needed`` characters or no face can draw it.
    """
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
    size = (max(8, round(gray.shape[1] * scale)), round(gray.shape[0] * scale))
    gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    gray = cv2.GaussianBlur(gray, (0, 0), rng.uniform(0.2, 0.8))
    gray = gray + noise.normal(0, rng.uniform(0, 5), gray.shape)
    picture = cv2.cvtColor(np.clip(gray, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, rng.randint(70, 95)])[1]
    return text, np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)


def _vertical(corpus: Corpus, synthesiser: Synthesiser) -> Drawn:
    """Draw a column of characters, turned as the crops of tall boxes are, and seen through the same camera."""
    text = corpus.chinese_label()
    rng, faces = synthesiser.rng, list(synthesiser.library.cjk)
    rng.shuffle(faces)
    face = next((each for each in faces if each.covers(text)), None)
    if face is None or len(text) < 2:
        return None
    page = column(text, face, rng.randint(*_COLUMN_SIZES), rng.uniform(1.0, 1.25))
    height, width = page.shape[:2]
    corners = ((0.0, 0.0), (float(width), 0.0), (float(width), float(height)), (0.0, float(height)))
    crop = cut(page, corners)
    if crop is None:
        return None
    return text, synthesiser.camera.shoot(synthesiser.camera.warp(crop.pixels.astype(np.float32)))


def column(text: str, face: Face, size_pixels: int, leading: float) -> Picture:
    """Return the characters below each other, dark on light, with a margin as a detector leaves it."""
    margin = round(size_pixels * 0.15)
    step = size_pixels * leading
    canvas = Image.new("L", (size_pixels + 2 * margin, round(step * len(text)) + 2 * margin), 235)
    pen = ImageDraw.Draw(canvas)
    for row, character in enumerate(text):
        middle = (canvas.width / 2, margin + step * (row + 0.5))
        pen.text(middle, character, 30, font=face.at(size_pixels), anchor="mm")
    return np.asarray(cv2.cvtColor(np.asarray(canvas, np.uint8), cv2.COLOR_GRAY2BGR), np.uint8)


_SLICES: Mapping[str, tuple[str, Draw]] = {
    "vertical": ("columns of Chinese, turned as the detector's crops are", _vertical),
    "rare": ("characters drawn evenly from the whole charset", _rare),
    "handwriting": ("Chinese in brush and handwriting faces", _handwriting),
    "simplified": ("scanned print in Simplified Chinese", _simplified),
    "traditional": ("scanned print in Traditional Chinese", _traditional),
    "kana": ("scanned print in Japanese", _kana),
    "signs": ("scanned print with signs that carry the meaning", _signs),
}


def _of(source: str) -> Callable[[Line], bool]:
    return lambda line: line.sample.source == source


DRAWN: Mapping[str, Slice] = {
    name: Slice(f"drawn: {about}", _of(f"drawn-{name}")) for name, (about, _) in _SLICES.items()
}


def _tell(message: str) -> None:
    print(message, file=sys.stderr)
