"""Draws a text as a line image and spoils it the way cameras, scanners, printers and detectors do.

``draw`` returns what our cropper would cut out of a photo: uint8 BGR [H,W,3], text on some background, with a
margin as uneven as a detector's. Degradations follow recognition research: the real faults are low resolution,
blur, JPEG, uneven light, neighbours and rules in the crop, slant, and thin or fat strokes.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ocrsvc.training.camera import Bgr, Camera, Picture
from ocrsvc.training.fonts import Face, Library
from ocrsvc.training.plates import PLATE, Plates

Gray = NDArray[np.float32]  # [H,W], coverage 0 to 1
_HAN = re.compile(r"[^\x00-\x7f]")
_CARD = re.compile(r"^\d{3,4}( \d{3,4})*$")


@dataclass(frozen=True)
class Style:
    """Choices for one line that do not depend on its text."""

    size_pixels: int
    spacing: float
    gap: float
    stretch: float


class Synthesiser:
    """Draws lines; deterministic for a seed."""

    def __init__(self, library: Library, seed: int) -> None:
        self.library = library
        self.rng = random.Random(seed)
        self.noise = np.random.default_rng(seed)
        self.camera = Camera(self.rng, self.noise)
        self.plates = Plates(library, self.rng)

    # --- glyphs -------------------------------------------------------------------------------------------------

    def _face(self, faces: Sequence[Face], text: str) -> Face | None:
        for _ in range(12 if faces else 0):
            face = self.rng.choices(faces, weights=[face.weight for face in faces])[0]
            if face.covers(text):
                return face
        return next((face for face in faces if face.covers(text)), None)

    def _faces(self, text: str) -> tuple[Face, Face] | None:
        """A face for Chinese and one for the rest: the same face, or a Latin one beside it."""
        rng = self.rng
        if not _HAN.search(text):
            if self.library.segment and re.fullmatch(r"[\d.:-]+", text) and rng.random() < 0.06:
                faces: Sequence[Face] = self.library.segment
            else:
                faces = self.library.latin if rng.random() < 0.8 else self.library.cjk
            face = self._face(faces, text) or self._face(self.library.cjk, text)
            return (face, face) if face else None
        han = "".join(_HAN.findall(text))
        ascii_part = _HAN.sub("", text)
        face = self._face(self.library.cjk, text)
        if face is None or (ascii_part and rng.random() < 0.4):
            other = self._face(self.library.latin, ascii_part)
            base = self._face(self.library.cjk, han)
            if base is None or other is None:
                return (face, face) if face else None
            return base, other
        return face, face

    def _ink(self, text: str) -> Gray | None:
        """Coverage 0..1 of the drawn text, tight to its ink."""
        rng = self.rng
        faces = self._faces(text)
        if faces is None:
            return None
        style = Style(
            size_pixels=rng.randint(26, 58),
            spacing=rng.choice((0, 0, 0, 0, rng.uniform(-0.04, 0.25))),
            gap=rng.choice((0.25, rng.uniform(0.16, 0.7))),
            stretch=rng.choice((1, 1, rng.uniform(0.75, 1.3))),
        )
        size = style.size_pixels
        runs = [
            (run, faces[1] if run.isascii() else faces[0])
            for run in re.findall(r" +|[\x21-\x7e]+|[^\x00-\x7f]+", text)
        ]
        canvas = Image.new(
            "L", (int(size * 1.4 * (len(text) * (1 + max(style.spacing, 0)) + 4)), size * 3), 0
        )
        pen = ImageDraw.Draw(canvas)
        x = float(size)
        for run, face in runs:
            font = face.at(size)
            if run[0] == " ":
                x += size * style.gap * len(run)
            elif style.spacing:
                for character in run:
                    pen.text((x, size * 2), character, 255, font=font, anchor="ls")
                    x += font.getlength(character) + size * style.spacing
            else:
                pen.text((x, size * 2), run, 255, font=font, anchor="ls")
                x += font.getlength(run)
        ink = np.asarray(canvas, np.float32) / np.float32(255)
        columns = np.flatnonzero(ink.max(axis=0) > 0.2)
        rows = np.flatnonzero(ink.max(axis=1) > 0.2)
        if not len(columns) or not len(rows):
            return None
        # Line boxes follow the script's body rather than the ink of a lone dash or full stop.
        top, bottom = rows[0], rows[-1] + 1
        if bottom - top < size * 0.6:
            top, bottom = min(top, round(size * 1.25)), max(bottom, round(size * 2.02))
        ink = np.asarray(ink[top:bottom, columns[0] : columns[-1] + 1], np.float32)
        if style.stretch != 1:
            stretched = max(2, round(ink.shape[1] * style.stretch)), ink.shape[0]
            ink = np.asarray(cv2.resize(ink, stretched), np.float32)
        return self._stroke(ink)

    def _stroke(self, ink: Gray) -> Gray:
        draw = self.rng.random()
        if draw < 0.06:
            return np.asarray(cv2.erode(ink, np.ones((2, 2), np.uint8)), np.float32)
        if draw < 0.16:
            return np.asarray(cv2.dilate(ink, np.ones((2, 2), np.uint8)), np.float32)
        if draw < 0.20:  # thermal or dot-matrix print: dots or missing scan lines
            step = self.rng.randint(3, 5)
            mask = np.ones_like(ink)
            mask[::step, :] = self.rng.uniform(0, 0.5)
            if self.rng.random() < 0.5:
                mask[:, ::step] = self.rng.uniform(0, 0.5)
            return ink * mask
        if draw < 0.24:  # worn print
            spots = cv2.GaussianBlur(self.noise.random(ink.shape, np.float32), (0, 0), 1.5)
            return ink * (spots > np.quantile(spots, self.rng.uniform(0.05, 0.25)))
        return ink

    # --- paper ----------------------------------------------------------------------------------------------------

    def _background(self, height: int, width: int, base: NDArray[np.float32]) -> Picture:
        rng = self.rng
        picture = np.broadcast_to(base, (height, width, 3)).astype(np.float32)
        draw = rng.random()
        if draw < 0.35:
            return picture
        if draw < 0.65:  # uneven light
            left, right = rng.uniform(0.7, 1.05), rng.uniform(0.7, 1.05)
            picture *= np.linspace(left, right, width, dtype=np.float32)[None, :, None]
            picture *= np.linspace(rng.uniform(0.85, 1), rng.uniform(0.85, 1), height, dtype=np.float32)[
                :, None, None
            ]
            return picture
        # texture: smooth noise at some scale, in gray or in colour
        cells = (max(2, height // rng.randint(4, 24)), max(2, width // rng.randint(4, 24)))
        colours = 3 if rng.random() < 0.4 else 1
        texture = cv2.resize(
            self.noise.normal(0, rng.uniform(4, 30), (*cells, colours)).astype(np.float32), (width, height)
        )
        return picture + texture.reshape(height, width, -1)

    def _colours(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Ink and paper colour, 0..255, apart enough to read."""
        rng = self.rng
        draw = rng.random()
        if draw < 0.55:  # dark on light
            paper, ink = rng.uniform(150, 255), rng.uniform(0, 90)
            pair = np.full(3, ink), np.full(3, paper)
        elif draw < 0.68:  # light on dark
            pair = np.full(3, rng.uniform(160, 255)), np.full(3, rng.uniform(0, 100))
        else:
            while True:
                pair = self.noise.uniform(0, 255, 3), self.noise.uniform(0, 255, 3)
                if abs(float(np.dot(pair[0] - pair[1], (0.114, 0.587, 0.299)))) > 45:
                    break
        tint = self.noise.normal(0, 7, 3)
        return (pair[0] + tint).astype(np.float32), (pair[1] - tint).astype(np.float32)

    def _clutter(self, alpha: Gray, x: int, y: int, height: int, width: int) -> None:
        """Rules, underlines and slices of neighbouring lines inside the crop, in the ink's colour."""
        rng = self.rng
        rows, columns = alpha.shape
        if rng.random() < 0.07:
            at = min(rows - 1, y + height + rng.randint(0, max(1, rows - y - height - 1)))
            alpha[at : at + rng.randint(1, 2), :] = rng.uniform(0.5, 1)
        if rng.random() < 0.04:
            alpha[: rng.randint(1, 2), :] = rng.uniform(0.5, 1)
        for side in (0, 1):
            if rng.random() < 0.03:
                at = (
                    rng.randint(0, max(0, x - 2))
                    if side == 0
                    else rng.randint(min(columns - 1, x + width + 1), columns - 1)
                )
                if at < x - 1 or at > x + width:
                    alpha[:, at : at + 2] = rng.uniform(0.5, 1)
        if (
            rng.random() < 0.10
            and (other := self._ink("".join(rng.choices("ABCegopqy国的中一8", k=6)))) is not None
        ):
            other = np.asarray(cv2.resize(other, (min(columns, other.shape[1]), height)), np.float32)
            left = rng.randint(0, columns - other.shape[1])
            if rng.random() < 0.5 and y > 1:
                band = min(y - 1, 6)
                alpha[:band, left : left + other.shape[1]] = np.maximum(
                    alpha[:band, left : left + other.shape[1]], other[-band:]
                )
            else:
                band = min(rows - y - height - 1, 6)
                if band > 0:
                    alpha[-band:, left : left + other.shape[1]] = np.maximum(
                        alpha[-band:, left : left + other.shape[1]], other[:band]
                    )

    # --- the whole line -------------------------------------------------------------------------------------------

    def draw(self, text: str) -> Bgr | None:
        """The line as uint8 BGR [H,W,3], or None if no face has all its characters."""
        rng = self.rng
        raised = False
        if PLATE.match(text):
            plate = self.plates.draw(text)
            if plate is None:
                return None
            ink, dark, paper = plate.ink, plate.colour, plate.ground
        else:
            drawn, (dark, paper) = self._ink(text), self._colours()
            if drawn is None:
                return None
            ink = drawn
            raised = bool(_CARD.match(text)) and rng.random() < 0.6
        alpha = self._crop(ink)
        picture = self._background(alpha.shape[0], alpha.shape[1], paper)
        picture = self._emboss(picture, alpha, dark - paper) if raised else self._print(picture, alpha, dark)
        return self.camera.shoot(self.camera.warp(picture.astype(np.float32)))

    def _crop(self, ink: Gray) -> Gray:
        """The ink with a margin as uneven as a detector's, and what else lies in such a crop."""
        rng = self.rng
        height, width = ink.shape
        margin = [max(0, round(height * rng.uniform(-0.02, 0.28))) for _ in range(2)]
        side = [
            max(
                0,
                round(height * rng.choice((rng.uniform(0, 0.25), rng.uniform(0, 0.25), rng.uniform(0, 1.2)))),
            )
            for _ in range(2)
        ]
        alpha = np.zeros((height + sum(margin), width + sum(side)), np.float32)
        alpha[margin[0] : margin[0] + height, side[0] : side[0] + width] = ink
        self._clutter(alpha, side[0], margin[0], height, width)
        return alpha

    def _emboss(self, picture: Picture, alpha: Gray, difference: NDArray[np.float32]) -> Picture:
        """Raised digits of a card: light on one edge, shadow on the other, little colour of their own."""
        rng = self.rng
        shift = rng.randint(1, 3)
        relief = (np.roll(alpha, (-shift, -shift), (0, 1)) - np.roll(alpha, (shift, shift), (0, 1)))[
            ..., None
        ]
        picture = picture + relief * np.float32(rng.uniform(40, 110))
        if rng.random() < 0.6:
            picture = picture + alpha[..., None] * difference * np.float32(rng.uniform(0.1, 0.7))
        return picture

    def _print(self, picture: Picture, alpha: Gray, dark: NDArray[np.float32]) -> Picture:
        """Ink on paper, at times with a drop shadow below or half transparent."""
        rng = self.rng
        if rng.random() < 0.06:
            shade = np.roll(alpha, (rng.randint(1, 3), rng.randint(1, 3)), (0, 1))[..., None] * np.float32(
                0.7
            )
            picture = picture * (1 - shade) + shade * np.float32(rng.uniform(0, 255))
        opacity = alpha[..., None] * np.float32(rng.choice((1, 1, 1, rng.uniform(0.5, 1))))
        return picture * (1 - opacity) + dark * opacity


def sheet(images: Sequence[Bgr], columns: int = 4, cell: tuple[int, int] = (420, 52)) -> Bgr:
    """A contact sheet: each image fitted into a cell, to be looked at."""
    width, height = cell
    rows = (len(images) + columns - 1) // columns
    page = np.full((rows * height, columns * width, 3), 96, np.uint8)
    for i, image in enumerate(images):
        scale = min((width - 6) / image.shape[1], (height - 4) / image.shape[0])
        small = cv2.resize(image, (max(1, int(image.shape[1] * scale)), max(1, int(image.shape[0] * scale))))
        y, x = i // columns * height, i % columns * width
        page[y : y + small.shape[0], x : x + small.shape[1]] = small
    return page
