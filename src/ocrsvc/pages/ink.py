"""Finds ink in a picture, and runs of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_CONTRAST = 24  # grey levels; lower contrast is not visible
_SHARE = 0.35  # share of the strongest contrast above which a pixel is ink


def inked(contrast: NDArray[np.floating] | NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return where the contrast to the background ``[H,W]``, in grey levels, is that of ink."""
    return np.asarray(contrast > max(LEAST_CONTRAST, _SHARE * float(contrast.max())))


def runs(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first and one past the last index of each run of True in ``mask`` ``[N]``."""
    borders = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return borders[::2], borders[1::2]
