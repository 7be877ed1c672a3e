"""Running text in Chinese from folders of manual pages and HTML files."""

from __future__ import annotations

import gzip
import html
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from ocrsvc.training.texts.charset import canonical

_HAN = re.compile(r"[\u3400-\u9fff]")


def running_text(folders: Sequence[Path]) -> list[str]:
    """Return lines that contain Chinese from the gzipped manual pages and HTML files below ``folders``."""
    lines: list[str] = []
    for file in itertools.chain.from_iterable(sorted(folder.rglob("*")) for folder in folders):
        if not file.is_file():
            continue
        if file.suffix == ".gz":
            raw = gzip.decompress(file.read_bytes())
        elif file.suffix == ".html":
            raw = file.read_bytes()
        else:
            continue
        text = raw.decode("utf-8", "ignore")
        text = (
            html.unescape(re.sub(r"<[^>]+>", " ", text))
            if file.suffix == ".html"
            else re.sub(r"\\f.|\\", "", text)
        )
        lines.extend(
            canonical(line)
            for line in text.splitlines()
            if _HAN.search(line) and not line.startswith((".", "'"))
        )
    return [line for line in lines if len(line) >= 4]
