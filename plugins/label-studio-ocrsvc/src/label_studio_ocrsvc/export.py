"""Exports of Label Studio (JSON) as labelled lines, for ``ocrsvc train finetune``."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from label_studio_ocrsvc.outlines import of_value
from ocrsvc.pages.crops import cut
from ocrsvc.results import Polygon


@dataclass
class Exported:
    """What came of an export: the number of lines, and what was left out, with the reasons."""

    lines: int = 0
    left_out: list[str] = field(default_factory=list)


def write_lines(export: Path, pictures: Path, out: Path) -> Exported:
    """Cut the corrected lines of an export out of their pictures: ``out/manifest.jsonl``, ``out/img``.

    ``pictures``: the folder with the pictures of the tasks, found by their names. Raises ValueError for a file that is
    no export, and OSError.
    """
    done = Exported()
    try:
        tasks = json.loads(export.read_text("utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{export} is not JSON: {error}") from error
    if not isinstance(tasks, list) or not all(isinstance(task, dict) and "data" in task for task in tasks):
        raise ValueError(f"{export} is no export of Label Studio; choose the format JSON, not JSON-MIN.")
    files = {path.name: path for path in sorted(pictures.rglob("*")) if path.is_file()}
    (out / "img").mkdir(parents=True, exist_ok=True)
    with (out / "manifest.jsonl").open("w", encoding="utf-8") as manifest:
        for task in tasks:
            for text, pixels in _lines(task, files, done):
                done.lines += 1
                name = f"img/{done.lines:06d}.png"
                Image.fromarray(pixels[:, :, ::-1]).save(out / name)
                manifest.write(json.dumps({"file": name, "text": text}, ensure_ascii=False) + "\n")
    return done


def _lines(
    task: Mapping[str, Any], files: Mapping[str, Path], done: Exported
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield the text and the pixels, BGR, of each corrected line of a task."""
    annotation = _last(task.get("annotations") or [])
    if annotation is None:
        return
    where = f"task {task.get('id')}"
    path = next((files[name] for name in _names(task) if name in files), None)
    if path is None:
        done.left_out.append(f"{where}: its picture is not in the folder")
        return
    try:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        done.left_out.append(f"{where}: {error}")
        return
    pixels = np.ascontiguousarray(np.asarray(picture, np.uint8)[:, :, ::-1])
    for name, text, polygon in _regions(annotation["result"], *picture.size):
        crop = cut(pixels, polygon) if polygon is not None else None
        if not text:
            done.left_out.append(f"{where}, region {name}: no text")
        elif "\n" in text:
            done.left_out.append(f"{where}, region {name}: more than one line")
        elif crop is None:
            done.left_out.append(
                f"{where}, region {name}: neither a rectangle nor four corners in the picture"
            )
        else:
            yield text, crop.pixels


def _last(annotations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the annotation that was changed last, unless all of them were skipped."""
    kept = [each for each in annotations if not each.get("was_cancelled")]
    return max(kept, key=lambda each: str(each.get("updated_at", "")), default=None)


def _regions(
    results: Sequence[Mapping[str, Any]], width: int, height: int
) -> Iterator[tuple[str, str, Polygon | None]]:
    """Yield the id, the text and the corners of each region with a text area; parts of a region share its id."""
    parts: dict[str, dict[str, Any]] = defaultdict(dict)
    texts: dict[str, str] = {}
    for each in results:
        parts[str(each.get("id"))].update(each.get("value", {}))
        if each.get("type") == "textarea":
            written = each["value"].get("text", "")
            texts[str(each.get("id"))] = (written if isinstance(written, str) else "\n".join(written)).strip()
    for name, text in texts.items():
        yield name, text, of_value(parts[name], width, height)


def _names(task: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names that the picture of a task may have: as uploaded, with and without Label Studio's prefix."""
    for value in (task.get("file_upload"), *task["data"].values()):
        if not isinstance(value, str):
            continue
        parts = urlsplit(value)
        inner = parse_qs(parts.query).get("d", [parts.path])[0]  # /data/local-files/?d=folder/a.png
        name = unquote(inner).rpartition("/")[2]
        yield name
        yield name.partition("-")[2]  # 1a2b3c4d-a.png
