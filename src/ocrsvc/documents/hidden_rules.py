"""Ruled lines that touch or cross texts: parts that other rules confirm, without strokes of characters.

Strokes and baselines of characters look like short rules. But a rule goes on where there is no text: above and below a
text, or from its sides to the next vertical rule.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrsvc.documents.rule_segments import CLOSE_GAP, Ink, Segment, Segments, along, closed, joined

_TOUCH = 0.3  # distance in text heights within which two rules meet
_REACH = 0.5  # a rule that reaches over another on both sides by so many text heights crosses it
_MARGIN = 0.15  # above and below a text, in text heights, a vertical rule goes on
_BESIDE = 0.2  # distance in text heights at which a stroke may still be of a text
_INK_SHARE = 0.92  # least share of ink in a vertical rule across a text, ..
_FREE_SHARE = 0.85  # .. in a horizontal one where there is no text, ..
_GOING_ON = 0.95  # .. and in the part by which one is made longer
_LEAST_FREE = 0.3  # text heights of a horizontal rule in which there is no text,
_LEAST_FREE_ALONE = 0.5  # or so many if it is the only evidence
_SAME_ROW = 0.2  # most difference in height of two parts of a rule, in text heights
_LEAST_PART = 0.5  # of a vertical rule that was cut at texts, in text heights
_SAME_RULE = 0.25  # distance in text heights of two vertical rules that are the same


def without_strokes(page: Ink, down: Segments, across: Segments) -> Segments:
    """Return vertical rules without the parts in texts that have strokes there instead of a rule."""
    height = page.height
    ink = closed(page.ink.T.copy(), height, CLOSE_GAP).T
    margin, beside = _MARGIN * height, _BESIDE * height
    kept: list[Segment] = []
    for x, top, _, bottom in down.tolist():
        over = (page.lows[:, 0] - beside < x) & (x < page.highs[:, 0] + beside)
        over &= (page.lows[:, 1] < bottom) & (page.highs[:, 1] > top)
        texts = sorted(zip(page.lows[over, 1].tolist(), page.highs[over, 1].tolist(), strict=True))
        met = across[(across[:, 0] - margin <= x) & (x <= across[:, 2] + margin)][:, 1]
        # A rule that ends at another one need not go on beyond it.
        first = top if (abs(met - top) <= 2 * margin).any() else -np.inf
        last = bottom if (abs(met - bottom) <= 2 * margin).any() else np.inf
        start = top
        for low, high in texts:
            if not _goes_through(ink, x, max(low - margin, first), min(high + margin, last), margin):
                kept.append(_inked(ink, x, start, low))
                start = max(start, high)
        kept.append(_inked(ink, x, start, bottom))
    kept = [each for each in kept if each[3] - each[1] >= _LEAST_PART * height]
    return np.asarray(kept, dtype=np.float64).reshape(-1, 4)


def _goes_through(ink: NDArray[np.uint8], x: float, top: float, bottom: float, reach: float) -> bool:
    """Return whether there is ink from top to bottom at an x, or within ``reach`` of it: rules may lean a little."""
    strip = ink[max(0, round(top)) : round(bottom)]
    if not len(strip):
        return True
    places = range(max(0, round(x - reach)), min(ink.shape[1] - 1, round(x + reach)) + 1)
    shares = (float(strip[:, max(0, at - 1) : at + 2].max(axis=1).mean()) for at in places)
    return max(shares, default=0.0) >= _INK_SHARE * 255


def _inked(ink: NDArray[np.uint8], x: float, top: float, bottom: float) -> Segment:
    """Return a part of a vertical rule without what is white at its ends."""
    strip = ink[round(top) : round(bottom) + 1, max(0, round(x) - 2) : round(x) + 3]
    if not strip.size:
        return x, top, x, top
    # A horizontal rule is ink as well, but only as high as it is thick.
    rows = np.flatnonzero(cv2.erode(strip.max(axis=1), np.ones((5, 1), np.uint8)))
    return (x, top + int(rows[0]) - 2, x, top + int(rows[-1]) + 2) if len(rows) else (x, top, x, top)


def with_short(page: Ink, steep: Segments, short: Segments, across: Segments) -> Segments:
    """Return vertical rules with those as high as one row of text, if they end at horizontal rules."""
    touch, same = _TOUCH * page.height, _SAME_RULE * page.height
    found = steep.tolist()
    for x, top, _, bottom in short.tolist():
        inside = (
            (abs(steep[:, 0] - x) <= same) & (steep[:, 1] - touch <= top) & (bottom <= steep[:, 3] + touch)
        )
        near = across[(across[:, 0] - touch <= x) & (x <= across[:, 2] + touch)][:, 1]
        if not inside.any() and all((abs(near - end) <= touch).any() for end in (top, bottom)):
            found.append([x, top, x, bottom])
    return np.asarray(found, dtype=np.float64).reshape(-1, 4)


def through_text(page: Ink, clear: Segments, down: Segments, least_length: float) -> Segments:
    """Return the horizontal rules: those ``clear`` of text, and those that go on between texts to vertical ones."""
    height = page.height
    touch, reach, side = _TOUCH * height, _REACH * height, _MARGIN * height
    ink, texts = closed(page.ink, height, CLOSE_GAP), page.text(0)
    accepted: list[list[float]] = clear.tolist()
    waiting: list[list[float]] = []
    for left, y, right, _ in along(
        page.ink, height, least_length, gap=CLOSE_GAP, joined_gap=CLOSE_GAP
    ).tolist():
        near = (down[:, 1] - touch <= y) & (y <= down[:, 3] + touch)
        met = down[near & (left - touch <= down[:, 0]) & (down[:, 0] <= right + touch)][:, 0]
        if len(met) < 2:
            continue
        start, end = max(0.0, left, met.min() - touch), min(right, met.max() + touch)
        place = slice(max(0, round(y) - 2), round(y) + 3), slice(round(start), round(end))
        free = texts[place].max(axis=0) == 0
        for x in (met - start).tolist():
            free[max(0, round(x - side)) : max(0, round(x + side))] = False
        if free.sum() < _LEAST_FREE * height or (ink[place].max(axis=0) > 0)[free].mean() < _FREE_SHARE:
            continue
        crosses = ((left + reach <= met) & (met <= right - reach)).any()
        is_sure = crosses or free.sum() >= _LEAST_FREE_ALONE * height
        (accepted if is_sure else waiting).append([start, y, end, y])
    known = np.array([each[1] for each in accepted])
    accepted += [each for each in waiting if (abs(known - each[1]) <= _SAME_ROW * height).any()]
    rules = joined([(a, b, c, d) for a, b, c, d in accepted], height)
    return _extended(rules, ink, down, height)


def _extended(rules: Segments, ink: NDArray[np.uint8], down: Segments, height: float) -> Segments:
    """Return horizontal rules, longer where ink goes on through texts to a vertical rule or another part."""
    touch = _TOUCH * height

    def goes_on(y: float, left: float, right: float) -> bool:
        strip = ink[max(0, round(y) - 2) : round(y) + 3, max(0, round(left)) : round(right) + 1]
        return strip.size > 0 and float(strip.max(axis=0).mean()) >= _GOING_ON * 255

    longer: list[Segment] = []
    for left, y, right, _ in rules.tolist():
        near = down[(down[:, 1] - touch <= y) & (y <= down[:, 3] + touch)][:, 0]
        parts = rules[abs(rules[:, 1] - y) <= _SAME_ROW * height]
        for goal in sorted({*near.tolist(), *parts[:, 0].tolist()}):
            if goal > right + touch:
                if not goes_on(y, right, goal):
                    break
                right = goal
        for goal in sorted({*near.tolist(), *parts[:, 2].tolist()}, reverse=True):
            if goal < left - touch:
                if not goes_on(y, goal, left):
                    break
                left = goal
        longer.append((left, y, right, y))
    return joined(longer, height)
