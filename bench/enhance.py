"""What preprocessing does to accuracy on real lines: each step of the service, and fixed against natural widths.

    python bench/enhance.py DATA_DIR --limit 60 --model crnn --into docs/preprocessing.md

The table shows exact and ned as means over the sources, and exact for each source. With --into it replaces the table
between the marks in that file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

import cv2
import harness
import numpy as np
import pictures
from peers.own import manifest

from ocrsvc.diagnosis import evaluation
from ocrsvc.machine import cpu
from ocrsvc.models.buckets import fit
from ocrsvc.pages import enhance
from ocrsvc.pages.source import Pixels
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.recognition.segments import cut, join

FIXED_WIDTH = 320  # what most CRNN services scale every line to
BEGIN, END = "<!-- table: bench/enhance.py -->", "<!-- end of table -->"
Scores = Mapping[str, Mapping[str, float]]  # by source, then by metric


def steps(*names: str) -> Callable[[Pixels, int], Pixels]:
    """Return a function that applies these steps and scales to the height."""
    return lambda image, height: fit(enhance.apply(image, names), height)


def squeezed(image: Pixels, height: int) -> Pixels:
    """Scale to the fixed width, whatever becomes of the aspect."""
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
    parser = harness.parser(__doc__, "enhance", data=True, limit=60, model=True)
    parser.add_argument("--into", type=Path, metavar="FILE", help="replace the table of this document")
    options = parser.parse_args()
    document = harness.head(options)
    recogniser = Recogniser(manifest(options.model), cpu=cpu.inspect())
    found = evaluation.samples(options.data, options.limit)
    crops = pictures.load(found)
    scores: dict[str, Scores] = {}
    for name, prepare in VARIANTS.items():
        harness.tell(name)
        texts = read(recogniser, [prepare(crop, recogniser.spec.input.height) for crop in crops])
        said = {sample.key: text for sample, text in zip(found, texts, strict=True)}
        scores[name] = {row.source: dict(row.values) for row in evaluation.score("lines", found, said)}
    rows = table(scores)
    about = f"Model `{options.model}` ({recogniser.id.digest[:19]}), {len(found)} lines, {date.today().isoformat()}."
    harness.finish(options, document | {"lines": len(found), "variants": scores}, [about, rows])
    if options.into:
        replace(options.into, harness.render([about, rows], markdown=True))


def read(recogniser: Recogniser, lines: Sequence[Pixels]) -> list[str]:
    """Return the text of each line image. Long ones are read in parts."""
    spec = recogniser.spec
    texts = []
    for line in lines:
        parts = cut(line, spec.buckets.widest)
        pieces = [line[:, part.start : part.end] for part in parts]
        readings = [recogniser.run(spec.buckets.of(piece.shape[1]), [piece])[0] for piece in pieces]
        texts.append(join(parts, readings, spec.input.height).text)
    return texts


def table(scores: Mapping[str, Scores]) -> harness.Rows:
    """Return a row for each variant, with the best of each column in bold."""
    sources = [source for source in next(iter(scores.values())) if source != "MEAN"]
    columns = [("MEAN", "exact"), ("MEAN", "ned"), *((source, "exact") for source in sources)]
    best = {
        (source, metric): max(each[source][metric] for each in scores.values()) for source, metric in columns
    }
    rows = [["step", "exact", "ned", *sources]]
    for name, each in scores.items():
        row = [name]
        for source, metric in columns:
            value = each[source][metric]
            row.append(f"**{value:.3f}**" if value >= best[source, metric] - 5e-4 else f"{value:.3f}")
        rows.append(row)
    return rows


def replace(path: Path, text: str) -> None:
    """Put the text between the marks of a document."""
    before, rest = path.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
