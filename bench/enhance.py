"""What preprocessing does to accuracy: every step of enhance.py, and fixed against natural widths, on real lines.

    python bench/enhance.py DATA_DIR --limit 60 --model crnn --markdown docs/preprocessing.md

DATA_DIR holds SOURCE/manifest.jsonl beside SOURCE/img/. Prints the mean over sources of exact and ned, and of
exact for each source; with --markdown the table between the marks in that file is replaced.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import cv2
import numpy as np

from ocrsvc.diagnosis import evaluation
from ocrsvc.machine import cpu
from ocrsvc.models.buckets import fit
from ocrsvc.models.registry import Registry
from ocrsvc.pages import decoding, enhance
from ocrsvc.pages.source import Limits, Pixels
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.recognition.segments import cut, join
from ocrsvc.settings import Settings

FIXED_WIDTH = 320  # what most CRNN services scale every line to
BEGIN, END = "<!-- table: bench/enhance.py -->", "<!-- end of table -->"


def steps(*names: str) -> Callable[[Pixels, int], Pixels]:
    return lambda image, height: fit(enhance.apply(image, names), height)


def squeezed(image: Pixels, height: int) -> Pixels:
    return np.asarray(cv2.resize(image, (FIXED_WIDTH, height)), dtype=np.uint8)


def boxed(image: Pixels, height: int) -> Pixels:
    """Return the picture scaled to fit, its aspect kept, at the left of a gray canvas of the fixed width."""
    scale = min(height / image.shape[0], FIXED_WIDTH / image.shape[1])
    size = (
        max(1, min(FIXED_WIDTH, round(image.shape[1] * scale))),
        max(1, min(height, round(image.shape[0] * scale))),
    )
    canvas = np.full((height, FIXED_WIDTH, 3), 127, dtype=np.uint8)
    canvas[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    return canvas


VARIANTS: dict[str, Callable[[Pixels, int], Pixels]] = {
    "none (the default)": steps(),
    **{name: steps(name) for name in enhance.STEPS},
    "stretch, clahe": steps("stretch", "clahe"),
    "gray, clahe, adaptive": steps("gray", "clahe", "adaptive"),
    f"scaled to {FIXED_WIDTH} wide, aspect lost": squeezed,
    f"fitted into {FIXED_WIDTH} wide, aspect kept": boxed,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--limit", type=int, default=60, help="lines of each source, always the same ones")
    parser.add_argument("--model", default="crnn")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    options = parser.parse_args()
    decoding.quieten()
    cv2.setNumThreads(1)
    recogniser = Recogniser(Registry(Settings()).spec(options.model), cpu=cpu.inspect())
    found = evaluation.samples(options.data, options.limit)
    pictures = [next(decoding.decode(s.path.read_bytes(), Limits())).pixels for s in found]
    rows = []
    for name, prepare in VARIANTS.items():
        begun = time.perf_counter()
        texts = read(recogniser, [prepare(picture, recogniser.spec.input.height) for picture in pictures])
        scores = evaluation.score("lines", found, {s.key: text for s, text in zip(found, texts, strict=True)})
        rows.append((name, {row.source: dict(row.values) for row in scores}))
        print(f"{name}: {rows[-1][1]['MEAN']} {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    table = markdown(rows)
    print(table)
    if options.markdown:
        text = options.markdown.read_text(encoding="utf-8")
        before, rest = text.split(BEGIN)
        _, after = rest.split(END)
        head = f"Model `{options.model}` ({recogniser.id.digest[:19]}), {len(found)} lines, {date.today().isoformat()}."
        options.markdown.write_text(f"{before}{BEGIN}\n{head}\n\n{table}\n{END}{after}", encoding="utf-8")


def read(recogniser: Recogniser, lines: Sequence[Pixels]) -> list[str]:
    """The text of each line image, long ones in parts."""
    spec = recogniser.spec
    texts = []
    for line in lines:
        parts = cut(line, spec.buckets.widest)
        pieces = [line[:, part.start : part.end] for part in parts]
        readings = [recogniser.run(spec.buckets.of(piece.shape[1]), [piece])[0] for piece in pieces]
        texts.append(join(parts, readings, spec.input.height).text)
    return texts


def markdown(rows: Sequence[tuple[str, dict[str, dict[str, float]]]]) -> str:
    """The rows as a table, the best of each column in bold."""
    sources = [source for source in rows[0][1] if source != "MEAN"]
    columns = [("MEAN", "exact"), ("MEAN", "ned"), *((source, "exact") for source in sources)]
    best = {column: max(values[column[0]][column[1]] for _, values in rows) for column in columns}
    lines = [
        f"| step | exact | ned | {' | '.join(sources)} |",
        "|---|" + "---|" * len(columns),
    ]
    for name, values in rows:
        cells = []
        for source, metric in columns:
            value = values[source][metric]
            text = f"{value:.3f}"
            cells.append(f"**{text}**" if value >= best[source, metric] - 5e-4 else text)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
