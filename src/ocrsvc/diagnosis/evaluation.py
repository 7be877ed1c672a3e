"""Accuracy metrics: the rules behind all accuracy figures of this project.

A data set is a folder of sources; each has ``manifest.jsonl`` (rows ``{"file", "text", ...}``) beside ``img/``. Texts
are compared in normal form: Unicode NFKC, no white space, lower case, because labels disagree on spaces, case and the
width of punctuation. The mean is over sources, so every source has the same weight.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ocrsvc.models.calibration import calibration_error
from ocrsvc.text import fold, spaced

Kind = Literal["lines", "pages"]
METRICS: Mapping[Kind, tuple[str, ...]] = {
    "lines": ("exact", "ned", "strict", "ece"),
    "pages": ("line_recall", "char_f1"),
}

# Sources whose labels have both case and spaces, as a strict comparison requires.
STRICT_SOURCES = frozenset({"scribe_docs", "icdar2015_words"})
UNREADABLE = "###"  # ICDAR's label for illegible text


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled picture. ``key`` is ``SOURCE/img/NAME``, ``row`` its line of the manifest."""

    source: str
    key: str
    path: Path
    row: Mapping[str, Any]

    @property
    def strict(self) -> bool:
        """Return whether this label has both case and spaces."""
        return self.source in STRICT_SOURCES or bool(self.row.get("strict"))


@dataclass(frozen=True, slots=True)
class Scores:
    """Mean of each metric over one source (or over all sources); metrics that no label allows are absent."""

    source: str
    images: int
    values: Mapping[str, float]


def samples(data: Path, limit: int | None = None) -> list[Sample]:
    """Return the labelled pictures of a data set, at most ``limit`` of each source, chosen with a fixed seed.

    Raises FileNotFoundError if ``data`` has no ``SOURCE/manifest.jsonl``.
    """
    manifests = sorted(data.glob("*/manifest.jsonl"))
    if not manifests:
        raise FileNotFoundError(2, "there is no SOURCE/manifest.jsonl in this folder", str(data))
    found = []
    for manifest in manifests:
        rows = [json.loads(line) for line in manifest.read_text("utf-8").splitlines() if line.strip()]
        if limit and len(rows) > limit:
            rows = random.Random(0).sample(rows, limit)  # noqa: S311 - a fixed choice, not a secret
        for row in rows:
            source = manifest.parent.name
            found.append(Sample(source, f"{source}/{row['file']}", manifest.parent / row["file"], row))
    return found


def kind_of(found: Iterable[Sample]) -> Kind:
    """Return ``pages`` if any label has boxes of lines, else ``lines``."""
    return "pages" if any("boxes" in sample.row for sample in found) else "lines"


def score(
    kind: Kind, found: Sequence[Sample], texts: Mapping[str, str], sure: Mapping[str, float] | None = None
) -> list[Scores]:
    """Return the scores of each source, then their mean as ``MEAN``.

    ``texts`` maps a sample's key to the text read; a picture without one counts as wrong. ``sure`` maps it to the
    confidence of a line, for ``ece``; in the last row, ``ece`` is that of all lines together, not a mean.
    """
    rate = rate_line if kind == "lines" else rate_page
    rated: dict[str, list[Mapping[str, float]]] = {}
    trusted: dict[str, list[tuple[float, bool]]] = {}
    for sample in found:
        rating = rate(sample, texts.get(sample.key, ""))
        rated.setdefault(sample.source, []).append(rating)
        if sure is not None and kind == "lines":
            pair = (sure.get(sample.key, 0.0), rating["exact"] == 1)
            trusted.setdefault(sample.source, []).append(pair)
    rows = [
        Scores(source, len(items), _means(items) | _ece(trusted.get(source, [])))
        for source, items in rated.items()
    ]
    means = _means([row.values for row in rows]) | _ece(
        [pair for pairs in trusted.values() for pair in pairs]
    )
    return [*rows, Scores("MEAN", sum(row.images for row in rows), means)]


def _ece(pairs: Sequence[tuple[float, bool]]) -> dict[str, float]:
    """Return ``ece`` of pairs of confidence and correctness, if there are any."""
    return (
        {"ece": calibration_error([sure for sure, _ in pairs], [right for _, right in pairs])}
        if pairs
        else {}
    )


def rate_line(sample: Sample, text: str) -> dict[str, float]:
    """Return ``exact`` and ``ned`` (1 - edit distance / longer length) in normal form.

    Strict labels also get ``strict``: equality in NFKC with single spaces and case.
    """
    have, want = fold(text), fold(sample.row["text"])
    rating = {"exact": float(have == want), "ned": 1 - distance(have, want) / max(len(have), len(want), 1)}
    if sample.strict:
        rating["strict"] = float(spaced(text) == spaced(sample.row["text"]))
    return rating


def rate_page(sample: Sample, text: str) -> dict[str, float]:
    """Return ``line_recall``, the share of labelled lines found anywhere in the page's text, in normal form.

    Completely labelled pages also get ``char_f1`` of the two multisets of characters.
    """
    page, boxes = fold(text), sample.row.get("boxes", [])
    legible = [box for box in boxes if not box.get("ignore") and box["text"] != UNREADABLE]
    labels = [box["text"] for box in legible] or sample.row["text"].splitlines()
    wanted = [label for label in map(fold, labels) if label]
    rating = {"line_recall": sum(label in page for label in wanted) / max(len(wanted), 1)}
    if sample.row.get("complete", True) and len(legible) == len(boxes):
        want, have = Counter("".join(wanted)), Counter(page)
        total = want.total() + have.total()
        rating["char_f1"] = 2 * (want & have).total() / max(total, 1)
    return rating


def distance(a: str, b: str) -> int:
    """Return the Levenshtein distance."""
    if len(a) < len(b):
        a, b = b, a
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (left != right))
    return row[-1]


def _means(items: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for item in items for name in item)
    return {name: _mean(item[name] for item in items if name in item) for name in names}


def _mean(values: Iterator[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)
