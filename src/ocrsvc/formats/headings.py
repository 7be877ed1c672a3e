"""How important a heading is: by its height relative to most text of its page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from ocrsvc.results import Block, Line

_RATIOS = (1.8, 1.45)  # least relative heights of headings of levels 1 and 2
_WEIGHED = 8  # characters by which a line counts once more among the heights of a page


def usual_height(blocks: Sequence[Block]) -> float:
    """Return the height of most text of a page, in pixels; long lines count more. 1 without text."""
    heights = [
        height(line) for b in blocks for line in b.lines for _ in range(1 + len(line.text) // _WEIGHED)
    ]
    return median(heights) if heights else 1.0


def level(block: Block, usual: float) -> int:
    """Return the level of a heading, 1 (the most important) to 3, on a page with this usual height of text."""
    ratio = median(height(line) for line in block.lines) / max(1e-6, usual)
    return 1 + sum(ratio < least for least in _RATIOS)


def height(line: Line) -> float:
    """Return the height of a line of text, along its left edge, in pixels."""
    (ax, ay), (bx, by) = line.polygon[0], line.polygon[3]
    return math.hypot(ax - bx, ay - by)
