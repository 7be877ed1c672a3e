"""Whether pages are read any way up: labelled pages at four turns, what that costs, and drawn columns of Chinese.

    python bench/orientation.py DATA_DIR --limit 12 --model crnn --columns 200

Each page is read upright with ``orientation=0`` and with ``auto``, in turns, and with ``auto`` at 90, 180 and 270
degrees. CPU seconds are those of this process. Columns need the faces and texts of ``ocrsvc.training`` (extra
``train``).
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import harness
import numpy as np
from drawn import SEED, column
from peers.recogniser import Picture

from ocrsvc.diagnosis import evaluation
from ocrsvc.pages.turns import Turn, turned
from ocrsvc.reading.reader import Reader
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.settings import Settings

TURNS: tuple[Turn, ...] = (0, 90, 180, 270)
FACES = 6
_SIZES, _LENGTHS, _LEADING, _GAP = (22, 44), (4, 18), (1.05, 1.3), (0.4, 1.4)


def main() -> None:
    parser = harness.parser(__doc__, "orientation", data=True, limit=60, model=True)
    parser.add_argument("--columns", type=int, default=0, metavar="N", help="also read N drawn columns")
    options = parser.parse_args()
    document = harness.head(options)
    found = evaluation.samples(options.data, options.limit)
    figures = asyncio.run(measure(options.model, found, columns(options.columns)))
    harness.finish(options, document | {"pages": len(found)} | figures, parts(figures))


async def measure(
    model: str, found: Sequence[evaluation.Sample], drawn: Sequence[tuple[str, list[str], Picture]]
) -> dict[str, Any]:
    """Read all pages and columns; return the share of right turns, line recall, CPU seconds and characters."""
    reader = Reader(Settings(model=model, deadline_seconds=3600, max_queue_seconds=3600))
    await reader.start()
    right: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    recall: dict[str, list[float]] = defaultdict(list)
    spent: dict[str, list[float]] = defaultdict(list)
    for number, sample in enumerate(found):
        harness.tell(sample.key)
        picture = np.asarray(cv2.imread(str(sample.path)), np.uint8)
        ways: list[tuple[str, Turn, Turn | None]] = [
            ("0", 0, 0),
            *((f"auto {turn}", turn, None) for turn in TURNS),
        ]
        for name, turn, asked in ways if number % 2 else [ways[1], ways[0], *ways[2:]]:
            data = cv2.imencode(".png", turned(picture, turn))[1].tobytes()
            begun = time.process_time()
            read = await reader.read(data, ReadOptions(mode="page", orientation=asked))
            spent[name].append(time.process_time() - begun)
            recall[name].append(evaluation.rate_page(sample, read.text)["line_recall"])
            if asked is None:
                right[sample.source][str(turn)].append(read.pages[0].orientation == (360 - turn) % 360)
    characters = await of_columns(reader, drawn)
    await reader.close(5)
    more = [auto / fixed for auto, fixed in zip(spent["auto 0"], spent["0"], strict=True)]
    return {
        "right": {
            source: {turn: _mean(each) for turn, each in turns.items()} for source, turns in right.items()
        },
        "line_recall": {name: _mean(values) for name, values in recall.items()},
        "cpu_seconds": {name: round(sum(values), 2) for name, values in spent.items()},
        "cost": round(sum(spent["auto 0"]) / sum(spent["0"]), 4) if found else None,
        "cost_median": round(statistics.median(more), 4) if more else None,
        "columns": characters,
    }


async def of_columns(
    reader: Reader, drawn: Sequence[tuple[str, list[str], Picture]]
) -> dict[str, dict[str, float]]:
    """Return the share of characters read right, by face and by number of columns."""
    wrong: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for face, texts, picture in drawn:
        data = cv2.imencode(".png", picture)[1].tobytes()
        said = (await reader.read(data, ReadOptions(mode="page"))).text.replace("\n", "")
        wanted = "".join(texts)
        for name in ("all", face, "one column" if len(texts) == 1 else "several columns"):
            wrong[name][0] += evaluation.distance(said, wanted)
            wrong[name][1] += len(wanted)
    return {
        name: {"characters": total, "right": round(1 - bad / total, 4)}
        for name, (bad, total) in wrong.items()
    }


def columns(count: int) -> list[tuple[str, list[str], Picture]]:
    """Return pages with ``count`` columns in all: the face, the columns from right to left, the picture."""
    if not count:
        return []
    from ocrsvc.training.drawing import fonts
    from ocrsvc.training.texts import charset
    from ocrsvc.training.texts.corpus import Corpus

    corpus, rng = Corpus(charset.load(), SEED), random.Random(SEED)
    faces = {face.path.stem: face for face in fonts.discover(()).cjk}
    chosen = [faces[name] for name in sorted(faces)[:: max(1, len(faces) // FACES)][:FACES]]
    pages: list[tuple[str, list[str], Picture]] = []
    while sum(len(texts) for _, texts, _ in pages) < count:
        face = chosen[len(pages) % len(chosen)]
        size, leading, gap = rng.randint(*_SIZES), rng.uniform(*_LEADING), rng.uniform(*_GAP)
        texts: list[str] = []
        while len(texts) < rng.choice((1, 2, 3, 5, 8)):
            text = "".join(c for c in corpus.chinese_prose() if "\u4e00" <= c <= "\u9fff")[
                : rng.randint(*_LENGTHS)
            ]
            if len(text) >= _LENGTHS[0] and face.covers(text):
                texts.append(text)
        drawn = [column(text, face, size, leading) for text in texts]
        margin, between = 2 * size, round(gap * size)
        height = max(each.shape[0] for each in drawn) + 2 * margin
        page = np.full(
            (height, 2 * margin + sum(each.shape[1] + between for each in drawn), 3), 235, np.uint8
        )
        right = page.shape[1] - margin
        for each in drawn:
            page[margin : margin + each.shape[0], right - each.shape[1] : right] = each
            right -= each.shape[1] + between
        pages.append((face.path.stem, texts, page))
    return pages


def parts(figures: Mapping[str, Any]) -> list[harness.Part]:
    """Return the tables: turns found by source, recall and cost by way of reading, characters of columns."""
    turns = [["source", *(f"{turn}°" for turn in TURNS)]]
    turns += [
        [source, *(f"{each[str(turn)]:.4f}" for turn in TURNS)] for source, each in figures["right"].items()
    ]
    ways = [["orientation, page turned by", "line recall", "CPU s"]]
    ways += [
        [name, f"{figures['line_recall'][name]:.4f}", f"{figures['cpu_seconds'][name]:.1f}"]
        for name in figures["line_recall"]
    ]
    said = (
        f"auto costs {figures['cost']} times the CPU time of 0, {figures['cost_median']} for the median page"
    )
    rows = [["columns", "characters", "right"]]
    rows += [
        [name, str(each["characters"]), f"{each['right']:.4f}"] for name, each in figures["columns"].items()
    ]
    found: list[harness.Part] = [turns, ways, said] if figures["right"] else []
    return [*found, rows] if figures["columns"] else found


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4) if values else 0.0


if __name__ == "__main__":
    main()
