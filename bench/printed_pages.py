"""Writes labelled pages that the project draws: printed by Chromium, as they are and as a cheap scanner leaves them.

    python bench/printed_pages.py DATA_DIR --pages 20 --lines LINES_DIR
    python bench/pages.py DATA_DIR --engines crnn,crnn-fast,rapidocr,tesseract --json out.json

With ``--lines`` also their lines, each a picture of its own. The labels are the text layer of the PDF, so that nobody
has typed them. The data are the same for the same seed, as long as the faces of the machine and its Chromium are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import printed
from numpy.typing import NDArray

from ocrsvc.pages.decoding import decode
from ocrsvc.pages.source import DocumentOptions, Limits, PageImage

Picture = NDArray[np.uint8]

_MOST_DEGREES = 1.5
_SCANNED_SHARE = 0.6  # of 200 dpi
_NOISE = 14.0
_QUALITY = 45  # of the JPEG of a scan
_MARGIN = 3  # pixels around a line
_LEAST_PIXELS = 12  # height and width of a line


def main() -> None:
    """Write the folders ``printed`` and ``scanned``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, metavar="DATA_DIR")
    parser.add_argument("--pages", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lines", type=Path, metavar="LINES_DIR", help="write the lines of the pages here")
    options = parser.parse_args()
    program = printed.chromium()
    if program is None:
        raise SystemExit("no Chromium: install chromium")
    content = printed.pdf(printed.document(options.pages, options.seed), program)
    pages = list(decode(content, Limits(max_pages=options.pages + 9), None, DocumentOptions(None, "always")))
    rng = np.random.default_rng(options.seed)
    write(options.data / "printed", ((page, encoded(page.pixels, ".png")) for page in pages))
    write(options.data / "scanned", ((page, scanned(page.pixels, rng)) for page in pages))
    if options.lines is not None:
        write_lines(options.lines / "printed", pages, lambda picture: encoded(picture, ".png"))
        write_lines(options.lines / "scanned", pages, lambda picture: scanned(picture, rng))


def write_lines(folder: Path, pages: Sequence[PageImage], encode: Callable[[Picture], bytes]) -> None:
    """Write each line of the pages as a picture, with their manifest."""
    (folder / "img").mkdir(parents=True, exist_ok=True)
    rows: list[str] = []
    for page in pages:
        for line in page.text.lines if page.text else ():
            across, down = ([round(each) for each in axis] for axis in zip(*line.polygon, strict=True))
            top, left = max(0, min(down) - _MARGIN), max(0, min(across) - _MARGIN)
            crop = page.pixels[top : max(down) + _MARGIN, left : max(across) + _MARGIN]
            if min(crop.shape[:2]) < _LEAST_PIXELS:
                continue
            content = encode(crop)
            name = f"img/{len(rows):05}{'.png' if content.startswith(bytes([137])) else '.jpg'}"
            (folder / name).write_bytes(content)
            rows.append(json.dumps({"file": name, "text": line.text, "strict": True}, ensure_ascii=False))
    (folder / "manifest.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    print(f"{folder}: {len(rows)} lines")


def write(folder: Path, pages: Iterator[tuple[PageImage, bytes]]) -> None:
    """Write pictures with their manifest; pages without a text layer are left out."""
    (folder / "img").mkdir(parents=True, exist_ok=True)
    rows = []
    for page, content in pages:
        if page.text is None:
            continue
        name = f"img/{page.number:03}{'.png' if content.startswith(bytes([137])) else '.jpg'}"
        (folder / name).write_bytes(content)
        boxes = [{"text": line.text, "polygon": line.polygon} for line in page.text.lines]
        rows.append(json.dumps({"file": name, "boxes": boxes}, ensure_ascii=False))
    (folder / "manifest.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    print(f"{folder}: {len(rows)} pages")


def scanned(page: Picture, rng: np.random.Generator) -> bytes:
    """Return a page as of a cheap scanner: a little turned, blurred, noisy, at 120 dpi, as a poor JPEG."""
    height, width = page.shape[:2]
    turn = cv2.getRotationMatrix2D(
        (width / 2, height / 2), rng.uniform(-_MOST_DEGREES, _MOST_DEGREES), _SCANNED_SHARE
    )
    turn[:, 2] = turn[:, 2] - (1 - _SCANNED_SHARE) / 2 * np.array([width, height])
    size = (round(width * _SCANNED_SHARE), round(height * _SCANNED_SHARE))
    soft = cv2.GaussianBlur(page, (0, 0), 0.8 / _SCANNED_SHARE)
    small = cv2.warpAffine(soft, turn, size, flags=cv2.INTER_AREA, borderValue=(255, 255, 255))
    shade = np.linspace(0.85, 1.0, small.shape[1])[None, :, None]
    worn = small * shade + rng.normal(0, _NOISE, small.shape)
    return encoded(np.clip(worn, 0, 255).astype(np.uint8), ".jpg")


def encoded(picture: Picture, suffix: str) -> bytes:
    """Return a picture as a file."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY] if suffix == ".jpg" else []
    done, content = cv2.imencode(suffix, picture, quality)
    assert done
    return content.tobytes()


if __name__ == "__main__":
    main()
