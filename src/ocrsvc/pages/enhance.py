"""Named preprocessing steps for line images, as often advised for bad photographs.

None is on by default: the recognisers read unchanged pictures best, as in training (table in docs/preprocessing.md).
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
_STRETCH_SHARE = 0.01  # share of the values at either end that saturate


def gray(image: Pixels) -> Pixels:
    """Remove the colour; the result is still ``uint8 [H,W,3]``."""
    return _three(_gray(image))


def clahe(image: Pixels) -> Pixels:
    """Equalise the histogram of the lightness locally with limited contrast (CLAHE): clip 2.0, 8x8 tiles."""
    lab = cv2.cvtColor(image, cv2.COLOR_BGR2LAB)
    lab[:, :, 0] = cv2.createCLAHE(_CLAHE_CLIP, _CLAHE_GRID).apply(lab[:, :, 0])
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR), dtype=np.uint8)


def stretch(image: Pixels) -> Pixels:
    """Stretch the contrast so that the darkest and the brightest 1 % of the values reach 0 and 255."""
    low, high = np.quantile(image, (_STRETCH_SHARE, 1 - _STRETCH_SHARE)).tolist()
    if high - low < 1:
        return image
    table = np.clip((np.arange(256) - low) * (255 / (high - low)), 0, 255).round().astype(np.uint8)
    return np.asarray(cv2.LUT(image, table), dtype=np.uint8)


def adaptive(image: Pixels) -> Pixels:
    """Binarise with a local threshold: Gaussian, blocks of 11 pixels, offset 2."""
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
    """Remove single specks with a median of 3x3 pixels."""
    return np.asarray(cv2.medianBlur(image, 3), dtype=np.uint8)


def sharpen(image: Pixels) -> Pixels:
    """Sharpen edges with an unsharp mask of radius 1 and strength 0.5."""
    return np.asarray(
        cv2.addWeighted(image, 1.5, cv2.GaussianBlur(image, (0, 0), 1.0), -0.5, 0), dtype=np.uint8
    )


def light(image: Pixels) -> Pixels:
    """Invert the picture if its border is dark, to get dark ink on light paper."""
    plain = _gray(image)
    border = np.concatenate([plain[0], plain[-1], plain[:, 0], plain[:, -1]])
    return np.asarray(255 - image, dtype=np.uint8) if np.median(border) < 100 else image


STEPS: Mapping[str, Callable[[Pixels], Pixels]] = MappingProxyType(
    {step.__name__: step for step in (gray, clahe, stretch, adaptive, denoise, sharpen, light)}
)


def parse(names: str) -> tuple[str, ...]:
    """Return the steps in a list such as ``stretch,clahe``; InvalidParameter lists the known ones."""
    found = tuple(name.strip() for name in names.split(",") if name.strip())
    for name in found:
        if name not in STEPS:
            raise InvalidParameter(
                f"There is no step {name!r}; there are {', '.join(STEPS)}.", known=list(STEPS)
            )
    return found


def apply(image: Pixels, names: Sequence[str]) -> Pixels:
    """Apply these steps in order to a line image ``uint8 [H,W,3]`` BGR; shape and type stay the same."""
    for name in names:
        image = STEPS[name](image)
    return image


def _gray(image: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), dtype=np.uint8)


def _three(plain: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(plain, cv2.COLOR_GRAY2BGR), dtype=np.uint8)
