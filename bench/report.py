"""What every bench writes: a JSON file, a table for people, where asked for a plot."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Series = Mapping[str, Sequence[tuple[float, float]]]  # by name: (x, y), in the order of x
Groups = Mapping[str, Mapping[str, float]]  # by group: value by name

_PANEL_INCHES = (5.2, 3.6)


def parser(about: str | None, name: str, *, rounds: int, plot: bool = False) -> argparse.ArgumentParser:
    """A parser with the options that all benches share; ``rounds`` 0 is for one that has no rounds."""
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    if rounds:
        made.add_argument(
            "--rounds", type=positive, default=rounds, help=f"turns that each has (default: {rounds})"
        )
    made.add_argument("--json", type=Path, default=Path(f"bench/results/{name}.json"), metavar="FILE")
    made.add_argument("--markdown", action="store_true", help="tables for a document")
    if plot:
        made.add_argument(
            "--plot", type=Path, metavar="FILE", help="also draw it: .svg or .png (pip install matplotlib)"
        )
    return made


def positive(text: str) -> int:
    """A whole number from 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1")
    return number


def numbers(text: str) -> list[int]:
    """Whole numbers from 1 with commas between them, for argparse."""
    return [positive(part) for part in text.split(",")]


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Write the document as JSON and make the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")


def table(rows: Sequence[Sequence[str]], *, markdown: bool = False) -> str:
    """Rows as columns of equal width; the first row is the head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    if not markdown:
        return "\n".join("  ".join(line).rstrip() for line in lines)
    drawn = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([drawn[0], "|---" * len(widths) + "|", *drawn[1:]])


def machine_line(document: Mapping[str, Any]) -> str:
    """On what it was measured, in one line."""
    return (
        f"{document['cores']} cores of {document['cpu']}, load {document['load_average']}, "
        f"onnxruntime {document['onnxruntime']}, commit {document['commit']}"
    )


def plot(
    path: Path, panels: Sequence[tuple[str, str, Series]], *, x: str, title: str, log: bool = False
) -> None:
    """Draw panels (label of y, what else to say of it, series) side by side over one ``x``; the format is the
    suffix's. ``log`` makes x logarithmic to base 2, with a mark at each of its values. SystemExit without matplotlib.
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
    """Draw panels (label of the value, groups) of lying bars side by side, each value written at its end; all groups of
    a panel have the same series. SystemExit without matplotlib.
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
