"""Confidence and accuracy by stratum: whether one calibration serves all kinds of lines.

A stratum is all lines of one source, script, length or height. Script and length are those of the text that was read,
because a confidence is a statement about that text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ocrsvc.models.calibration import calibration_error
from ocrsvc.text import script_of, without_spaces

KINDS = ("source", "script", "characters", "height")
# Lower bounds of the strata, in characters without white space and in pixels.
_LENGTHS = ((41, ">40"), (26, "26-40"), (11, "11-25"), (3, "3-10"), (1, "1-2"))
_HEIGHTS = ((33, ">32"), (16, "16-32"), (0, "<16"))


@dataclass(frozen=True, slots=True)
class RatedLine:
    """One labelled line: the ``text`` that was read, its confidence, whether it is right, and whether it is flagged.

    ``flagged``: it needs review.
    """

    source: str
    text: str
    height_pixels: int
    confidence: float
    right: bool
    flagged: bool


@dataclass(frozen=True, slots=True)
class Stratum:
    """Lines of one kind: share of right ones (``exact``), mean confidence and expected calibration error (``ece``).

    ``flagged``: share of the right lines that need review; ``caught``: that of the wrong ones; None without such lines.
    """

    kind: str
    name: str
    lines: int
    exact: float
    confidence: float
    ece: float
    flagged: float | None
    caught: float | None

    @property
    def excess(self) -> float:
        """Return by how much the mean confidence is above the share of right lines."""
        return self.confidence - self.exact


def strata(lines: Sequence[RatedLine]) -> list[Stratum]:
    """Return the strata of these lines that are not empty, by kind (``KINDS``) and name.

    Lines of which nothing was read count in their source and height only.
    """
    groups: dict[tuple[str, str], list[RatedLine]] = {}
    for line in lines:
        for key in _keys(line):
            groups.setdefault(key, []).append(line)
    return [_stratum(*key, groups[key]) for key in sorted(groups, key=_place)]


def table(rows: Sequence[Stratum]) -> str:
    """Return strata as lines of text, under a head."""
    width = max([20, *(len(row.name) + 11 for row in rows)])
    names = ("excess", "ece", "flagged", "caught")
    head = f"{'stratum':{width}} {'lines':>6} {'exact':>8} {'confidence':>11} " + " ".join(
        f"{n:>8}" for n in names
    )
    return "\n".join(
        [
            head,
            *(
                f"{row.kind + ' ' + row.name:{width}} {row.lines:6} {row.exact:8.4f} {row.confidence:11.4f} "
                f"{row.excess:+8.4f} {row.ece:8.4f} {_share(row.flagged):>8} {_share(row.caught):>8}"
                for row in rows
            ),
        ]
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _keys(line: RatedLine) -> Iterator[tuple[str, str]]:
    yield "source", line.source
    text = without_spaces(line.text)
    if text:
        yield "script", script_of(text)
        yield "characters", _named(_LENGTHS, len(text))
    yield "height", _named(_HEIGHTS, line.height_pixels)


def _named(bounds: Sequence[tuple[int, str]], value: int) -> str:
    return next(name for least, name in bounds if value >= least)


def _place(key: tuple[str, str]) -> tuple[int, int, str]:
    """Return where a stratum stands in the table: lengths and heights ascend, names follow the alphabet."""
    kind, name = key
    ascending = [name for _, name in (*_LENGTHS, *_HEIGHTS)][::-1]
    return KINDS.index(kind), ascending.index(name) if kind in KINDS[2:] else 0, name


def _stratum(kind: str, name: str, lines: Sequence[RatedLine]) -> Stratum:
    confidences, right = [line.confidence for line in lines], [line.right for line in lines]
    return Stratum(
        kind,
        name,
        len(lines),
        sum(right) / len(lines),
        sum(confidences) / len(lines),
        calibration_error(confidences, right),
        flagged=_flagged([line for line in lines if line.right]),
        caught=_flagged([line for line in lines if not line.right]),
    )


def _flagged(lines: Sequence[RatedLine]) -> float | None:
    return sum(line.flagged for line in lines) / len(lines) if lines else None
