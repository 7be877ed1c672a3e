"""Degradations by camera, scanner and file format: perspective, low resolution, blur, noise, JPEG."""

from __future__ import annotations

import math
import random

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]  # [H,W,3] BGR, 0 to 255, slightly beyond between steps
Bgr = NDArray[np.uint8]  # [H,W,3]
# Thresholds of ordered dithering, 0 to 255.
_BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32) * 16 + 8


class Camera:
    """Random degradations of pictures, drawn from ``rng`` and ``noise``."""

    def __init__(self, rng: random.Random, noise: np.random.Generator) -> None:
        self.rng = rng
        self.noise = noise

    def warp(self, picture: Picture) -> Picture:
        """Return half of the pictures in perspective, some slanted; edge pixels fill the margins."""
        rng = self.rng
        if rng.random() < 0.5:
            return picture
        height, width = picture.shape[:2]
        source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        reach = height * rng.uniform(0.02, 0.14)
        target = source + self.noise.uniform(-reach, reach, (4, 2)).astype(np.float32)
        if rng.random() < 0.3:  # slant
            target[:2, 0] += height * rng.uniform(-0.3, 0.3)
        target -= target.min(axis=0)
        size = np.ceil(target.max(axis=0)).astype(int)
        warped = cv2.warpPerspective(
            picture,
            cv2.getPerspectiveTransform(source, target),
            (int(size[0]), int(size[1])),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(warped, np.float32)

    def shoot(self, picture: Picture, *, lowest: int = 12, faint: bool = True) -> Bgr:
        """Return the degraded picture, uint8 BGR, scaled down to a height of ``lowest`` to 64 pixels.

        ``faint`` allows degradations that reduce contrast (a poor scan, a fax).
        """
        rng = self.rng
        picture = self._blur(self._shrink(picture, lowest))
        if rng.random() < 0.03:
            picture = picture + self._moire(*picture.shape[:2])
        if rng.random() < 0.35:
            grain = self.noise.normal(0, rng.uniform(2, 16), (*picture.shape[:2], rng.choice((1, 3))))
            picture = picture + grain.astype(np.float32)
        if faint and rng.random() < 0.13:  # low contrast
            picture = (picture - 128) * rng.uniform(0.35, 0.8) + rng.uniform(90, 165)
        image = np.clip(picture, 0, 255).astype(np.uint8)
        draw = rng.random()
        if draw < 0.07 and faint:
            image = self._office(image)
        elif draw < 0.10:
            image = 255 - image
        if rng.random() < 0.5:
            packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, rng.randint(18, 95)])[1]
            image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
        return image

    def _shrink(self, picture: Picture, lowest: int) -> Picture:
        rng = self.rng
        ranges = ((12, 20), (16, 34), (24, 56), (30, 64))
        target = max(lowest, rng.randint(*rng.choice(ranges)))
        scale = target / picture.shape[0]
        if scale >= 1:
            return picture
        size = max(4, round(picture.shape[1] * scale)), target
        way = rng.choice((cv2.INTER_AREA, cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC))
        return np.asarray(cv2.resize(picture, size, interpolation=way), np.float32)

    def _moire(self, height: int, width: int) -> Picture:
        """Return moiré between a screen's pixels and the camera's: coloured fringes, a few pixels apart."""
        rng = self.rng
        y, x = np.mgrid[:height, :width].astype(np.float32)
        angle, period = rng.uniform(0, math.pi), rng.uniform(2.2, 9)
        along = x * np.float32(math.cos(angle)) + y * np.float32(math.sin(angle))
        bent = along + np.float32(rng.uniform(0, 4)) * np.sin(x / 31 + y / 17)
        phases = np.array([0, rng.uniform(0, 2), rng.uniform(0, 4)], np.float32)
        fringes = np.sin(bent[..., None] * np.float32(2 * math.pi / period) + phases)
        return np.asarray(fringes * np.float32(rng.uniform(6, 20)), np.float32)

    def _office(self, image: Bgr) -> Bgr:
        """Return the picture as a black-and-white fax, a halftone print or a hard copy, at times with specks."""
        rng, noise = self.rng, self.noise
        gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.float32)
        height, width = gray.shape
        level = cv2.threshold(gray.astype(np.uint8), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0]
        draw = rng.random()
        if draw < 0.45:  # noise before the threshold makes ragged edges
            ragged = cv2.GaussianBlur(noise.normal(0, rng.uniform(0, 28), gray.shape), (0, 0), 0.6)
            gray = np.where(gray + ragged > level, np.float32(255), np.float32(0))
        elif draw < 0.7:  # ordered dithering (Bayer), as newspapers print grey
            screen = np.tile(_BAYER, (height // 4 + 1, width // 4 + 1))[:height, :width]
            part = rng.uniform(0.3, 0.75)
            gray = np.where(gray > level * (1 - part) + screen * part, np.float32(255), np.float32(0))
        else:
            gray = np.clip((gray - level) * rng.uniform(2, 5) + 128, 0, 255)
        specks = noise.random(gray.shape)
        many = rng.choice((0, 0, rng.uniform(0, 0.012)))
        gray = np.where(specks < many, np.float32(0), np.where(specks > 1 - many, np.float32(255), gray))
        return np.asarray(cv2.cvtColor(gray.astype(np.uint8), cv2.COLOR_GRAY2BGR), np.uint8)

    def _blur(self, picture: Picture) -> Picture:
        """Return the picture out of focus, with motion blur, over-sharpened or (two of three) as it is."""
        rng = self.rng
        strength = min(1.0, picture.shape[0] / 30)
        draw = rng.random()
        if draw < 0.22:
            return np.asarray(
                cv2.GaussianBlur(picture, (0, 0), 0.3 + rng.uniform(0.1, 1.1) * strength), np.float32
            )
        if draw < 0.29:  # motion blur in any direction
            length = max(2, round(rng.randint(2, 5) * strength))
            kernel = np.zeros((length, length), np.float32)
            kernel[length // 2, :] = 1
            if length > 2 and rng.random() < 0.5:
                turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), rng.uniform(0, 180), 1)
                kernel = np.asarray(cv2.warpAffine(kernel, turn, (length, length)), np.float32)
            return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()), np.float32)
        if draw < 0.35:
            blurred = np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.2), np.float32)
            return picture + np.float32(0.7) * (picture - blurred)
        return picture
