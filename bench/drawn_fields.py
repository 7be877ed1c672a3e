"""Lines with drawn identifying numbers, degraded as photographs and scans are, and what a recogniser sees in them.

``ocrsvc.training`` draws them (extra ``train``) with the faces of the machine.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from peers.recogniser import Picture
from stdnum import luhn
from stdnum.cn import ric, uscc

from ocrsvc.fields.types import TYPES
from ocrsvc.models.buckets import fit
from ocrsvc.recognition import segments
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.results import LineText

_LABELS = {
    "id_card": ("公民身份号码", "身份证号:", "身份证号码："),
    "credit_code": ("统一社会信用代码", "统一社会信用代码：", "纳税人识别号:"),
    "bank_card": ("卡号", "账号:", "银行账号："),
}
KINDS = tuple(_LABELS)
_CODE = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_ISSUERS = ("6217", "6222", "6228", "6225", "6214", "4563", "5187", "3568", "9558")
_LABELLED = 0.35  # share of the lines that have a label before the number
_HEIGHT_PIXELS = (10, 26)  # of a line with its margins
_ROWS = 16  # lines of one run of the recogniser


@dataclass(frozen=True, slots=True)
class FieldLine:
    """A drawn line: the type of its number, the number, and the picture."""

    kind: str
    value: str
    picture: Picture


def draw(count: int, seed: int, fonts: Sequence[Path] = ()) -> Iterator[FieldLine]:
    """Yield drawn lines, the types in turn, always the same for a seed."""
    from ocrsvc.training.drawing import fonts as faces
    from ocrsvc.training.drawing.synth import Synthesiser

    synthesiser = Synthesiser(faces.discover(fonts), seed)
    rng, noise = random.Random(seed), np.random.default_rng(seed)
    made = 0
    while made < count:
        kind = KINDS[made % len(KINDS)]
        value = number(kind, rng)
        picture = synthesiser.draw(written(kind, value, rng))
        if picture is not None:
            made += 1
            yield FieldLine(kind, value, degraded(picture, rng, noise))


def degraded(picture: Picture, rng: random.Random, noise: np.random.Generator) -> Picture:
    """Return a picture uint8 [H,W,3] as a poor copy shows it: small, blurred, noisy, with spots, as a JPEG."""
    height = rng.randint(*_HEIGHT_PIXELS)
    scale = height / picture.shape[0]
    if scale < 1:
        size = (max(8, round(picture.shape[1] * scale)), height)
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    image = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.1, 0.9)).astype(np.float32)
    ground = np.median(image, axis=(0, 1))
    for _ in range(rng.choice((0, 0, 1, 2))):
        centre = rng.randrange(image.shape[1]), rng.randrange(image.shape[0])
        axes = rng.randint(1, max(1, height // 3)), rng.randint(1, max(1, height // 4))
        colour = ground * rng.uniform(0.3, 1.2)
        cv2.ellipse(image, centre, axes, rng.uniform(0, 180), 0, 360, colour.tolist(), -1, cv2.LINE_AA)
    image += noise.normal(0, rng.uniform(0, 14), image.shape)
    quality = [cv2.IMWRITE_JPEG_QUALITY, rng.randint(25, 80)]
    packed = cv2.imencode(".jpg", np.clip(image, 0, 255).astype(np.uint8), quality)[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)


def number(kind: str, rng: random.Random) -> str:
    """Return a random valid number of a type."""
    if kind == "bank_card":
        issuer = rng.choice(_ISSUERS)
        length = rng.choice((16, 19, 19)) if issuer[0] in "69" else 16
        body = issuer + "".join(rng.choices("0123456789", k=length - 5))
        return body + luhn.calc_check_digit(body)
    if kind == "credit_code":
        region = rng.choice(("1101", "3101", "4403", "3301", "5101", "3205", "4201"))
        body = f"{rng.choice('9999915')}{rng.choice('1112')}{region}{rng.randint(0, 31):02d}" + "".join(
            rng.choices(_CODE if rng.random() < 0.3 else "0123456789", k=8)
        )
        body += rng.choice(_CODE)
        return body + uscc.calc_check_digit(body)
    while True:
        birth = datetime.date(1940, 1, 1) + datetime.timedelta(days=rng.randrange(30_000))
        region = f"{rng.choice((11, 12, 13, 21, 31, 32, 33, 34, 37, 41, 42, 43, 44, 50, 51, 61))}"
        region += f"{rng.randint(1, 20):02d}{rng.randint(1, 30):02d}"
        body = f"{region}{birth:%Y%m%d}{rng.randint(1, 999):03d}"
        full = body + ric.calc_check_digit(f"{body}0")
        if TYPES["id_card"].normalised(full):
            return full


def written(kind: str, value: str, rng: random.Random) -> str:
    """Return the text of a line with this number: bank cards often in groups, some lines with a label."""
    if kind == "bank_card" and rng.random() < 0.5:
        value = " ".join(value[i : i + 4] for i in range(0, len(value), 4))
    return f"{rng.choice(_LABELS[kind])} {value}" if rng.random() < _LABELLED else value


def read(recogniser: Recogniser, lines: Sequence[FieldLine]) -> list[LineText]:
    """Return what the recogniser reads in each line, with its time steps."""
    spec = recogniser.spec
    pieces: list[tuple[int, Picture]] = []
    parts = []
    for number_, line in enumerate(lines):
        image = fit(line.picture, spec.input.height)
        parts.append(tuple(segments.cut(image, spec.buckets.widest)))
        pieces += [(number_, image[:, part.start : part.end]) for part in parts[-1]]
    answers: dict[int, LineText] = {}
    by_width: dict[int, list[int]] = {}
    for place, (_, piece) in enumerate(pieces):
        by_width.setdefault(spec.buckets.of(piece.shape[1]), []).append(place)
    for width, places in by_width.items():
        for start in range(0, len(places), _ROWS):
            batch = places[start : start + _ROWS]
            texts = recogniser.run(width, [pieces[each][1] for each in batch], steps=True)
            answers.update(zip(batch, texts, strict=True))
    own: list[list[LineText]] = [[] for _ in lines]
    for place, (line_number, _) in enumerate(pieces):
        own[line_number].append(answers[place])
    return [segments.join(each, texts, spec.input.height) for each, texts in zip(parts, own, strict=True)]
