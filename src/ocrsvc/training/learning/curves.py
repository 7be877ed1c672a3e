"""Plots the log of a training run: the terms of its loss and the share of lines read, over epochs or steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

PANEL = (560, 320)  # pixels
_MARGIN = (46, 16, 130, 28)  # left, top, right (names), bottom
_COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#17becf", "#7f7f7f")

_AXES = ("epoch", "step")
_LABELS = 12  # most numbers below a panel

Log = Sequence[Mapping[str, float]]


def read(checkpoint: Path) -> list[dict[str, float]]:
    """Return the log of a checkpoint: one row per epoch or per score."""
    log: list[dict[str, float]] = torch.load(checkpoint, weights_only=True)["log"]
    return log


def draw(log: Log) -> Image.Image:
    """Draw two panels: losses from 0 to their maximum, shares from 0 to 1. ValueError for an empty log."""
    if not log:
        raise ValueError("no epoch has been finished yet")
    names = [name for name in log[-1] if name not in _AXES]
    shares = [name for name in names if name.endswith(("_exact", "_strict"))]
    losses = [name for name in names if name not in shares]
    width, height = PANEL
    page = Image.new("RGB", (2 * width, height), "white")
    top = max((row[name] for row in log for name in losses if name in row), default=1.0)
    page.paste(_panel("loss", log, losses, top), (0, 0))
    page.paste(_panel("share of lines read", log, shares, 1.0), (width, 0))
    return page


def _panel(title: str, log: Log, names: Sequence[str], top: float) -> Image.Image:
    width, height = PANEL
    left, upper, right, lower = _MARGIN
    panel = Image.new("RGB", PANEL, "white")
    pen, font = ImageDraw.Draw(panel), ImageFont.load_default(12)
    pen.text((left, 1), title, "black", font=font)
    axis = next(name for name in _AXES if name in log[0])
    first, last = log[0][axis], max(log[-1][axis], log[0][axis] + 1)

    def at(place: float, value: float) -> tuple[float, float]:
        x = left + (place - first) / (last - first) * (width - left - right)
        return x, height - lower - value / top * (height - upper - lower)

    for step in range(5):
        value = top * step / 4
        pen.line((at(first, value), at(last, value)), "#dddddd")
        pen.text((2, at(first, value)[1] - 7), f"{value:.3g}", "black", font=font)
    for row in log[:: 1 + (len(log) - 1) // _LABELS]:
        pen.text((at(row[axis], 0)[0] - 3, height - lower + 6), short(row[axis]), "black", font=font)
    for i, name in enumerate(names):
        colour = _COLOURS[i % len(_COLOURS)]
        points = [at(row[axis], row[name]) for row in log if name in row]
        pen.line(points, colour, 2)
        for x, y in points:
            pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill=colour)
        last_value = f"{log[-1][name]:.3g}"
        pen.text((width - right + 10, upper + 16 * i), f"{name} {last_value}", colour, font=font)
    return panel


def short(place: float) -> str:
    """Return a number as ``7``, ``1500`` or, from ten thousand on, ``12k``."""
    return f"{place / 1000:.0f}k" if place >= 10_000 else f"{place:.0f}"
