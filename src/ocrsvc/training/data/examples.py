"""Labelled lines that a user brings: read from a .jsonl with clear complaints, split in two, or drawn as an example."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ocrsvc.models.buckets import fitted_width
from ocrsvc.models.manifest import Manifest
from ocrsvc.training.data.samples import Sample
from ocrsvc.training.drawing import fonts
from ocrsvc.training.drawing.cards import CARD
from ocrsvc.training.drawing.fonts import Library
from ocrsvc.training.drawing.plates import PLATE
from ocrsvc.training.drawing.synth import Synthesiser
from ocrsvc.training.texts.charset import canonical
from ocrsvc.training.texts.corpus import Corpus

_WIDEST_ASPECT = 26  # of drawn examples: what one piece of our models takes
_SHOWN = 12  # complaints that are spelt out


class Unusable(ValueError):
    """Rows that cannot be learnt from; the message lists them with their line numbers."""


@dataclass(frozen=True)
class Examples:
    """``samples`` in the order of the file; ``skipped``: complaints about rows that were left out."""

    samples: tuple[Sample, ...]
    skipped: tuple[str, ...] = ()


def read(path: Path, spec: Manifest, *, skip: bool = False) -> Examples:
    """The labelled lines of ``path``: ``{"file": "img/1.png", "text": "..."}`` each, files relative to it.

    Texts come in the forms that our models write (``charset.canonical``). Rows that the model of ``spec`` cannot learn
    from are refused together (``Unusable``), or left out with ``skip``; FileNotFoundError if there is no such file.
    """
    if not path.is_file():
        wanted = '{"file": "img/1.png", "text": "what it says"}'
        raise FileNotFoundError(f"there is no {path}; it should have one row a picture, {wanted}")
    samples, complaints = [], []
    unknown: Counter[str] = Counter()
    for number, row in enumerate(path.read_text("utf-8-sig").splitlines(), start=1):
        if not row.strip():
            continue
        try:
            sample = _sample(row, path.parent)
            _check_length(sample, spec)
        except ValueError as error:
            complaints.append(f"line {number}: {error}")
            continue
        missing = Counter(c for c in sample.text or "" if c not in spec.charset)
        if missing:
            unknown += missing
            complaints.append(f"line {number}: {spec.name} has no {' '.join(missing)}")
        else:
            samples.append(sample)
    if complaints and not skip:
        raise Unusable(_complain(path, complaints, unknown))
    return Examples(tuple(samples), tuple(complaints))


def _sample(row: str, folder: Path) -> Sample:
    """One row with its picture; ValueError says what is wrong with it."""
    try:
        content: Any = json.loads(row)
    except ValueError as error:
        raise ValueError(f"no JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError('no {"file": ..., "text": ...}')
    for key in ("file", "text"):
        if not isinstance(content.get(key), str):
            raise ValueError(f"no {key!r}, or it is no string")
    text = canonical(content["text"])
    if not text:
        raise ValueError(f"the text of {content['file']} is empty")
    file = folder / content["file"]
    if not file.is_file():
        raise ValueError(f"there is no {file}")
    image = cv2.imdecode(np.frombuffer(file.read_bytes() or b"\0", np.uint8), cv2.IMREAD_COLOR)
    if image is None or not image.size:
        raise ValueError(f"{file} is no picture that can be read")
    return Sample(np.asarray(image, np.uint8), text, "own")


def _check_length(sample: Sample, spec: Manifest) -> None:
    """ValueError if the line is too wide for the model, or its text has more characters than the picture has steps."""
    height, text = spec.input.height, sample.text or ""
    width = fitted_width(sample.image.shape[0], sample.image.shape[1], height)
    if width > spec.buckets.widest:
        raise ValueError(
            f"the picture is {width} pixels wide at height {height}, the model takes {spec.buckets.widest}; "
            "is it one line? Cut long ones in two"
        )
    steps = spec.buckets.of(width) // spec.input.width_stride
    needed = len(text) + sum(a == b for a, b in itertools.pairwise(text))
    if needed > steps:
        raise ValueError(f"{len(text)} characters are too many for a picture of {width} by {height} pixels")


def _complain(path: Path, complaints: Sequence[str], unknown: Counter[str]) -> str:
    lines = [f"{len(complaints)} rows of {path} cannot be learnt from:", *complaints[:_SHOWN]]
    if len(complaints) > _SHOWN:
        lines.append(f"... and {len(complaints) - _SHOWN} more")
    if unknown:
        listed = ", ".join(f"{character} ({count})" for character, count in unknown.most_common(40))
        lines.append(
            f"characters that the model does not have: {listed}. Fine-tuning teaches looks, not new characters"
        )
    lines.append("Put them right, or leave them out with --skip.")
    return "\n  ".join(lines)


def split(samples: Sequence[Sample], share: float, fewest: int) -> tuple[list[Sample], list[Sample]]:
    """Lines to learn from, and lines held out: ``share`` of all, at least ``fewest``.

    Chosen by a hash of the text, so that equal texts stay together and a line stays where it is when others come.
    """
    wanted = max(fewest, round(share * len(samples)))
    counts = Counter(sample.text or "" for sample in samples)
    chosen: set[str] = set()
    held = 0
    for text in sorted(counts, key=lambda text: hashlib.sha256(text.encode()).digest()):
        if held >= wanted:
            break
        chosen.add(text)
        held += counts[text]
    return (
        [sample for sample in samples if sample.text not in chosen],
        [sample for sample in samples if sample.text in chosen],
    )


def draw(face: Path, charset: str, count: int, seed: int, folder: Path) -> Path:
    """Draws an example set in one typeface into a new ``folder``, and returns its .jsonl.

    FileExistsError if the folder has something in it; ValueError if the face has hardly a character of ours.
    """
    only = fonts.face(face)
    synthesiser = Synthesiser(Library(cjk=(only,), latin=(only,), segment=()), seed)
    corpus = Corpus(charset, seed)
    samples: list[Sample] = []
    for _ in range(200 * count):
        if len(samples) == count:
            break
        text = corpus.line()
        if not only.covers(text) or CARD.match(text) or PLATE.match(text):  # those have faces of their own
            continue
        image = synthesiser.draw(text)
        if image is not None and image.shape[1] <= _WIDEST_ASPECT * image.shape[0]:
            samples.append(Sample(image, text, "drawn"))
    if len(samples) < count:
        raise ValueError(f"{face} has glyphs for {len(samples)} of {200 * count} texts only")
    return write(samples, folder / "lines.jsonl")


def write(samples: Iterable[Sample], target: Path) -> Path:
    """Writes labelled lines as ``target``, a .jsonl, and ``img/`` beside it; returns it.

    FileExistsError if its folder has something in it.
    """
    folder = target.parent
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty")
    (folder / "img").mkdir(parents=True, exist_ok=True)
    rows = []
    for number, sample in enumerate(samples):
        name = f"img/{number:04d}.png"
        cv2.imwrite(str(folder / name), sample.image)
        rows.append(json.dumps({"file": name, "text": sample.text}, ensure_ascii=False) + "\n")
    target.write_text("".join(rows), encoding="utf-8")
    return target
