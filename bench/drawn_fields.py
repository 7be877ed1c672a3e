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
    "amount": ("合计", "金额：", "应付金额:", "Total", "价税合计（大写）"),
    "date": ("日期", "开票日期：", "Date:", "有效期至"),
}
KINDS = ("id_card", "credit_code", "bank_card")  # in turn, if no others are asked for
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


def draw(
    count: int, seed: int, fonts: Sequence[Path] = (), kinds: Sequence[str] = KINDS
) -> Iterator[FieldLine]:
    """Yield drawn lines, the types in turn, always the same for a seed and these kinds."""
    from ocrsvc.training.drawing import fonts as faces
    from ocrsvc.training.drawing.synth import Synthesiser

    synthesiser = Synthesiser(faces.discover(fonts), seed)
    rng, noise = random.Random(seed), np.random.default_rng(seed)
    made = 0
    while made < count:
        kind = kinds[made % len(kinds)]
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
    """Return a random valid value of a type in normal form."""
    if kind == "amount":
        return f"{'-' if rng.random() < 0.05 else ''}{10 ** rng.uniform(0, 6.5):.2f}"
    if kind == "date":
        return f"{datetime.date(1950, 1, 1) + datetime.timedelta(days=rng.randrange(30_000))}"
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
    """Return the text of a line with this value as it is printed, some with a label; bank cards often in groups."""
    if kind == "amount":
        value = _amount(value, rng)
    if kind == "date":
        year, month, day = value.split("-")
        pattern = rng.choice(("{}-{}-{}", "{}-{}-{}", "{}/{}/{}", "{}.{}.{}", "{}年{}月{}日", "{}{}{}"))
        value = pattern.format(year, month, day)
    if kind == "bank_card" and rng.random() < 0.5:
        value = " ".join(value[i : i + 4] for i in range(0, len(value), 4))
    return f"{rng.choice(_LABELS[kind])} {value}" if rng.random() < _LABELLED else value


def _amount(value: str, rng: random.Random) -> str:
    """Return an amount as invoices print it: figures with or without commas and a sign, or capital numerals."""
    sign, number_ = ("-", value[1:]) if value[0] == "-" else ("", value)
    if rng.random() < 0.15:
        return ("负" if sign else "") + _capitals(number_)
    figures = f"{float(number_):,.2f}" if rng.random() < 0.6 else number_
    before = rng.choice(("", "", "¥", "¥ ", "￥", "" if sign else "RMB "))
    return f"{sign}{before}{figures}{rng.choice(('', '', '元')) if not before else ''}"


def _capitals(number_: str) -> str:
    """Return an amount below 10 000 000 in capital numerals."""
    digits = "零壹贰叁肆伍陆柒捌玖"
    whole, _, rest = number_.partition(".")

    def group(value: int) -> str:
        text = ""
        for unit, name in ((1000, "仟"), (100, "佰"), (10, "拾"), (1, "")):
            digit = value // unit % 10
            if digit:
                text += digits[digit] + name
            elif text and not text.endswith("零") and value % unit:
                text += "零"
        return text

    ten_thousands, ones = divmod(int(whole), 10_000)
    text = group(ten_thousands) + "万" if ten_thousands else ""
    if ten_thousands and ones and ones < 1000:
        text += "零"
    text += group(ones) + "元"
    jiao, fen = int(rest[0]), int(rest[1])
    if not jiao and not fen:
        return text + "整"
    text += digits[jiao] + "角" if jiao else "零" if fen else ""
    return text + (digits[fen] + "分" if fen else "整")


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
