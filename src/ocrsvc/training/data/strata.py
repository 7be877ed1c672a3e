"""Strata of a dev set: texts and looks that are scored apart, drawn as no training line is.

Seeds are 64-bit numbers with the first bit set, which training never uses. Some strata have faces, backgrounds and
rims that training never draws (``families.HELD_OUT``, ``textures.HELD_OUT``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from ocrsvc.recognition.charsets import named
from ocrsvc.training.drawing import fonts
from ocrsvc.training.drawing.camera import Bgr
from ocrsvc.training.drawing.fonts import Library
from ocrsvc.training.drawing.glyphs import Glyphs
from ocrsvc.training.drawing.synth import Synthesiser
from ocrsvc.training.texts.corpus import Corpus
from ocrsvc.training.texts.deck import Deck

_MOST_CHARACTERS = 24  # of a line, unless its stratum is about length
_PRINT_PIXELS = (18, 48)  # heights of printed lines
_LOW_PIXELS = (10, 16)
_ALIKE = frozenset("lI|oO")  # alone they look like 1 and 0
_LONG_CHARACTERS = (40, 60)
_HAN = re.compile(r"[\u3400-\u9fff]")


def seed_of(seed: int, stratum: str) -> int:
    """Return the seed of a stratum, beyond all seeds of training."""
    digest = hashlib.sha256(f"dev set {seed} {stratum}".encode()).digest()
    return int.from_bytes(digest[:8], "big") | 1 << 63


class Stratum:
    """Generator of the labelled lines of one stratum; ``library`` are the faces of training, ``unseen`` the others."""

    def __init__(
        self, name: str, charset: str, library: Library, unseen: Library, prose: Sequence[Path], seed: int
    ) -> None:
        number = seed_of(seed, name)
        self.name = name
        self.corpus = Corpus(charset, number, prose)
        self.rng = self.corpus.rng
        self.noise = np.random.default_rng(number)
        self.deck = Deck(self.rng, self.corpus.han) if self.corpus.han else None
        scripts = named()
        self.traditional = frozenset(scripts["hant"]) - frozenset(scripts["hans"])
        self.kana, self.signs = frozenset(scripts["kana"]), frozenset(scripts["signs"])
        self.usual = Synthesiser(library, number)
        self.other = Synthesiser(unseen, number + 1, held_out=True)
        self.print = Glyphs(library, self.rng, self.noise, worn=False)
        self.print_unseen = Glyphs(unseen, self.rng, self.noise, worn=False)

    def line(self) -> tuple[Bgr, str] | None:
        """Draw one line and its label; None if the text does not suit the stratum or no face has its characters."""
        text, draw = _STRATA[self.name]
        label = self.corpus.written(text(self))
        image = draw(self, label) if label else None
        return None if image is None else (image, label)

    # Texts

    def simplified(self) -> str:
        """Draw Simplified Chinese, some of it with Latin and digits."""
        corpus = self.corpus
        kinds = (
            corpus.chinese_prose,
            corpus.chinese_words,
            corpus.chinese_label,
            corpus.chinese_field,
            corpus.mixed,
            corpus.streets.shop,
        )
        text = self.rng.choice(kinds)()[:_MOST_CHARACTERS]
        return text if _HAN.search(text) and self.traditional.isdisjoint(text) else ""

    def hant(self) -> str:
        """Draw Traditional Chinese with at least one character that Simplified lacks."""
        text = self.corpus.traditional.line()[:_MOST_CHARACTERS]
        return "" if self.traditional.isdisjoint(text) else text

    def either(self) -> str:
        """Draw what people write by hand: names, notes, addresses, sums, in either script."""
        corpus = self.corpus
        kinds = (
            corpus.chinese_label,
            corpus.chinese_field,
            corpus.screens.chat,
            corpus.traditional.line,
            corpus.figures.numbers,
            lambda: str(corpus.faker_zh.name()),
        )
        return self.rng.choice(kinds)()[:_MOST_CHARACTERS]

    def mixed(self) -> str:
        """Draw a short line of any frequent kind."""
        corpus = self.corpus
        kinds = (corpus.chinese_words, corpus.latin.title, corpus.mixed, corpus.figures.receipt, self.hant)
        return self.rng.choice(kinds)()[:_MOST_CHARACTERS]

    def rare(self) -> str:
        """Draw characters evenly from the charset, alone or in a word of the dictionary."""
        if self.deck is None:
            return ""
        if self.rng.random() < 0.5 and (word := self.corpus.rarities.word(first := self.deck.draw())):
            return word if len(word) < 6 else first
        return "".join(self.deck.draw() for _ in range(self.rng.randint(1, 4)))

    def japanese(self) -> str:
        """Draw Japanese with kana."""
        text = self.corpus.kana.line()[:_MOST_CHARACTERS]
        return "" if self.kana.isdisjoint(text) else text

    def symbols(self) -> str:
        """Draw a text with signs."""
        text = self.corpus.signs.line()[:_MOST_CHARACTERS]
        return "" if self.signs.isdisjoint(text) else text

    def shown(self) -> str:
        """Draw a text of a screen."""
        screens = self.corpus.screens
        return self.rng.choice((screens.game, screens.subtitle, screens.chat, self.corpus.streets.price))()

    def clicked(self) -> str:
        """Draw a text of an interface."""
        screens = self.corpus.screens
        return self.rng.choice((screens.interface, screens.interface, screens.log, screens.chat))()[:40]

    def figures(self) -> str:
        """Draw digits: sums, dates, numbers, groups, codes."""
        corpus = self.corpus
        kinds = (
            corpus.figures.numbers,
            corpus.figures.card,
            corpus.documents.table,
            corpus.leaders.apart,
            corpus.streets.terminal,
        )
        text = self.rng.choice(kinds)()
        return text if any(c.isdigit() for c in text) else ""

    def lengthy(self) -> str:
        """Draw a line of at least 40 characters."""
        corpus, text = self.corpus, ""
        kind = self.rng.choice(
            (corpus.chinese_words, corpus.latin.prose, corpus.documents.legal, corpus.mixed)
        )
        while len(text) < _LONG_CHARACTERS[1]:
            text += kind() + (" " if kind not in (corpus.chinese_words, corpus.mixed) else "")
        return text[: self.rng.randint(*_LONG_CHARACTERS)].strip().ljust(_LONG_CHARACTERS[0], "-")

    def brief(self) -> str:
        """Draw one or two characters that can be told from others."""
        if self.rng.random() < 0.6:
            single = self.corpus.leaders.single()
            return "" if single in _ALIKE else single
        return self.rng.choice((self.corpus.chinese_label(), self.corpus.figures.number()))[:2]

    # Looks

    def scanned(
        self, text: str, glyphs: Glyphs | None = None, pixels: tuple[int, int] = _PRINT_PIXELS
    ) -> Bgr | None:
        """Draw the text in dark ink on light paper, as if scanned and kept as JPEG."""
        rng = self.rng
        return self._kept(text, glyphs or self.print, pixels, rng.uniform(0, 80), rng.uniform(215, 255))

    def unseen(self, text: str) -> Bgr | None:
        """Draw the text as ``scanned`` does, in faces that training never draws."""
        return self.scanned(text, self.print_unseen)

    def low(self, text: str) -> Bgr | None:
        """Draw the text as ``scanned`` does, at most 16 pixels high."""
        return self.scanned(text, pixels=_LOW_PIXELS)

    def pale(self, text: str) -> Bgr | None:
        """Draw the text in a shade close to that of the paper."""
        rng = self.rng
        paper = rng.uniform(60, 235)
        ink = paper - rng.choice((-1, 1, 1)) * rng.uniform(18, 40)
        return self._kept(text, self.print, _PRINT_PIXELS, min(255.0, ink), paper)

    def _kept(
        self, text: str, glyphs: Glyphs, pixels: tuple[int, int], dark: float, light: float
    ) -> Bgr | None:
        rng, ink = self.rng, glyphs.ink(text)
        if ink is None:
            return None
        above, below, left, right = (round(ink.shape[0] * rng.uniform(0.05, 0.2)) for _ in range(4))
        alpha = np.pad(ink, ((above, below), (left, right)))
        gray = light + (dark - light) * alpha
        height = rng.randint(*pixels)
        size = max(8, round(gray.shape[1] * height / gray.shape[0])), height
        small = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.float64)
        small = np.asarray(cv2.GaussianBlur(small, (0, 0), rng.uniform(0.2, 0.7)), np.float64)
        small += self.noise.normal(0, rng.uniform(0, 4), small.shape)
        picture = cv2.cvtColor(np.clip(small, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)
        packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, rng.randint(70, 95)])[1]
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)

    def look(self, text: str, name: str, *, unseen: float = 0.0) -> Bgr | None:
        """Draw the text in a look of training, or (the share ``unseen``) of dev sets only."""
        synthesiser = self.other if self.rng.random() < unseen else self.usual
        return synthesiser.draw(text, name)


Text = Callable[[Stratum], str]
Draw = Callable[[Stratum, str], Bgr | None]
_STRATA: Mapping[str, tuple[Text, Draw]] = {
    "rare": (Stratum.rare, Stratum.scanned),
    "traditional-print": (Stratum.hant, Stratum.scanned),
    "simplified-print": (Stratum.simplified, Stratum.scanned),
    "traditional-unseen-faces": (Stratum.hant, Stratum.unseen),
    "simplified-unseen-faces": (Stratum.simplified, Stratum.unseen),
    "handwriting": (Stratum.either, lambda one, text: one.look(text, "handwriting", unseen=1.0)),
    "lowres": (Stratum.mixed, Stratum.low),
    "screen": (Stratum.shown, lambda one, text: one.look(text, "screen", unseen=0.5)),
    "ui-small": (Stratum.clicked, lambda one, text: one.look(text, "interface", unseen=0.5)),
    "kana": (Stratum.japanese, Stratum.scanned),
    "signs": (Stratum.symbols, Stratum.scanned),
    "latin-street": (
        lambda one: one.corpus.streets.street_word(),
        lambda one, text: one.look(text, "signboard", unseen=0.3),
    ),
    "digits": (Stratum.figures, lambda one, text: one.usual.draw(text)),
    "long": (Stratum.lengthy, Stratum.scanned),
    "short": (Stratum.brief, lambda one, text: one.look(text, "print")),
    "lowcontrast": (Stratum.mixed, Stratum.pale),
    "vertical": (lambda one: one.corpus.chinese_label(), lambda one, text: one.look(text, "column")),
}
STRATA = tuple(_STRATA)
# What of the held-out faces a stratum cannot be drawn without.
NEEDED: Mapping[str, str] = {
    "traditional-unseen-faces": "hant",
    "simplified-unseen-faces": "cjk",
    "handwriting": "handwriting",
}


def libraries(folders: Sequence[Path]) -> tuple[Library, Library]:
    """Return the faces of training, and those held out, with training's where none are held out."""
    usual, held = fonts.discover(folders), fonts.held_out(folders)
    filled = {
        use: getattr(held, use) or getattr(usual, use)
        for use in (
            "cjk",
            "hant",
            "latin",
            "handwriting",
            "handwriting_latin",
            "interface",
            "interface_latin",
        )
    }
    display = (*held.display, *usual.display)
    return usual, replace(
        held, **filled, display=display, display_latin=usual.display_latin, signs=usual.signs
    )
