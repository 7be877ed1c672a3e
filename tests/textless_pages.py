"""Pages without text: empty paper, noise, photographs, rules and borders; a seed fixes each page."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # [H, W, 3], BGR
Canvas = NDArray[np.float64]
Random = np.random.Generator
HEIGHT, WIDTH = 640, 480


def page(kind: str, seed: int) -> Picture:
    """Return a page of this kind (``KINDS``)."""
    rng = np.random.default_rng([seed, *kind.encode()])
    canvas = KINDS[kind](rng)
    if rng.random() < 0.5:
        canvas = canvas + rng.normal(0, rng.uniform(1, 5), canvas.shape)
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _paper(rng: Random) -> Canvas:
    return np.full((HEIGHT, WIDTH, 3), rng.uniform(225, 255))


def _ink(rng: Random) -> tuple[float, float, float]:
    blue, green, red = rng.uniform(0, 130, 3).tolist()
    return (blue, green, red)


def _empty(rng: Random) -> Canvas:
    """Paper in uneven light, with a fold and the dark edge of a scanner's lid."""
    canvas = _paper(rng) + np.linspace(rng.uniform(-30, 0), rng.uniform(0, 10), WIDTH)[None, :, None]
    if rng.random() < 0.5:
        fold = int(rng.integers(100, HEIGHT - 100))
        canvas[fold : fold + int(rng.integers(2, 8))] -= rng.uniform(10, 60)
        canvas[:, : int(rng.integers(3, 30))] -= rng.uniform(50, 200)
    return canvas


def _noise(rng: Random) -> Canvas:
    """Grain, coarse grain, salt and pepper, or the specks of a bad copier."""
    kind = rng.integers(0, 4)
    if kind == 0:
        return rng.normal(128, rng.uniform(20, 80), (HEIGHT, WIDTH, 1)).repeat(3, axis=2)
    if kind == 1:
        grain = int(rng.integers(3, 10))
        small = rng.normal(160, 60, (HEIGHT // grain, WIDTH // grain, 3)).astype(np.float32)
        return np.asarray(cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.float64)
    canvas = _paper(rng)
    if kind == 2:
        canvas[rng.random((HEIGHT, WIDTH)) < rng.uniform(0.001, 0.05)] = rng.uniform(0, 80)
        return canvas
    for _ in range(int(rng.integers(30, 150))):
        centre = int(rng.integers(0, WIDTH)), int(rng.integers(0, HEIGHT))
        axes = int(rng.integers(1, 6)), int(rng.integers(1, 6))
        cv2.ellipse(canvas, centre, axes, float(rng.uniform(0, 180)), 0, 360, _ink(rng), -1)
    return canvas


def _photograph(rng: Random) -> Canvas:
    """Houses with windows, a wall of bricks, things in a room, or grass, in clouded light."""
    canvas = _paper(rng) - rng.uniform(0, 120, 3)
    clouds = np.asarray(
        cv2.resize(
            rng.normal(0, 25, (8, 6)).astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC
        )
    )
    canvas += clouds[:, :, None]
    kind = rng.integers(0, 4)
    if kind == 0:
        for _ in range(5):
            x, y = int(rng.integers(0, WIDTH - 100)), int(rng.integers(60, 260))
            wide = int(rng.integers(60, 150))
            cv2.rectangle(canvas, (x, y), (x + wide, HEIGHT), rng.uniform(60, 220, 3).tolist(), -1)
            for left in range(x + 6, x + wide - 14, 22):
                for top in range(y + 8, HEIGHT - 20, 28):
                    cv2.rectangle(canvas, (left, top), (left + 11, top + 15), _ink(rng), -1)
    elif kind == 1:
        colour = rng.uniform(60, 180, 3)
        for row, top in enumerate(range(0, HEIGHT, 26)):
            for left in range(-(row % 2) * 30, WIDTH, 60):
                brick = (colour + rng.normal(0, 12, 3)).tolist()
                cv2.rectangle(canvas, (left + 2, top + 2), (left + 57, top + 23), brick, -1)
    elif kind == 2:
        for _ in range(15):
            centre = int(rng.integers(0, WIDTH)), int(rng.integers(0, HEIGHT))
            axes = int(rng.integers(8, 90)), int(rng.integers(8, 60))
            cv2.ellipse(
                canvas, centre, axes, float(rng.uniform(0, 180)), 0, 360, rng.uniform(0, 255, 3).tolist(), -1
            )
    else:
        for _ in range(700):
            x, y, lean = int(rng.integers(0, WIDTH)), int(rng.integers(0, HEIGHT)), rng.normal(0, 8)
            cv2.line(canvas, (x, y), (int(x + lean), y - int(rng.integers(8, 40))), _ink(rng), 1)
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.5, 1.5)), np.float64)


def _rules(rng: Random) -> Canvas:
    """Lined paper, an empty table, dashed rules, or rules and boxes of all lengths."""
    canvas, ink, thick = _paper(rng), _ink(rng), int(rng.integers(1, 5))
    kind = rng.integers(0, 4)
    if kind == 0:
        for y in range(50, HEIGHT - 30, int(rng.integers(20, 50))):
            cv2.line(canvas, (30, y), (WIDTH - 30, y), ink, thick)
    elif kind == 1:
        rows = np.cumsum(rng.integers(20, 60, 8)).tolist()
        columns = np.cumsum(rng.integers(40, 110, 4)).tolist()
        for y in rows:
            cv2.line(canvas, (columns[0], y), (columns[-1], y), ink, thick)
        for x in columns:
            cv2.line(canvas, (x, rows[0]), (x, rows[-1]), ink, thick)
    elif kind == 2:
        on, off = int(rng.integers(2, 20)), int(rng.integers(3, 14))
        for y in range(60, HEIGHT - 40, 70):
            for x in range(40, WIDTH - 40, on + off):
                cv2.line(canvas, (x, y), (x + on, y), ink, thick)
    else:
        for _ in range(15):
            x, y, long = (int(rng.integers(20, limit)) for limit in (WIDTH - 160, HEIGHT - 60, 140))
            end = ((x + long, y), (x, y + min(long, 40)), (x + long, y + 30))[int(rng.integers(0, 3))]
            cv2.rectangle(canvas, (x, y), end, ink, thick)
    return canvas


def _borders(rng: Random) -> Canvas:
    """Frames, ornaments of circles or zigzags, the black margins, holes and staples of a scan."""
    canvas, ink = _paper(rng), _ink(rng)
    margin, step = int(rng.integers(12, 40)), int(rng.integers(14, 30))
    cv2.rectangle(canvas, (margin, margin), (WIDTH - margin, HEIGHT - margin), ink, int(rng.integers(1, 9)))
    inner = margin + 24
    kind = rng.integers(0, 4)
    if kind == 1:
        for x in range(inner, WIDTH - inner, step):
            for y in (inner, HEIGHT - inner):
                cv2.circle(canvas, (x, y), step // 3, ink, 2)
        for y in range(inner, HEIGHT - inner, step):
            for x in (inner, WIDTH - inner):
                cv2.circle(canvas, (x, y), step // 3, ink, 2)
    elif kind == 2:
        for y in (inner, HEIGHT - inner):
            points = [(x, y + (step // 2) * (i % 2)) for i, x in enumerate(range(inner, WIDTH - inner, step))]
            cv2.polylines(canvas, [np.array(points, np.int32)], False, ink, 2)
    elif kind == 3:
        canvas[: int(rng.integers(10, 50))] = canvas[:, -int(rng.integers(10, 50)) :] = rng.uniform(0, 60)
        for y in (HEIGHT // 3, 2 * HEIGHT // 3):
            cv2.circle(canvas, (30, y), 11, (40.0, 40.0, 40.0), -1)
        cv2.line(canvas, (50, 40), (80, 60), (60.0, 60.0, 60.0), 3)
    return canvas


KINDS: Mapping[str, Callable[[Random], Canvas]] = {
    "empty": _empty,
    "noise": _noise,
    "photograph": _photograph,
    "rules": _rules,
    "borders": _borders,
}
