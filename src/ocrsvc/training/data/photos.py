"""Cuts text lines out of unlabelled photos with our own detector, as real crops for distillation."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from ocrsvc.machine.cpu import Cpu, inspect
from ocrsvc.models.manifest import Manifest
from ocrsvc.pages.crops import cut as cut_out
from ocrsvc.pages.detector import Detector
from ocrsvc.pages.kinds import SUFFIXES

MIN_HEIGHT_PIXELS = 9
MAX_LINES = 80  # lines per photo, so that one dense page does not outweigh all others


def _wanted(folder: Path) -> list[Path]:
    """Return the pictures of a folder, without those that its ``manifest.jsonl`` marks as scored."""
    manifest = folder / "manifest.jsonl"
    if manifest.exists():
        rows = [json.loads(row) for row in manifest.read_text("utf-8").splitlines() if row.strip()]
        return [folder / row["file"] for row in rows if not row.get("eval_overlap")]
    return below(folder)


def below(folder: Path) -> list[Path]:
    """Return the JPEG and PNG pictures anywhere below a folder, sorted."""
    suffixes = {*SUFFIXES["JPEG"], *SUFFIXES["PNG"]}
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in suffixes)


def cut(photos: Path, out: Path, model: Manifest, side_pixels: int = 1280, cpu: Cpu | None = None) -> int:
    """Write the line crops of every photo as PNG files into ``out`` and return their number."""
    out.mkdir(parents=True, exist_ok=True)
    detector = Detector(model, cpu=cpu or inspect(), side_pixels=side_pixels)
    rng = np.random.default_rng(0)
    count = 0
    for file in _wanted(photos):
        image = cv2.imread(str(file))
        if image is None:
            continue
        picture = np.asarray(image, np.uint8)
        polygons = detector.detect(picture)
        if len(polygons) > MAX_LINES:
            polygons = [polygons[i] for i in rng.choice(len(polygons), MAX_LINES, replace=False)]
        for i, polygon in enumerate(polygons):
            crop = cut_out(picture, polygon)
            if crop is not None and min(crop.pixels.shape[:2]) >= MIN_HEIGHT_PIXELS:
                cv2.imwrite(str(out / f"{file.stem}-{i:03d}.png"), crop.pixels)
                count += 1
    return count
