"""Plots of the benches, drawn with matplotlib: lines over an axis, and bars with their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Series = Mapping[str, Sequence[tuple[float, float]]]  # by name: (x, y), in the order of x
Groups = Mapping[str, Mapping[str, float]]  # by group: value by name

_PANEL_INCHES = (5.2, 3.6)


def plot(
    path: Path, panels: Sequence[tuple[str, str, Series]], *, x: str, title: str, log: bool = False
) -> None:
    """Draw panels (label of y, title, series) side by side over one ``x``, in the format of the suffix.

    ``log`` makes x logarithmic to base 2, with a mark at each value. SystemExit if matplotlib is missing.
    """
    figure, all_axes = _panels(len(panels), title)
    for axes, (label, about, series) in zip(all_axes, panels, strict=True):
        for name, points in series.items():
            axes.plot([point[0] for point in points], [point[1] for point in points], marker=".", label=name)
        axes.set(xlabel=x, ylabel=label, title=about)
        axes.set_ylim(bottom=0)
        if log:
            axes.set_xscale("log", base=2)
            values = sorted({point[0] for points in series.values() for point in points})
            axes.set_xticks(values, [f"{value:g}" for value in values])
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    _save(figure, path)


def bars(path: Path, panels: Sequence[tuple[str, Groups]], *, title: str) -> None:
    """Draw panels (label of the value, groups) of lying bars side by side, each with its value at its end.

    All groups of a panel have the same series. SystemExit if matplotlib is missing.
    """
    figure, all_axes = _panels(len(panels), title)
    for axes, (label, groups) in zip(all_axes, panels, strict=True):
        series = list(dict.fromkeys(name for values in groups.values() for name in values))
        thick = 0.8 / len(series)
        for place, name in enumerate(series):
            rows = [row + place * thick for row in range(len(groups))]
            drawn = axes.barh(rows, [values[name] for values in groups.values()], height=thick, label=name)
            axes.bar_label(drawn, fmt=_short, padding=2, fontsize="small")
        axes.set_yticks([row + thick * (len(series) - 1) / 2 for row in range(len(groups))], list(groups))
        axes.invert_yaxis()
        axes.set(xlabel=label)
        axes.margins(x=0.15)
        axes.grid(alpha=0.3, axis="x")
        if len(series) > 1:
            axes.legend(fontsize="small")
    _save(figure, path)


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _panels(count: int, title: str) -> tuple[Figure, list[Axes]]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise SystemExit("--plot needs matplotlib: pip install matplotlib") from error
    width, height = _PANEL_INCHES
    figure = Figure(figsize=(width * count, height), layout="constrained")
    figure.suptitle(title)
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def _save(figure: Figure, path: Path) -> None:
    from matplotlib import rc_context

    path.parent.mkdir(parents=True, exist_ok=True)
    with rc_context({"svg.fonttype": "none"}):  # words stay words: a quarter of the size
        figure.savefig(path, dpi=150)
