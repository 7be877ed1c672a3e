"""The frame of every bench: its options, turns, medians and ratios, and its report.

A bench makes a ``parser``, takes the ``head`` of its report, measures in turns, and calls ``finish``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import machine

Name = TypeVar("Name")
Result = TypeVar("Result")
Spread = dict[str, float]  # median, p10 and p90
Rows = list[list[str]]  # a table; the first row is its head
Part = str | Rows  # of the text that a bench prints


def parser(
    about: str | None,
    bench: str,
    *,
    data: bool = False,
    limit: int | None = None,
    rounds: int = 0,
    seconds: float = 0,
    model: bool = False,
    precision: str = "",
    plot: bool = False,
) -> argparse.ArgumentParser:
    """Return a parser of the options that benches share. An option means the same in every bench that has it.

    ``limit``, ``rounds``, ``seconds`` and ``precision`` are defaults. A bench whose ``rounds``, ``seconds`` or
    ``precision`` is 0 or empty has no such option.
    """
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.set_defaults(bench=bench, plot=None)
    add = made.add_argument
    if data:
        add(
            "data", type=Path, metavar="DATA_DIR", help="a folder of SOURCE/manifest.jsonl beside SOURCE/img/"
        )
        every = f"samples of each source, always the same ones (default: {limit or 'all'})"
        add("--limit", type=positive, default=limit, metavar="N", help=every)
    if model:
        add("--model", default="crnn", help="a model's name or folder (default: %(default)s)")
    if precision:
        add("--precision", choices=["int8", "fp32"], default=precision, help="default: %(default)s")
    if rounds:
        add(
            "--rounds",
            type=positive,
            default=rounds,
            metavar="N",
            help="turns of each (default: %(default)s)",
        )
    if seconds:
        add("--seconds", type=float, default=seconds, help="length of a turn (default: %(default)s)")
    add("--json", type=Path, default=Path(f"bench/results/{bench}.json"), metavar="FILE", help="the report")
    add("--markdown", action="store_true", help="print tables for a document")
    if plot:
        add("--plot", type=Path, metavar="FILE", help="also draw it, as .svg or .png (needs matplotlib)")
    return made


def positive(text: str) -> int:
    """Return a whole number from 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1")
    return number


def numbers(text: str) -> list[int]:
    """Return whole numbers from 1 that commas separate, for argparse."""
    return [positive(part) for part in text.split(",")]


def names(text: str) -> list[str]:
    """Return names that commas separate, for argparse."""
    return [name for name in text.split(",") if name]


def head(options: argparse.Namespace, packages: Iterable[str] = ()) -> dict[str, Any]:
    """Return the first fields of a report: the machine, versions of libraries, the commit and the options.

    Call it before anything is measured: the load of the machine is part of it. ``packages`` adds libraries.
    """
    return {"bench": options.bench, **machine.describe(packages), "options": vars(options)}


def order(names: Sequence[Name], turn: int) -> list[Name]:
    """Return the names in the order of this round.

    Every other round goes backwards. Over enough rounds everybody is first as often as last.
    """
    shift = turn // 2 % len(names)
    turned = [*names[shift:], *names[:shift]]
    return turned[::-1] if turn % 2 else turned


def take_turns(
    names: Iterable[Name], rounds: int, act: Callable[[Name, int], Result]
) -> list[dict[Name, Result]]:
    """Let each name act once in each round, and return the results of each round by name.

    A machine that is busy for a while slows all names of a round alike: compare results within a round.
    """
    listed, done = list(names), []
    for turn in range(rounds):
        results = {}
        for name in order(listed, turn):
            tell(f"round {turn + 1} of {rounds}: {name}")
            results[name] = act(name, turn)
        done.append(results)
    return done


def tell(progress: str) -> None:
    """Show on standard error how far the bench is. The next call overwrites it."""
    print(progress[:78].ljust(78), end="\r", file=sys.stderr)


def spread(values: Sequence[float]) -> Spread:
    """Return the median and the 10th and 90th percentile."""
    if len(values) == 1:
        low = high = values[0]
    else:
        low, *_, high = statistics.quantiles(values, n=10, method="inclusive")
    return {"median": round(statistics.median(values), 3), "p10": round(low, 3), "p90": round(high, 3)}


def ratio(over: Sequence[float], under: Sequence[float]) -> Spread:
    """Return the spread of the ratios of each round."""
    return spread([a / b for a, b in zip(over, under, strict=True)])


def percentile(ascending: Sequence[float], share: float) -> float:
    """Return the value that ``share`` percent of the values do not exceed (nearest rank)."""
    return ascending[max(0, -(-len(ascending) * int(share * 10) // 1000) - 1)]


def summary(turns: Sequence[Mapping[str, float | None]], counts: Collection[str] = ()) -> dict[str, Any]:
    """Return the spread of each figure over the turns.

    Figures in ``counts`` are added up instead. None stands for a figure that no turn has.
    """
    summed: dict[str, Any] = {}
    for name in turns[0]:
        values = [value for turn in turns if (value := turn[name]) is not None]
        if name in counts:
            summed[name] = int(sum(values))
        else:
            summed[name] = spread(values) if values else None
    return summed


def finish(
    options: argparse.Namespace,
    document: Mapping[str, Any],
    parts: Sequence[Part],
    draw: Callable[[Path, Mapping[str, Any]], None] | None = None,
) -> None:
    """Write the report, print the machine and the parts, and ``draw`` the plot if the options ask for one."""
    write(options.json, document)
    print(machine_line(document), render(parts, markdown=options.markdown), sep="\n\n")
    if draw is not None and options.plot:
        draw(options.plot, document)


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Write the document as JSON, and make the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, indent=1, ensure_ascii=False, default=_plain)
    path.write_text(text, encoding="utf-8")


def _plain(value: Any) -> object:
    """Return what JSON has instead: a dictionary for a dataclass, text for a path."""
    return str(value) if isinstance(value, Path) else vars(value)


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write each row as a line of JSON, and make the folders above the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def render(parts: Sequence[Part], *, markdown: bool) -> str:
    """Return the parts below each other, tables drawn."""
    return "\n\n".join(part if isinstance(part, str) else table(part, markdown=markdown) for part in parts)


def table(rows: Rows, *, markdown: bool = False) -> str:
    """Return the rows as columns of equal width, or as a table in Markdown."""
    if markdown:
        first, *others = [f"| {' | '.join(row)} |" for row in rows]
        return "\n".join([first, "|---" * len(rows[0]) + "|", *others])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def cells(value: Mapping[str, float] | None, digits: int) -> list[str]:
    """Return two cells for a spread: the median, and from p10 to p90."""
    if value is None:
        return ["-", "-"]
    return [f"{value['median']:.{digits}f}", f"{value['p10']:.{digits}f} - {value['p90']:.{digits}f}"]


def machine_line(document: Mapping[str, Any]) -> str:
    """Return in one line on what the figures were measured."""
    return (
        f"{document['cores']} cores of {document['cpu']}, load {document['load_average']}, "
        f"onnxruntime {document['onnxruntime']}, commit {document['commit']}"
    )
