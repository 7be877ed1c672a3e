"""Named steps that change a picture of a line before it is read: what blog posts advise for bad photographs.

None is on by default: on real pictures the recognisers read best what they were trained on, the picture as it is
(docs/preprocessing.md has the table).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import cv2
import numpy as np

from ocrsvc.errors import InvalidParameter
from ocrsvc.pages.source import Pixels

_CLAHE_CLIP, _CLAHE_GRID = 2.0, (8, 8)
_ADAPTIVE_BLOCK_PIXELS, _ADAPTIVE_OFFSET = 11, 2
_STRETCH_SHARE = 0.01  # of the pixels at either end that may saturate


def gray(image: Pixels) -> Pixels:
    """Without colour, still ``uint8 [H,W,3]``."""
    return _three(_gray(image))


def clahe(image: Pixels) -> Pixels:
    """Contrast-limited adaptive histogram equalisation of the lightness: clip 2.0, 8x8 tiles; colours stay."""
    lab = cv2.cvtColor(image, cv2.COLOR_BGR2LAB)
    lab[:, :, 0] = cv2.createCLAHE(_CLAHE_CLIP, _CLAHE_GRID).apply(lab[:, :, 0])
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR), dtype=np.uint8)


def stretch(image: Pixels) -> Pixels:
    """Contrast stretched so that the darkest and the brightest 1 % of the values reach 0 and 255."""
    low, high = np.quantile(image, (_STRETCH_SHARE, 1 - _STRETCH_SHARE)).tolist()
    if high - low < 1:
        return image
    table = np.clip((np.arange(256) - low) * (255 / (high - low)), 0, 255).round().astype(np.uint8)
    return np.asarray(cv2.LUT(image, table), dtype=np.uint8)


def adaptive(image: Pixels) -> Pixels:
    """Black and white by a threshold that is local: Gaussian, blocks of 11 pixels, offset 2."""
    return _three(
        np.asarray(
            cv2.adaptiveThreshold(
                _gray(image),
                255,
                cv2.ADAPTIVE_THRESH_GAUSSIAN_C,
                cv2.THRESH_BINARY,
                _ADAPTIVE_BLOCK_PIXELS,
                _ADAPTIVE_OFFSET,
            ),
            dtype=np.uint8,
        )
    )


def denoise(image: Pixels) -> Pixels:
    """Single specks gone: median of 3x3 pixels."""
    return np.asarray(cv2.medianBlur(image, 3), dtype=np.uint8)


def sharpen(image: Pixels) -> Pixels:
    """Edges raised: unsharp mask of radius 1 and strength 0.5."""
    return np.asarray(
        cv2.addWeighted(image, 1.5, cv2.GaussianBlur(image, (0, 0), 1.0), -0.5, 0), dtype=np.uint8
    )


def light(image: Pixels) -> Pixels:
    """Dark ink on light paper: inverted where the border is darker than the middle of the values."""
    plain = _gray(image)
    border = np.concatenate([plain[0], plain[-1], plain[:, 0], plain[:, -1]])
    return np.asarray(255 - image, dtype=np.uint8) if np.median(border) < 100 else image


STEPS: Mapping[str, Callable[[Pixels], Pixels]] = MappingProxyType(
    {step.__name__: step for step in (gray, clahe, stretch, adaptive, denoise, sharpen, light)}
)


def parse(names: str) -> tuple[str, ...]:
    """The steps in a list such as ``stretch,clahe``; InvalidParameter with those there are for another name."""
    found = tuple(name.strip() for name in names.split(",") if name.strip())
    for name in found:
        if name not in STEPS:
            raise InvalidParameter(
                f"There is no step {name!r}; there are {', '.join(STEPS)}.", known=list(STEPS)
            )
    return found


def apply(image: Pixels, names: Sequence[str]) -> Pixels:
    """The line image ``uint8 [H,W,3]`` BGR after these steps, in order; same shape and type."""
    for name in names:
        image = STEPS[name](image)
    return image


def _gray(image: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), dtype=np.uint8)


def _three(plain: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(plain, cv2.COLOR_GRAY2BGR), dtype=np.uint8)
