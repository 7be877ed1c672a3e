"""Draws backgrounds that look like pictures: gradients, clouds, stripes, blobs, shapes, lights, scenes, tiles."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrsvc.training.drawing.camera import Picture

HELD_OUT = ("tiles",)  # only dev sets draw these


class Textures:
    """Generator of backgrounds; ``held_out`` draws those of ``HELD_OUT``, which training never draws."""

    def __init__(self, rng: random.Random, noise: np.random.Generator, *, held_out: bool = False) -> None:
        self.rng = rng
        self.noise = noise
        every: dict[str, tuple[Callable[[int, int], Picture], float]] = {
            "gradient": (self.gradient, 3),
            "clouds": (self.clouds, 4),
            "stripes": (self.stripes, 1.5),
            "blobs": (self.blobs, 3),
            "shapes": (self.shapes, 3),
            "lights": (self.lights, 1.5),
            "scene": (self.scene, 3),
            "tiles": (self.tiles, 3),
        }
        self.kinds = {name: kind for name, (kind, _) in every.items() if (name in HELD_OUT) == held_out}
        self.weights = [every[name][1] for name in self.kinds]

    def draw(self, height: int, width: int) -> Picture:
        """Return a background float32 [height,width,3]."""
        (kind,) = self.rng.choices(list(self.kinds.values()), self.weights)
        return kind(height, width)

    def _colours(self, count: int) -> NDArray[np.float32]:
        """Draw colours that go together: around one, or anything."""
        low, high = self.rng.choice(((0, 255), (0, 140), (90, 255), (40, 210)))
        if self.rng.random() < 0.5:
            base = self.noise.uniform(low, high, 3)
            return np.clip(base + self.noise.normal(0, 38, (count, 3)), 0, 255).astype(np.float32)
        return self.noise.uniform(low, high, (count, 3)).astype(np.float32)

    def _along(self, height: int, width: int) -> NDArray[np.float32]:
        """Return the distance along a random direction, in heights."""
        angle = self.rng.uniform(0, 2 * math.pi)
        x = np.arange(width, dtype=np.float32) * np.float32(math.cos(angle) / height)
        y = np.arange(height, dtype=np.float32) * np.float32(math.sin(angle) / height)
        return np.asarray(x[None, :] + y[:, None], np.float32)

    def gradient(self, height: int, width: int) -> Picture:
        """Two to four colours that flow into each other in one direction."""
        colours = self._colours(self.rng.randint(2, 4))
        along = self._along(height, width)
        part = (along - along.min()) / (float(np.ptp(along)) + 1e-6) * (len(colours) - 1)
        left = np.minimum(part.astype(np.int32), len(colours) - 2)
        share = (part - left)[..., None]
        return np.asarray(colours[left] * (1 - share) + colours[left + 1] * share, np.float32)

    def clouds(self, height: int, width: int) -> Picture:
        """Noise of several scales between two or three colours, as of foliage, stone, water or skin."""
        rng = self.rng
        level = np.zeros((height, width), np.float32)
        cell, strength = height * rng.uniform(0.5, 2.5), 1.0
        while cell > 2 and strength > 0.08:
            shape = max(2, round(height / cell) + 1), max(2, round(width / cell) + 1)
            grid = self.noise.standard_normal(shape, np.float32)
            level += np.float32(strength) * cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
            cell, strength = cell / 2.3, strength * rng.uniform(0.35, 0.75)
        part = 1 / (1 + np.exp(-level * np.float32(rng.uniform(0.8, 2.5))))
        colours = self._colours(2)
        return np.asarray(colours[0] + part[..., None] * (colours[1] - colours[0]), np.float32)

    def stripes(self, height: int, width: int) -> Picture:
        """Stripes, hard or soft, straight or bent."""
        rng = self.rng
        colours = self._colours(2)
        along = self._along(height, width)
        bent = along + np.float32(rng.uniform(0, 0.3)) * np.sin(
            self._along(height, width) * np.float32(rng.uniform(2, 9))
        )
        wave = np.sin(bent * np.float32(2 * math.pi / rng.uniform(0.12, 1.2)))
        part = np.clip(wave * np.float32(rng.choice((0.6, 1.5, 8))) + 0.5, 0, 1)
        return np.asarray(colours[0] + part[..., None] * (colours[1] - colours[0]), np.float32)

    def _canvas(self, height: int, width: int) -> NDArray[np.uint8]:
        base = self.gradient(height, width) if self.rng.random() < 0.6 else self.clouds(height, width)
        return np.clip(base, 0, 255).astype(np.uint8)

    def blobs(self, height: int, width: int) -> Picture:
        """Blurred ellipses, as of things out of focus."""
        rng, canvas = self.rng, self._canvas(height, width)
        for colour in self._colours(rng.randint(3, 9)):
            at = rng.randint(0, width), rng.randint(-height // 4, height + height // 4)
            axes = rng.randint(2, max(3, height // 2)), rng.randint(2, height)
            cv2.ellipse(canvas, at, axes, rng.randint(0, 180), 0, 360, colour.tolist(), -1)
        return np.asarray(cv2.GaussianBlur(canvas, (0, 0), height * rng.uniform(0.02, 0.15)), np.float32)

    def shapes(self, height: int, width: int) -> Picture:
        """Polygons, rectangles and lines with sharp or slightly blurred edges, as of buildings and interfaces."""
        rng, canvas = self.rng, self._canvas(height, width)
        for colour in self._colours(rng.randint(2, 8)):
            kind, x, y = rng.random(), rng.randint(-height, width), rng.randint(-height // 2, height)
            if kind < 0.4:
                corners = np.array(
                    [
                        (x + rng.randint(0, 2 * height), y + rng.randint(0, 2 * height))
                        for _ in range(rng.randint(3, 5))
                    ]
                )
                cv2.fillPoly(canvas, [corners.astype(np.int32)], colour.tolist(), cv2.LINE_AA)
            elif kind < 0.75:
                end = x + rng.randint(height // 4, 4 * height), y + rng.randint(height // 4, 2 * height)
                cv2.rectangle(canvas, (x, y), end, colour.tolist(), rng.choice((-1, -1, 1, 2)))
            else:
                end = rng.randint(0, width), rng.randint(0, height)
                cv2.line(
                    canvas, (x, y), end, colour.tolist(), rng.randint(1, max(2, height // 8)), cv2.LINE_AA
                )
        if rng.random() < 0.6:
            canvas = np.asarray(cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.4, 2.5)), np.uint8)
        return canvas.astype(np.float32)

    def lights(self, height: int, width: int) -> Picture:
        """Bright discs on a dark ground, as of a street at night."""
        rng = self.rng
        canvas = np.clip(self.gradient(height, width) * np.float32(rng.uniform(0.1, 0.35)), 0, 255).astype(
            np.uint8
        )
        for _ in range(rng.randint(3, 14)):
            colour = self.noise.uniform(80, 255, 3)
            cv2.circle(
                canvas,
                (rng.randint(0, width), rng.randint(0, height)),
                rng.randint(1, max(2, height // 4)),
                colour.tolist(),
                -1,
            )
        return np.asarray(cv2.GaussianBlur(canvas, (0, 0), height * rng.uniform(0.02, 0.1)), np.float32)

    def scene(self, height: int, width: int) -> Picture:
        """A picture in two or three layers: clouds, a horizon with shapes before it, grain."""
        rng = self.rng
        far, near = self.clouds(height, width), self.shapes(height, width)
        steps = (
            self.noise.normal(0, 0.25, max(2, width // max(4, height // 2)) + 1).astype(np.float32).cumsum()
        )
        edge = cv2.resize(
            steps[None, :], (width, 1), interpolation=rng.choice((cv2.INTER_LINEAR, cv2.INTER_NEAREST))
        )
        level = (edge - edge.mean() + np.float32(rng.uniform(0.2, 0.8))) * height
        mask = (np.arange(height, dtype=np.float32)[:, None] > level)[..., None].astype(np.float32)
        grain = self.noise.standard_normal((height, width, 1), np.float32) * np.float32(rng.uniform(0, 10))
        return np.asarray(far * (1 - mask) + near * mask + grain, np.float32)

    def tiles(self, height: int, width: int) -> Picture:
        """Tiles of a wall or a mosaic, each in a shade of its own, with joints."""
        rng = self.rng
        side = max(4, round(height * rng.uniform(0.2, 0.8)))
        rows, columns = height // side + 2, width // side + 2
        shades = self._colours(2)[0] + self.noise.normal(0, 26, (rows, columns, 3))
        wall = np.kron(shades, np.ones((side, side, 1))).astype(np.float32)
        joint = max(1, side // 12)
        for start in range(joint):
            wall[start::side] *= np.float32(0.6)
            wall[:, start::side] *= np.float32(0.6)
        y, x = rng.randrange(side), rng.randrange(side)
        return np.ascontiguousarray(wall[y : y + height, x : x + width])
