"""Draws tables with known cells and pages with a known reading order, from a seed, with PIL.

Tables are ruled (also with double, dotted and coloured rules), unruled, or ruled with spans; some are skewed. Texts are
Chinese, English and numbers. Pages have one to three columns, tables, sidebars and footnotes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Kind = Literal["ruled", "unruled", "spans"]
KINDS: tuple[Kind, ...] = ("ruled", "unruled", "spans")
Picture = NDArray[np.uint8]

_OF_ENGLISH = (
    "Apple juice,Bread,Total,Quantity,Unit price,Amount,Date,Invoice,Customer,Address,"
    "Green tea,Office chair,Paper A4,Delivery,Tax rate,Balance,Region,North,South,Revenue,"
    "Growth,Model,Voltage,Weight,Length,Status,Open,Closed,Remark,Supplier,Warehouse,Monitor,"
    "Keyboard,Service fee,Account,Deposit,Salary,Overtime"
)
_ENGLISH = tuple(_OF_ENGLISH.split(","))
_OF_CHINESE = (
    "苹果汁,全麦面包,合计,数量,单价,金额,日期,发票号码,客户名称,地址,绿茶,办公椅,打印纸,"
    "运费,税率,余额,地区,华北,华南,营业收入,同比增长,型号,电压,重量,长度,状态,已完成,"
    "未付款,备注,供应商,仓库,显示器,键盘,服务费,账户,押金,基本工资,加班费"
)
_CHINESE = tuple(_OF_CHINESE.split(","))
_OF_PROSE_EN = (
    "the report shows that sales of the company grew in every region while costs stayed close "
    "to plan and the number of new customers rose by a third which the board welcomed at its "
    "meeting in spring because earlier forecasts had been far more careful about demand from "
    "abroad and about prices of raw materials"
)
_PROSE_EN = tuple(_OF_PROSE_EN.split(" "))
_PROSE_ZH = (
    "报告显示公司在各个地区的销售额均有所增长而成本基本符合计划新增客户数量上升了三分之一董事会在春季会议上对此表示"
    "欢迎因为此前的预测对海外需求和原材料价格都更为谨慎未来一年将继续扩大生产规模并改善服务质量"
)


@dataclass(frozen=True)
class TruthCell:
    """One cell with a text, and the places that it covers."""

    row: int
    column: int
    row_span: int
    column_span: int
    text: str


@dataclass(frozen=True)
class DrawnTable:
    """A picture of one table, BGR uint8 [H,W,3], and its cells."""

    picture: Picture
    cells: tuple[TruthCell, ...]
    kind: Kind


@dataclass(frozen=True)
class DrawnOrder:
    """A picture of one page, BGR uint8 [H,W,3], and the texts of its lines in reading order."""

    picture: Picture
    lines: tuple[str, ...]
    kind: str


def table(kind: Kind, seed: int, font: str) -> DrawnTable:
    """Return the drawn table of this kind and seed."""
    rng = random.Random(f"{kind} {seed}")
    rows, columns = rng.randint(3, 9), rng.randint(2, 6)
    size = rng.randint(20, 30)
    face = ImageFont.truetype(font, size, index=2 if font.endswith("ttc") else 0)
    numeric = [i > 0 and rng.random() < 0.5 for i in range(columns)]
    spans = _spans(rng, rows, columns) if kind == "spans" else {}
    covered = {(r + i, c + j): (r, c) for (r, c), (h, w) in spans.items() for i in range(h) for j in range(w)}
    texts: dict[tuple[int, int], list[str]] = {}
    for r in range(rows):
        for c in range(columns):
            if covered.get((r, c), (r, c)) != (r, c):
                continue
            text = _number(rng) if numeric[c] and r else _words(rng)
            parts = [text]
            if kind != "unruled" and not numeric[c] and rng.random() < 0.15:
                parts.append(_words(rng))
            if rng.random() < 0.06 and (r, c) not in spans and c > 0:
                continue
            texts[r, c] = parts
    widths = [
        max(
            [
                face.getlength(t)
                for (_, c), parts in texts.items()
                if c == column and (_, c) not in spans
                for t in parts
            ],
            default=60,
        )
        for column in range(columns)
    ]
    gap = rng.uniform(1.2, 3.0) * size if kind == "unruled" else rng.uniform(0.5, 1.6) * size
    widths = [max(w, 2 * size) + gap for w in widths]
    leading = 1.3 * size
    tight = rng.uniform(0.3, 0.9) * size
    heights = [
        leading * max([len(p) for (r, c), p in texts.items() if r == row and (r, c) not in spans], default=1)
        + tight
        for row in range(rows)
    ]
    for (r, c), (h, w) in spans.items():
        need = max(face.getlength(t) for t in texts[r, c]) + gap
        if (short := need - sum(widths[c : c + w])) > 0:
            widths[c + w - 1] += short
        if (short := leading * len(texts[r, c]) + tight - sum(heights[r : r + h])) > 0:
            heights[r + h - 1] += short
    margin = 2 * size
    xs = [margin + sum(widths[:i]) for i in range(columns + 1)]
    ys = [margin + 2 * size + sum(heights[:i]) for i in range(rows + 1)]
    canvas = Image.new(
        "RGB", (round(xs[-1] + margin), round(ys[-1] + 2 * margin)), rng.choice(["white", "#fbfaf4"])
    )
    pen = ImageDraw.Draw(canvas)
    for (r, c), parts in texts.items():
        h, w = spans.get((r, c), (1, 1))
        left, right, top, bottom = xs[c], xs[c + w], ys[r], ys[r + h]
        begin = (top + bottom) / 2 - leading * len(parts) / 2 + 0.12 * size
        for i, text in enumerate(parts):
            length = face.getlength(text)
            x = right - gap / 2 - length if numeric[c] else left + gap / 2
            if (r, c) in spans:
                x = (left + right - length) / 2
            pen.text((x, begin + i * leading), text, font=face, fill=(20, 20, 24))
    if kind != "unruled":
        _rules(pen, rng, xs, ys, covered)
    picture = _finished(canvas, rng)
    cells = tuple(
        TruthCell(r, c, *spans.get((r, c), (1, 1)), " ".join(parts))
        for (r, c), parts in sorted(texts.items())
    )
    return DrawnTable(picture, cells, kind)


def _rules(
    pen: ImageDraw.ImageDraw,
    rng: random.Random,
    xs: Sequence[float],
    ys: Sequence[float],
    covered: dict[tuple[int, int], tuple[int, int]],
) -> None:
    style = rng.choice(["solid", "solid", "solid", "dotted", "double", "coloured", "gaps"])
    colour = {"coloured": rng.choice(["#7aa5e8", "#e09090", "#a0a0a0"])}.get(style, "#303030")
    width = rng.choice([1, 2, 3])

    def stroke(x0: float, y0: float, x1: float, y1: float) -> None:
        across = y0 == y1
        if style == "double":
            for shift in (-2, 2):
                dx, dy = (0, shift) if across else (shift, 0)
                pen.line((x0 + dx, y0 + dy, x1 + dx, y1 + dy), fill=colour, width=1)
            return
        if style not in ("dotted", "gaps"):
            pen.line((x0, y0, x1, y1), fill=colour, width=width)
            return
        at, end = (x0, x1) if across else (y0, y1)
        on, off = (4, 4) if style == "dotted" else (60, 6)
        while at < end:
            stop = min(at + on, end)
            pen.line((at, y0, stop, y1) if across else (x0, at, x1, stop), fill=colour, width=max(2, width))
            at = stop + off

    rows, columns = len(ys) - 1, len(xs) - 1
    owner = {(r, c): covered.get((r, c), (r, c)) for r in range(rows) for c in range(columns)}
    for r in range(rows + 1):
        for c in range(columns):
            if r in (0, rows) or owner[r - 1, c] != owner[r, c]:
                stroke(xs[c], ys[r], xs[c + 1], ys[r])
    for c in range(columns + 1):
        for r in range(rows):
            if c in (0, columns) or owner[r, c - 1] != owner[r, c]:
                stroke(xs[c], ys[r], xs[c], ys[r + 1])


def _spans(rng: random.Random, rows: int, columns: int) -> dict[tuple[int, int], tuple[int, int]]:
    spans: dict[tuple[int, int], tuple[int, int]] = {}
    taken: set[tuple[int, int]] = set()
    for _ in range(rng.randint(1, 3)):
        h, w = rng.choice([(1, 2), (1, 2), (2, 1), (1, 3), (2, 2), (3, 1)])
        if h >= rows or w > columns - (h > 1):
            continue
        r, c = rng.randint(0, rows - h), rng.randint(0, columns - w)
        places = {(r + i, c + j) for i in range(h) for j in range(w)}
        # A row or column of spans alone has no rule of its own, so nothing would show that it exists.
        if not places & taken and not any(
            (r, k) in taken or (k, c) in taken for k in range(max(rows, columns))
        ):
            spans[r, c] = h, w
            taken |= places
    return spans


def _words(rng: random.Random) -> str:
    pick = rng.random()
    if pick < 0.45:
        return rng.choice(_CHINESE)
    if pick < 0.9:
        return rng.choice(_ENGLISH)
    return f"{rng.choice(_CHINESE)} {rng.choice(_ENGLISH)}"


def _number(rng: random.Random) -> str:
    return rng.choice(
        [
            f"{rng.uniform(1, 999):.2f}",
            f"{rng.randint(1, 9_999_999):,}",
            f"{rng.randint(1, 99)}%",
            f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
            f"{rng.randint(10, 9999)}",
        ]
    )


def _finished(canvas: Image.Image, rng: random.Random) -> Picture:
    """Return the picture, skewed in half of the cases, with a little noise."""
    if rng.random() < 0.5:
        fill = canvas.getpixel((0, 0))
        canvas = canvas.rotate(rng.uniform(-3, 3), Image.Resampling.BICUBIC, expand=True, fillcolor=fill)
    pixels = np.asarray(canvas.convert("RGB"))[:, :, ::-1].astype(np.float32)
    noise = np.random.default_rng(rng.randrange(1 << 30)).normal(0, rng.uniform(0, 6), pixels.shape)
    return np.ascontiguousarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


PAGE_KINDS = ("one column", "two columns", "three columns", "table", "sidebar", "footnotes")


def page(kind: str, seed: int, font: str) -> DrawnOrder:
    """Return the drawn page of this kind and seed."""
    rng = random.Random(f"{kind} {seed}")
    chinese = rng.random() < 0.5
    size = rng.randint(20, 26)
    width, height = 1240, 1500
    canvas = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(canvas)
    index = 2 if font.endswith("ttc") else 0
    face = ImageFont.truetype(font, size, index=index)
    lines: list[str] = []

    def put(text: str, x: float, y: float, used: ImageFont.FreeTypeFont = face) -> None:
        pen.text((x, y), text, font=used, fill="#101014")
        lines.append(text)

    def column(
        left: float, right: float, top: float, bottom: float, used: ImageFont.FreeTypeFont = face
    ) -> None:
        y, leading = top, 1.45 * used.size
        while y + 2 * leading < bottom:
            rows = min(rng.randint(3, 7), int((bottom - y) / leading))
            for i in range(rows):
                share = rng.uniform(0.3, 0.8) if i == rows - 1 else 1.0
                put(_prose(rng, used, (right - left) * share, chinese), left, y, used)
                y += leading
            y += rng.choice([0.3, 0.8]) * leading

    left, right, top, bottom = 90, width - 90, 90, height - 90
    title = ImageFont.truetype(font, round(1.7 * size), index=index)
    put(_words(rng) + " " + _words(rng), left, top, title)
    top += round(3.2 * size)
    if kind == "one column":
        column(left, right, top, bottom)
    elif kind in ("two columns", "three columns"):
        count = 2 if kind == "two columns" else 3
        gutter = rng.uniform(1.5, 3.0) * size
        each = (right - left - (count - 1) * gutter) / count
        for i in range(count):
            column(left + i * (each + gutter), left + i * (each + gutter) + each, top, bottom)
    elif kind == "sidebar":
        side = 0.27 * (right - left)
        column(left, right - side - 2.5 * size, top, bottom)
        small = ImageFont.truetype(font, round(0.85 * size), index=index)
        column(right - side, right, top, top + rng.uniform(0.3, 0.6) * (bottom - top), small)
    elif kind == "footnotes":
        column(left, right, top, bottom - 7 * size)
        small = ImageFont.truetype(font, round(0.72 * size), index=index)
        y = bottom - 4.5 * size
        pen.line((left, y - 0.8 * size, left + 260, y - 0.8 * size), fill="black", width=2)
        for i in range(2):
            put(f"{i + 1} " + _prose(rng, small, 0.7 * (right - left), chinese), left, y, small)
            y += 1.5 * small.size
    else:
        column(left, right, top, top + 14 * size)
        end = _cells(pen, rng, put, (left, top + 16 * size, right), size)
        column(left, right, end + 1.5 * size, bottom)
    return DrawnOrder(_finished(canvas, rng), tuple(lines), kind)


def _cells(
    pen: ImageDraw.ImageDraw,
    rng: random.Random,
    put: Callable[[str, float, float], None],
    place: tuple[float, float, float],
    size: int,
) -> float:
    """Draw a table between the left and right of ``place``, from its top; return where it ends."""
    left, y, right = place
    count = rng.randint(3, 5)
    xs = [left + i * (right - left) / count for i in range(count + 1)]
    ruled = rng.random() < 0.5
    for r in range(rng.randint(4, 7)):
        for c in range(count):
            put(_number(rng) if c and r else _words(rng), xs[c] + 10, y + 6)
        if ruled:
            for c in range(count):
                pen.rectangle((xs[c], y, xs[c + 1], y + 1.7 * size), outline="black", width=2)
        y += 1.7 * size
    return y


def _prose(rng: random.Random, face: ImageFont.FreeTypeFont, width: float, chinese: bool) -> str:
    """Return running text that fills a width."""
    if chinese:
        count = max(2, int(width / face.size))
        start = rng.randrange(len(_PROSE_ZH))
        return (_PROSE_ZH * 3)[start : start + count]
    words = [rng.choice(_PROSE_EN)]
    while face.getlength(" ".join([*words, "x" * 5])) < width:
        words.append(rng.choice(_PROSE_EN))
    return " ".join(words)
