"""The gate of a fine-tuning: two models read the same labelled lines through the real engine, the better stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ocrsvc.models.manifest import Manifest
from ocrsvc.text import fold, spaced
from ocrsvc.training.data.samples import Sample
from ocrsvc.training.packing.readings import read

OWN = "held out"  # the set that has to be read better than before

Sets = Mapping[str, Sequence[Sample]]


@dataclass(frozen=True)
class Score:
    """Shares of ``lines`` read right: ``exact`` in normal form, ``strict`` with spaces and case."""

    lines: int
    exact: float
    strict: float


Scores = dict[str, dict[str, Score]]  # by precision, then by set


@dataclass(frozen=True)
class Verdict:
    """``reasons`` why the new model is not kept; none if it is."""

    before: Scores
    after: Scores
    reasons: tuple[str, ...]

    @property
    def kept(self) -> bool:
        """Whether the new model passes."""
        return not self.reasons

    def table(self) -> str:
        """Before and after, a row a set and precision."""
        rows = [("", "weights", "lines", "exact", "", "strict", "")]
        for precision, sets in self.after.items():
            for name, new in sets.items():
                old = self.before[precision][name]
                shares = (
                    f"{old.exact:.3f}",
                    f"-> {new.exact:.3f}",
                    f"{old.strict:.3f}",
                    f"-> {new.strict:.3f}",
                )
                rows.append((name, precision, str(new.lines), *shares))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )

    def record(self) -> dict[str, Any]:
        """Before and after for a manifest."""
        return {
            name: {p: {s: asdict(score) for s, score in sets.items()} for p, sets in scores.items()}
            for name, scores in (("before", self.before), ("after", self.after))
        }


def score(spec: Manifest, sets: Sets) -> Scores:
    """Scores of every set with every precision that the model has."""
    samples = [sample for group in sets.values() for sample in group]
    found: Scores = {}
    for precision in ("fp32", "int8"):
        if precision not in spec.files:
            continue
        lines = iter(read(samples, spec, "int8" if precision == "int8" else "fp32"))
        found[precision] = {
            name: _score([(next(lines).text, sample.text or "") for sample in group])
            for name, group in sets.items()
        }
    return found


def _score(pairs: Sequence[tuple[str, str]]) -> Score:
    count = max(len(pairs), 1)
    return Score(
        len(pairs),
        sum(fold(text) == fold(truth) for text, truth in pairs) / count,
        sum(spaced(text) == spaced(truth) for text, truth in pairs) / count,
    )


def judge(before: Scores, after: Scores, most_lost: float) -> Verdict:
    """Whether the model of ``after`` replaces that of ``before``, with each of its precisions.

    On the set ``OWN`` more lines have to be right to the letter (strict), and no fewer in normal form; on all others
    neither share may fall by more than ``most_lost``. A precision that the old model lacks is compared with its other.
    """
    old = {precision: before.get(precision) or next(iter(before.values())) for precision in after}
    reasons = []
    for precision, sets in after.items():
        for name, new in sets.items():
            had = old[precision][name]
            for metric, was, now in (("exact", had.exact, new.exact), ("strict", had.strict, new.strict)):
                if name == OWN and metric == "strict" and now <= was:
                    reasons.append(
                        f"{precision}: {now - was:+.3f} strict on your {new.lines} held-out lines, no gain"
                    )
                elif now < was - (0 if name == OWN else most_lost):
                    limit = "nothing" if name == OWN else f"{most_lost:.3f}"
                    reasons.append(
                        f"{precision}: {now - was:+.3f} {metric} on {new.lines} lines ({name}), {limit} may be lost"
                    )
    return Verdict(old, after, tuple(reasons))
