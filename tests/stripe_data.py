"""A small labelled data set of drawn stripes, which the model of tiny_model.py reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import tiny_model

LABELS: Mapping[str, Sequence[str]] = {"a": ["12", "AB", "中文"], "scribe_docs": ["A B", "7 7"]}


def write(folder: Path, wrong: Mapping[str, str] | None = None) -> Path:
    """Write LABELS below ``folder`` as SOURCE/manifest.jsonl beside SOURCE/img/; ``wrong`` labels replace true ones."""
    for source, labels in LABELS.items():
        (folder / source / "img").mkdir(parents=True)
        rows = []
        for number, text in enumerate(labels):
            cv2.imwrite(str(folder / source / "img" / f"{number}.png"), tiny_model.draw(text))
            label = (wrong or {}).get(text, text)
            rows.append(json.dumps({"file": f"img/{number}.png", "text": label}, ensure_ascii=False))
        (folder / source / "manifest.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return folder
