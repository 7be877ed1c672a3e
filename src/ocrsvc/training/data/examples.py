"""A user's labelled lines: read and checked from a .jsonl, split into two sets, written, or drawn as an example."""

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

_WIDEST_ASPECT = 26  # width / height of a drawn example; wider lines exceed the widest bucket of our models
_SHOWN = 12  # complaints that the message lists


class Unusable(ValueError):
    """Rows that training cannot use; the message lists them with their line numbers."""


@dataclass(frozen=True)
class Examples:
    """Usable ``samples`` in the order of the file, and complaints about the ``skipped`` rows."""

    samples: tuple[Sample, ...]
    skipped: tuple[str, ...] = ()


def read(path: Path, spec: Manifest, *, skip: bool = False) -> Examples:
    """Read labelled lines from ``path``: ``{"file": "img/1.png", "text": "..."}`` each, files relative to it.

    Texts are normalised to the forms that our models write (``charset.canonical``). ``Unusable`` lists all rows that
    the model of ``spec`` cannot learn from; with ``skip`` they are left out. FileNotFoundError without the file.
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
    """Return the sample of one row; ValueError says what is wrong with it."""
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
    """Raise ValueError if the line is too wide for the model, or has fewer CTC steps than its text needs."""
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
    """Return the lines to learn from and the lines held out: ``share`` of all, at least ``fewest``.

    A hash of the text decides, so that equal texts stay together and a line keeps its side when others are added.
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
    """Draw an example set in one typeface into a new ``folder`` and return the path of its .jsonl.

    FileExistsError if the folder is not empty; ValueError if the face lacks too many characters of the charset.
    """
    only = fonts.face(face)
    synthesiser = Synthesiser(Library(cjk=(only,), latin=(only,), segment=()), seed)
    corpus = Corpus(charset, seed)
    samples: list[Sample] = []
    for _ in range(200 * count):
        if len(samples) == count:
            break
        text = corpus.line()
        if not only.covers(text) or CARD.match(text) or PLATE.match(text):  # cards and plates ignore the face
            continue
        image = synthesiser.draw(text)
        if image is not None and image.shape[1] <= _WIDEST_ASPECT * image.shape[0]:
            samples.append(Sample(image, text, "drawn"))
    if len(samples) < count:
        raise ValueError(f"{face} has glyphs for {len(samples)} of {200 * count} texts only")
    return write(samples, folder / "lines.jsonl")


def write(samples: Iterable[Sample], target: Path) -> Path:
    """Write labelled lines to ``target`` (.jsonl) and ``img/`` beside it; FileExistsError if its folder has files."""
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
