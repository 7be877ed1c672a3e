"""Draws a text as a line image, degraded as by cameras, scanners, printers and detectors.

The image resembles a crop of a photo: text on some background, with a margin as uneven as a detector's.
Degradations follow recognition research: the real faults are low resolution, blur, JPEG, uneven light, neighbours
and rules in the crop, slant, and thin or fat strokes. What the line looks like before that is one of several looks:
print, screens, interfaces, handwriting, columns, signboards. Number plates and bank cards have looks of their own.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from ocrsvc.training.drawing.camera import Bgr, Camera, Picture
from ocrsvc.training.drawing.cards import CARD, Cards
from ocrsvc.training.drawing.columns import COLUMN, Columns
from ocrsvc.training.drawing.fonts import Library
from ocrsvc.training.drawing.glyphs import Glyphs, keys
from ocrsvc.training.drawing.handwriting import Handwriting
from ocrsvc.training.drawing.interface import Interface
from ocrsvc.training.drawing.paper import Paper
from ocrsvc.training.drawing.plates import PLATE, Plates
from ocrsvc.training.drawing.printed import Printed
from ocrsvc.training.drawing.screen import Screen
from ocrsvc.training.drawing.signboards import Signboards
from ocrsvc.training.drawing.textures import Textures

LOOKS: Mapping[str, float] = {
    "print": 60.0,
    "screen": 11.0,
    "interface": 9.0,
    "handwriting": 9.0,
    "column": 5.0,
    "signboard": 7.0,
}
# Codes are mounted upside down at times; with one of these characters a reader can tell.
_TURNED = re.compile(r"(?=.*[2457ABCDEFGJKLPQRTUVY])[A-Z0-9.+/:_=-]{2,12}")
_TURNED_SHARE = 0.03
_MENU_SHARE = 0.7  # of the texts with the letters of keys, which are seldom seen elsewhere
# Lowest height in pixels of a look's lines. Strokes with rims, of a pen or turned on their side are lost below it.
_LOWEST_PIXELS = {"screen": 16, "handwriting": 18, "column": 17, "signboard": 14}
_FAINT_SHARES = {"screen": 0.0, "handwriting": 0.4, "column": 0.7, "signboard": 0.4}
_MOST_INTERFACE = 60  # characters; longer lines would be wider than models read


class Synthesiser:
    """Generator of line images; deterministic for a seed.

    ``looks``: factors on how often a look of ``LOOKS`` is drawn; ValueError names one that is unknown. ``held_out``:
    draw pictures behind text as only dev sets do (``screen``).
    """

    def __init__(
        self,
        library: Library,
        seed: int,
        looks: Mapping[str, float] | None = None,
        *,
        held_out: bool = False,
    ) -> None:
        factors = looks or {}
        if unknown := sorted(set(factors) - set(LOOKS)):
            raise ValueError(f"no look {', '.join(unknown)}; there are {', '.join(LOOKS)}")
        self.library = library
        self.rng = random.Random(seed)
        self.noise = np.random.default_rng(seed)
        self.camera = Camera(self.rng, self.noise)
        self.glyphs = Glyphs(library, self.rng, self.noise)
        self.paper = Paper(library, self.rng, self.noise, self.glyphs)
        self.printed = Printed(self.rng, self.glyphs, self.paper)
        self.plates = Plates(library, self.rng, self.noise)
        self.cards = Cards(library, self.rng, self.noise)
        display = library.only(library.display or library.cjk, library.display_latin)
        shown = Glyphs(display, self.rng, self.noise, worn=False)
        textures = Textures(self.rng, self.noise, held_out=held_out)
        self.screen = Screen(self.rng, self.noise, shown, held_out=held_out)
        self.interface = Interface(library, self.rng, self.noise)
        self.handwriting = Handwriting(library, self.rng, self.noise, self.paper)
        self.columns = Columns(self.rng, self.noise, self.glyphs, self.paper, textures)
        self.signboards = Signboards(self.rng, self.noise, shown, textures)
        self.shares = {look: share * factors.get(look, 1.0) for look, share in LOOKS.items()}

    def draw(self, text: str, look: str | None = None) -> Bgr | None:
        """Return the line as uint8 BGR [H,W,3], or None if no face has all its characters.

        Without ``look``, one is drawn by its share, and a text that does not suit it is printed.
        """
        if look is not None:
            return self._drawn(text, look)
        if CARD.match(text) and self.rng.random() < 0.75:  # not `faint`: embossing has little contrast
            return self.camera.shoot(self.camera.warp(self._card(text)), lowest=18, faint=False)
        if PLATE.match(text):
            if self.rng.random() < 0.7 and (whole := self.plates.whole(text)) is not None:
                return whole
            look = "plate"
        elif keys(text) and self.rng.random() < _MENU_SHARE:
            look = "interface"
        else:
            (look,) = self.rng.choices(list(self.shares), list(self.shares.values()))
        image = self._drawn(text, look)
        if image is None and look != "print":
            image = self._drawn(text, "print")
        if image is not None and _TURNED.fullmatch(text) and self.rng.random() < _TURNED_SHARE:
            image = np.ascontiguousarray(image[::-1, ::-1])
        return image

    def _drawn(self, text: str, look: str) -> Bgr | None:
        """Return the line in a look, or None if the text does not suit it."""
        if look == "interface":
            return self.interface.draw(text) if len(text) <= _MOST_INTERFACE else None
        picture = self._picture(text, look)
        if picture is None:
            return None
        faint = self.rng.random() < _FAINT_SHARES.get(look, 1.0)
        return self.camera.shoot(self.camera.warp(picture), lowest=_LOWEST_PIXELS.get(look, 12), faint=faint)

    def _picture(self, text: str, look: str) -> Picture | None:
        """Return the line before the camera's degradations."""
        if look == "plate":
            plate = self.plates.draw(text)
            return None if plate is None else self.printed.laid(plate.ink, plate.colour, plate.ground)
        if look == "screen":
            return self.screen.draw(text)
        if look == "handwriting":
            return self.handwriting.draw(text)
        if look == "column":
            return self.columns.draw(text) if COLUMN.fullmatch(text) else None
        return self.signboards.draw(text) if look == "signboard" else self.printed.draw(text)

    def _card(self, text: str) -> Picture:
        """Return embossed digits on a card; one card in eight is printed flat, like newer cards."""
        rng = self.rng
        alpha, _ = self.printed.placed(self.cards.ink(text), bare=True)
        ground = self.cards.ground(*alpha.shape)
        if rng.random() < 0.88:
            return self.cards.shade(alpha, ground)
        dark = ground.mean() > 110
        colour = np.float32(rng.uniform(0, 40) if dark else rng.uniform(210, 255))
        return np.asarray(ground * (1 - alpha[..., None]) + colour * alpha[..., None], np.float32)


def sheet(images: Sequence[Bgr], columns: int = 4, cell: tuple[int, int] = (420, 52)) -> Bgr:
    """Return a contact sheet of the images, each fitted into a cell of ``cell`` (width, height) pixels."""
    width, height = cell
    rows = (len(images) + columns - 1) // columns
    page = np.full((rows * height, columns * width, 3), 96, np.uint8)
    for i, image in enumerate(images):
        scale = min((width - 6) / image.shape[1], (height - 4) / image.shape[0])
        small = cv2.resize(image, (max(1, int(image.shape[1] * scale)), max(1, int(image.shape[0] * scale))))
        y, x = i // columns * height, i % columns * width
        page[y : y + small.shape[0], x : x + small.shape[1]] = small
    return page
