"""What of a picture is ink, and where it begins and ends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_CONTRAST = 24  # in grey levels; below it there is nothing to see
_SHARE = 0.35  # of the strongest contrast to the ground, from which on a pixel is ink


def inked(contrast: NDArray[np.floating] | NDArray[np.integer]) -> NDArray[np.bool_]:
    """Where the contrast to the ground ``[H,W]``, in grey levels, is that of ink."""
    return np.asarray(contrast > max(LEAST_CONTRAST, _SHARE * float(contrast.max())))


def runs(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and one past the last index of each run of True in ``mask`` ``[N]``."""
    borders = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return borders[::2], borders[1::2]
