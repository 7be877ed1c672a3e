"""Tesseract 5 by its command line: one line a picture (psm 7), Chinese and English.

A batch is one process that reads a list of files, so that the start of the program and the loading of its
models, about a third of a second, is shared by the lines of a batch.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from peers.recogniser import Absent, Picture, Prepared

LANGUAGES = "chi_sim+eng"
INSTALL = "apt-get install tesseract-ocr tesseract-ocr-chi-sim tesseract-ocr-eng"
_HEIGHT = 48  # pixels; its LSTM works at 36 to 48, and crops below 20 pixels are refused as they are
_BORDER = 10  # pixels around the line, without which it takes the crop's edge for ink
_COLUMNS = 12
_HAN_GAP = re.compile(
    r"(?<=[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]) +(?=[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef])"
)


class Tesseract:
    """The installed Tesseract. Absent, with the packages to install, if it or a language is missing."""

    name = "tesseract"
    fixed_rows = 32

    def __init__(self) -> None:
        program = shutil.which("tesseract")
        if program is None:
            raise Absent(f"there is no tesseract here: {INSTALL}")
        self._program = program
        version = self._call("--version").split("\n", 1)[0]
        missing = set(LANGUAGES.split("+")) - set(self._call("--list-langs").split())
        if missing:
            raise Absent(f"{version} lacks {', '.join(sorted(missing))}: {INSTALL}")
        self.about = f"{version}, --psm 7, {LANGUAGES}, {self.fixed_rows} lines a process"
        self._folder = tempfile.TemporaryDirectory(prefix="tesseract-")
        self._count = 0

    def prepare(self, picture: Picture) -> Prepared[Path]:
        """Write the line to a file, scaled to the height that others see, with a border in the colour of its edge."""
        height, width = picture.shape[:2]
        scaled = cv2.resize(
            picture, (max(1, round(width * _HEIGHT / height)), _HEIGHT), interpolation=cv2.INTER_CUBIC
        )
        edge = np.median(np.concatenate([scaled[0], scaled[-1]]), axis=0).tolist()
        framed = cv2.copyMakeBorder(
            scaled, _BORDER, _BORDER, _BORDER, _BORDER, cv2.BORDER_CONSTANT, value=edge
        )
        path = Path(self._folder.name) / f"{self._count}.png"
        self._count += 1
        if not cv2.imwrite(str(path), framed):
            raise OSError(f"{path} cannot be written")
        return Prepared((path,))

    def width(self, piece: Path) -> int:
        return 0

    def run(self, width: int, pieces: Sequence[Path]) -> list[str]:
        with tempfile.NamedTemporaryFile("w", dir=self._folder.name, suffix=".txt") as listed:
            listed.write("".join(f"{path}\n" for path in pieces))
            listed.flush()
            output = self._call(listed.name, "stdout", "-l", LANGUAGES, "--psm", "7", "--dpi", "300", "tsv")
        return pages(output, len(pieces))

    def text(self, prepared: Prepared[Path], readings: Sequence[str]) -> str:
        return "".join(readings)

    def close(self) -> None:
        """Delete the files of the prepared lines."""
        self._folder.cleanup()

    def _call(self, *arguments: str) -> str:
        done = subprocess.run(
            [self._program, *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )
        if done.returncode:
            raise RuntimeError(f"tesseract failed: {done.stderr.strip()[-300:]}")
        return done.stdout


def pages(table: str, count: int) -> list[str]:
    """Return the text of each of ``count`` pictures in Tesseract's table of words (``tsv``).

    Columns 2 and 12 are the picture and the word.
    """
    words: list[list[str]] = [[] for _ in range(count)]
    for row in table.splitlines()[1:]:
        columns = row.split("\t")
        if len(columns) == _COLUMNS and columns[-1].strip():
            words[int(columns[1]) - 1].append(columns[-1].strip())
    # It sets Chinese characters apart (tesseract #991), which no label does.
    return [_HAN_GAP.sub("", " ".join(page)) for page in words]
