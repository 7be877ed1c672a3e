"""Makes a model folder of a checkpoint: fp32 and INT8 graphs, head, manifest with hashes, recipe and commit."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ocrsvc.buckets import fit
from ocrsvc.training import charset, export, quantize
from ocrsvc.training.corpus import Corpus
from ocrsvc.training.features import BUCKETS, HEIGHT, PAD_VALUE
from ocrsvc.training.fonts import discover
from ocrsvc.training.samples import drawn
from ocrsvc.training.synth import Synthesiser

ORIGIN = (
    "Convolutions and class embeddings initialised from PP-OCRv6 small (PaddleOCR, Apache-2.0), the teacher; "
    "neck trained by this project on drawn lines and real crops, see NOTICE"
)


def entry(path: Path) -> dict[str, Any]:
    """A file's record for the manifest."""
    content = path.read_bytes()
    return {"path": path.name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def commit() -> str:
    """The commit of the checkout that this code lies in, '' outside one or without git."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def package(
    recipe: dict[str, Any], checkpoint: Path, folder: Path, fonts: Sequence[Path], prose: Sequence[Path]
) -> None:
    """Writes ``folder``; scores that the manifest had are dropped, for they belong to the old weights."""
    folder.mkdir(parents=True, exist_ok=True)
    net, characters = export.load(checkpoint)
    export.to_onnx(net, folder / "model.onnx")
    export.save_head(net, folder / "head.npz")
    numbers = recipe["calibration"]
    samples = drawn(
        Corpus(characters, numbers["seed"], prose),
        Synthesiser(discover(fonts), numbers["seed"]),
        numbers["lines"],
    )
    lines = [fit(sample.image, HEIGHT) for sample in samples]
    quantize.to_int8(
        folder / "model.onnx",
        folder / "model.int8.onnx",
        lines,
        BUCKETS,
        PAD_VALUE,
        keep_float=recipe.get("keep_float", ()),
    )
    manifest = {
        "name": recipe["name"],
        "kind": "recogniser",
        "architecture": recipe["architecture"],
        "input": {
            "height": HEIGHT,
            "channels": 3,
            "order": "BGR",
            "width_stride": 8,
            "pad_value": PAD_VALUE,
            "buckets": list(BUCKETS.widths),
        },
        "charset": characters,
        "charset_sha256": charset.digest(characters),
        "top_k": export.TOP_K,
        "files": {
            "fp32": entry(folder / "model.onnx"),
            "int8": entry(folder / "model.int8.onnx"),
            "head": entry(folder / "head.npz"),
        },
        "licence": "Apache-2.0",
        "origin": ORIGIN,
        "recipe": {key: recipe[key] for key in recipe if key in ("features", "fit", "adapt", "calibration")},
        "commit": commit(),
        "scores": {},
    }
    (folder / "manifest.json").write_text(
        json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
