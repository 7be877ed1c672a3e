"""Training lines: drawn lines with labels, real crops with or without labels, and augmentation of crops."""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrsvc.training.drawing.camera import Bgr
from ocrsvc.training.drawing.fonts import discover
from ocrsvc.training.drawing.synth import Synthesiser
from ocrsvc.training.texts.charset import canonical
from ocrsvc.training.texts.corpus import Corpus


@dataclass(frozen=True)
class Sample:
    """One line image uint8 BGR [H,W,3] with its label ``text``, or None without a label.

    ``case_folded``: the label does not tell upper from lower case (receipt labels are all capitals).
    """

    image: Bgr
    text: str | None
    source: str
    case_folded: bool = False


def drawn(corpus: Corpus, synthesiser: Synthesiser, count: int) -> Iterator[Sample]:
    """Yield ``count`` freshly drawn lines."""
    made = 0
    while made < count:
        text = corpus.line()
        image = synthesiser.draw(text)
        if image is not None:
            made += 1
            yield Sample(image, text, "drawn")


def fresh(
    characters: str,
    count: int,
    *,
    seed: int,
    fonts: Sequence[Path],
    prose: Sequence[Path],
    shares: Mapping[str, float] | None = None,
) -> Iterator[Sample]:
    """Yield ``count`` drawn lines of all kinds, in the installed faces and those of ``fonts``; a seed fixes them.

    ``shares``: factors on how often kinds of lines are drawn (``Corpus``).
    """
    return drawn(Corpus(characters, seed, prose, shares), Synthesiser(discover(fonts), seed), count)


def labelled(folder: Path, held_out: int) -> list[Sample]:
    """Return the real crops of a folder (``manifest.jsonl`` beside ``img/``), without those that scoring samples.

    ``held_out`` is the scoring limit: ``random.Random(0).sample`` chooses the same rows as scoring does.
    """
    return list(label_each(folder, held_out))


def label_each(folder: Path, held_out: int, left_out: Collection[Path] = ()) -> Iterator[Sample]:
    """Yield what ``labelled`` returns, but for the files ``left_out`` (resolved paths)."""
    rows = rows_of(folder)
    scored = {row["file"] for row in scored_rows(rows, held_out)}
    for row in rows:
        file = folder / row["file"]
        if row["file"] not in scored and file.resolve() not in left_out:
            yield from _sample(file, canonical(row["text"]), folder.name, bool(row.get("case_insensitive")))


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of a folder's ``manifest.jsonl``."""
    return [
        json.loads(row) for row in (folder / "manifest.jsonl").read_text("utf-8").splitlines() if row.strip()
    ]


def scored_rows(rows: list[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    """Return the rows that scoring draws."""
    return random.Random(0).sample(rows, limit) if len(rows) > limit else rows


def _sample(file: Path, text: str | None, source: str, case_folded: bool = False) -> Iterator[Sample]:
    image = cv2.imread(str(file))
    if image is not None and image.size:
        yield Sample(np.asarray(image, np.uint8), text, source, case_folded)


def crops(folder: Path) -> list[Sample]:
    """Return the crops of photos (``*.png``) with the pseudo-labels of ``manifest.jsonl``, if there is one."""
    return list(crop_each(folder))


def crop_each(folder: Path, left_out: Collection[Path] = ()) -> Iterator[Sample]:
    """Yield what ``crops`` returns, but for the files ``left_out`` (resolved paths)."""
    texts: dict[str, str | None] = {}
    if (folder / "manifest.jsonl").exists():
        texts = {row["file"]: row["text"] for row in rows_of(folder)}
    for file in sorted(folder.rglob("*.png")):
        if file.resolve() not in left_out:
            yield from _sample(file, texts.get(file.name), folder.name)


def vary(sample: Sample, rng: random.Random) -> Sample:
    """Return the crop as another camera and detector might deliver it; the text stays readable."""
    image: NDArray[np.uint8] = sample.image
    height, width = image.shape[:2]
    noise = np.random.default_rng(rng.getrandbits(32))
    if rng.random() < 0.6:  # detector jitter: a larger margin of replicated edges, or a slightly tighter crop
        top, bottom, left, right = (round(height * rng.uniform(-0.04, 0.14)) for _ in range(4))
        image = image[max(0, -top) : height - max(0, -bottom)]
        sides = [max(0, reach) for reach in (top, bottom, left, right)]
        wider = cv2.copyMakeBorder(image, sides[0], sides[1], sides[2], sides[3], cv2.BORDER_REPLICATE)
        image = np.asarray(wider, np.uint8)
    if rng.random() < 0.35:
        height, width = image.shape[:2]
        source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        reach = height * 0.08
        matrix = cv2.getPerspectiveTransform(
            source, source + noise.uniform(-reach, reach, (4, 2)).astype(np.float32)
        )
        warped = cv2.warpPerspective(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        image = np.asarray(warped, np.uint8)
    if rng.random() < 0.35 and image.shape[0] > 20:  # lower resolution
        scale = rng.uniform(max(0.4, 14 / image.shape[0]), 1)
        smaller = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        image = np.asarray(smaller, np.uint8)
    if rng.random() < 0.25:
        image = np.asarray(cv2.resize(image, None, fx=rng.uniform(0.8, 1.25), fy=1), np.uint8)
    if rng.random() < 0.2:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 0.9)), np.uint8)
    elif rng.random() < 0.08:  # motion blur, horizontal or vertical
        kernel = np.full((1, rng.randint(2, 3)), 1, np.float32)
        kernel = kernel / kernel.sum()
        image = np.asarray(cv2.filter2D(image, -1, kernel if rng.random() < 0.6 else kernel.T), np.uint8)
    if rng.random() < 0.12:  # light from one side
        light = np.linspace(rng.uniform(0.6, 1), rng.uniform(0.6, 1), image.shape[1], dtype=np.float32)
        image = np.asarray(image * light[None, :, None], np.uint8)
    if rng.random() < 0.1:
        image = np.asarray(
            cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8
        )
    if rng.random() < 0.5:
        gain, offset = rng.uniform(0.6, 1.3), rng.uniform(-30, 30)
        tint = noise.normal(0, 6, 3)
        image = np.clip((image.astype(np.float32) - 128) * gain + 128 + offset + tint, 0, 255).astype(
            np.uint8
        )
    if rng.random() < 0.15:
        image = 255 - image
    if rng.random() < 0.2:
        image = np.clip(image + noise.normal(0, rng.uniform(2, 10), image.shape), 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, rng.randint(30, 90)])[1]
        image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    return Sample(image, sample.text, sample.source, sample.case_folded)
