"""Writes the model folder of any net that ``export.Serving`` can run."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocrsvc.models.buckets import Buckets
from ocrsvc.models.manifest import Manifest
from ocrsvc.training.packing import export, quantize
from ocrsvc.training.texts import charset

KEEP_FLOAT = ("/stem/", "/gate/")  # default for models whose manifest has none


@dataclass(frozen=True)
class Description:
    """Content of a manifest without hashes and commit; fields as in ``Manifest`` unless listed here.

    ``keep_float``: parts of the names of nodes that stay in float32 in the INT8 graph; ``detector``: name of the text
    detector for pages, '' for the default.
    """

    name: str
    architecture: str
    charset: str
    height: int
    width_stride: int
    pad_value: int
    buckets: tuple[int, ...]
    origin: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    keep_float: tuple[str, ...] = ()
    licence: str = "Apache-2.0"
    detector: str = ""
    int8_on_request: bool = False
    bigram_weight: float = 0.0
    lexicon_nats: float = 0.0

    @classmethod
    def of(cls, spec: Manifest, **changes: Any) -> Description:
        """Return the description of an existing model with ``changes``."""
        kept = cls(
            name=spec.name,
            architecture=spec.architecture,
            charset=spec.charset,
            height=spec.input.height,
            width_stride=spec.input.width_stride,
            pad_value=spec.input.pad_value,
            buckets=spec.input.buckets,
            origin=spec.origin,
            recipe=spec.recipe,
            keep_float=tuple(spec.recipe.get("keep_float", KEEP_FLOAT)),
            licence=spec.licence,
            detector=spec.detector,
            int8_on_request=spec.int8_on_request,
            bigram_weight=spec.bigram_weight,
            lexicon_nats=spec.lexicon_nats,
        )
        return replace(kept, **changes)


def entry(path: Path) -> dict[str, Any]:
    """Return a file's record for the manifest."""
    content = path.read_bytes()
    return {"path": path.name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def commit() -> str:
    """Return the git commit of this code, '' outside a checkout or without git."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def write(
    folder: Path,
    net: export.Net,
    description: Description,
    lines: Sequence[NDArray[np.uint8]] = (),
    rounded: export.Net | None = None,
) -> None:
    """Write graphs, head and manifest, with an INT8 graph if there are ``lines`` uint8 [height,w,3] to calibrate on.

    ``rounded``: the net after quantisation-aware training, for the INT8 graph and its own head (default: ``net``).
    Scores of an existing manifest are dropped, because they belong to the old weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {"fp32": folder / "model.onnx", "int8": folder / "model.int8.onnx", "head": folder / "head.npz"}
    export.to_onnx(net, files["fp32"], description.height)
    export.save_head(net, files["head"])
    if lines:
        with tempfile.TemporaryDirectory() as scratch:
            source = files["fp32"]
            if rounded is not None:
                source = Path(scratch) / "rounded.onnx"
                export.to_onnx(rounded, source, description.height)
                files["head_int8"] = folder / "head.int8.npz"
                export.save_head(rounded, files["head_int8"])
            quantize.to_int8(
                source,
                files["int8"],
                lines,
                Buckets(description.buckets),
                description.pad_value,
                keep_float=description.keep_float,
            )
    else:
        files.pop("int8").unlink(missing_ok=True)
    manifest = {
        "name": description.name,
        "kind": "recogniser",
        "architecture": description.architecture,
        "input": {
            "height": description.height,
            "channels": 3,
            "order": "BGR",
            "width_stride": description.width_stride,
            "pad_value": description.pad_value,
            "buckets": list(description.buckets),
        },
        "charset": description.charset,
        "charset_sha256": charset.digest(description.charset),
        "top_k": min(export.TOP_K, net.head.out_features),
        "files": {name: entry(path) for name, path in files.items()},
        "licence": description.licence,
        "origin": description.origin,
        "recipe": dict(description.recipe),
        "detector": description.detector,
        "int8_on_request": description.int8_on_request,
        "bigram_weight": description.bigram_weight,
        "lexicon_nats": description.lexicon_nats,
        "commit": commit(),
        "scores": {},
    }
    (folder / "manifest.json").write_text(
        json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
