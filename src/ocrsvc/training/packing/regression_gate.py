"""Acceptance test of a fine-tuning: the old and the new model read the same labelled lines with the real engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ocrsvc.models.manifest import Manifest
from ocrsvc.text import fold, spaced
from ocrsvc.training.data.samples import Sample
from ocrsvc.training.packing.readings import read

OWN = "held out"  # name of the set on which the new model must be better

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
    """Scores of the old and the new model, and ``reasons`` to refuse the new one; empty if it is kept."""

    before: Scores
    after: Scores
    reasons: tuple[str, ...]

    @property
    def kept(self) -> bool:
        """Return whether the new model passes."""
        return not self.reasons

    def table(self) -> str:
        """Return a table of scores before and after, one row for each set and precision."""
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
        """Return the scores before and after for a manifest."""
        return {
            name: {p: {s: asdict(score) for s, score in sets.items()} for p, sets in scores.items()}
            for name, scores in (("before", self.before), ("after", self.after))
        }


def score(spec: Manifest, sets: Sets) -> Scores:
    """Return the scores of every set with every precision of the model."""
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
    """Decide whether the model of ``after`` replaces that of ``before``, in each of its precisions.

    On the set ``OWN``, ``strict`` must rise and ``exact`` must not fall; on all others, neither may fall by more than
    ``most_lost``. A precision that the old model lacks is compared with the one that it has.
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
