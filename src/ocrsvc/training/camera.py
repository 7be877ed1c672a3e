"""What a camera, a scanner and a file format do to a drawn line: perspective, low resolution, blur, noise, JPEG."""

from __future__ import annotations

import random

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]  # [H,W,3] BGR, 0 to 255 and a little beyond
Bgr = NDArray[np.uint8]  # [H,W,3]


class Camera:
    """Photographs pictures; draws its choices from the streams that it is given."""

    def __init__(self, rng: random.Random, noise: np.random.Generator) -> None:
        self.rng = rng
        self.noise = noise

    def warp(self, picture: Picture) -> Picture:
        """Every second picture seen from the side, some slanted; the edges are continued."""
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

    def shoot(self, picture: Picture) -> Bgr:
        """The picture as a file delivers it: uint8 BGR, 11 to 64 pixels high if it was higher."""
        rng = self.rng
        picture = self._blur(self._shrink(picture))
        if rng.random() < 0.35:
            grain = self.noise.normal(0, rng.uniform(2, 16), (*picture.shape[:2], rng.choice((1, 3))))
            picture = picture + grain.astype(np.float32)
        if rng.random() < 0.15:  # little contrast
            picture = (picture - 128) * rng.uniform(0.35, 0.8) + rng.uniform(90, 165)
        image = np.clip(picture, 0, 255).astype(np.uint8)
        if rng.random() < 0.04:  # black and white, as fax machines send
            gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
            binary = cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1]
            image = np.asarray(cv2.cvtColor(binary, cv2.COLOR_GRAY2BGR), np.uint8)
        if rng.random() < 0.5:
            packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, rng.randint(18, 95)])[1]
            image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
        return image

    def _shrink(self, picture: Picture) -> Picture:
        rng = self.rng
        target = rng.choice(
            (rng.randint(11, 20), rng.randint(16, 34), rng.randint(24, 56), rng.randint(30, 64))
        )
        scale = target / picture.shape[0]
        if scale >= 1:
            return picture
        size = max(4, round(picture.shape[1] * scale)), target
        way = rng.choice((cv2.INTER_AREA, cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC))
        return np.asarray(cv2.resize(picture, size, interpolation=way), np.float32)

    def _blur(self, picture: Picture) -> Picture:
        """Out of focus, moved, sharpened too much, or none of these (two of three)."""
        rng = self.rng
        draw = rng.random()
        if draw < 0.22:
            return np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.3)), np.float32)
        if draw < 0.28:
            length = rng.randint(2, 5)
            kernel = np.zeros((length, length), np.float32)
            kernel[length // 2, :] = 1 / length
            return np.asarray(
                cv2.filter2D(picture, -1, kernel if rng.random() < 0.6 else kernel.T), np.float32
            )
        if draw < 0.34:
            blurred = np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.2), np.float32)
            return picture + np.float32(0.7) * (picture - blurred)
        return picture
