"""Spoils ink as printers and time do: thin and fat strokes, dots, coarse pixels, gaps, fading."""

from __future__ import annotations

import random

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.float32]  # [H,W], ink coverage 0 to 1


class Wear:
    """Random defects of print, drawn from ``rng`` and ``noise``."""

    def __init__(self, rng: random.Random, noise: np.random.Generator) -> None:
        self.rng = rng
        self.noise = noise

    def worn(self, ink: Gray, *, han: bool) -> Gray:
        """Return the ink thinned, fattened, dotted, coarse, worn or faded; seven of ten lines stay unchanged."""
        rng, draw = self.rng, self.rng.random()
        if draw < 0.06:
            return np.asarray(cv2.erode(ink, np.ones((2, 2), np.uint8)), np.float32)
        if draw < 0.15:
            return np.asarray(cv2.dilate(ink, np.ones((2, 2), np.uint8)), np.float32)
        if draw < 0.19:
            return _matrix(ink, rng.randint(24, 30) if han else rng.randint(13, 19), rng.uniform(0.32, 0.62))
        if draw < 0.21:  # a bitmap face: square pixels
            rows = rng.randint(22, 30) if han else rng.randint(13, 18)
            columns = max(2, round(ink.shape[1] * rows / ink.shape[0]))
            coarse = cv2.resize(ink, (columns, rows), interpolation=cv2.INTER_AREA)
            square = np.where(coarse > 0.42, np.float32(1), np.float32(0))
            return np.asarray(
                cv2.resize(square, ink.shape[::-1], interpolation=cv2.INTER_NEAREST), np.float32
            )
        if draw < 0.24:  # missing scan lines
            mask = np.ones_like(ink)
            mask[:: rng.randint(3, 6), :] = rng.uniform(0, 0.6)
            return ink * mask
        if draw < 0.27:  # worn print
            spots = cv2.GaussianBlur(self.noise.random(ink.shape, np.float32), (0, 0), 1.5)
            return ink * (spots > np.quantile(spots, rng.uniform(0.05, 0.25)))
        if draw < 0.30:  # thermal paper faded in bands
            bands = self.noise.uniform(rng.uniform(0.35, 0.7), 1, max(3, ink.shape[1] // 40))
            along = cv2.resize(
                bands.astype(np.float32)[None], (ink.shape[1], 1), interpolation=cv2.INTER_CUBIC
            )
            return ink * np.clip(along, 0.3, 1)
        return ink


def _matrix(ink: Gray, rows: int, radius: float) -> Gray:
    """Return the ink as dot-matrix print with ``rows`` rows; ``radius`` as a fraction of the dots' distance."""
    columns = max(2, round(ink.shape[1] * rows / ink.shape[0]))
    struck = cv2.resize(ink, (columns, rows), interpolation=cv2.INTER_AREA) > 0.4
    cell = max(3, round(ink.shape[0] / rows) + 1)
    middle = (cell - 1) / 2
    y, x = np.mgrid[:cell, :cell]
    dot = np.clip(radius * cell + 0.5 - np.hypot(y - middle, x - middle), 0, 1).astype(np.float32)
    dots = np.kron(struck.astype(np.float32), dot)
    return np.asarray(cv2.resize(dots, ink.shape[::-1], interpolation=cv2.INTER_AREA), np.float32)
