"""Makes the model folder of a CRNN checkpoint, or quantises an existing model again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ocrsvc.models import manifest
from ocrsvc.models.buckets import fit
from ocrsvc.models.manifest import Manifest
from ocrsvc.training.data.features import BUCKETS, PAD_VALUE
from ocrsvc.training.data.samples import fresh
from ocrsvc.training.nets.net import HEIGHT, SHAPES, WIDTH_STRIDE, normalise
from ocrsvc.training.nets.weights import from_manifest
from ocrsvc.training.nets.widen import widen
from ocrsvc.training.packing import export, quantize
from ocrsvc.training.packing.equalise import equalise
from ocrsvc.training.packing.folder import Description, write

ORIGIN = (
    "Begun with the convolutions, neck and class embeddings of PP-OCRv6 {donor} (PaddleOCR, Apache-2.0); a BiLSTM "
    "added and all of it trained on by this project, on drawn lines and real crops, see NOTICE"
)


def package(
    recipe: dict[str, Any], checkpoint: Path, folder: Path, fonts: Sequence[Path], prose: Sequence[Path]
) -> None:
    """Write the model folder of a checkpoint; scores of an existing manifest are dropped.

    The INT8 graph is calibrated on drawn lines; a recipe without ``calibration`` gets none. The manifest records the
    stage's hyperparameters from the checkpoint, not from the recipe. FileNotFoundError without the checkpoint.
    """
    if not checkpoint.exists():
        raise FileNotFoundError(f"no {checkpoint}; run `ocrsvc train fit` first")
    net, characters = export.load(checkpoint)
    lines = _lines(recipe["calibration"], characters, fonts, prose) if "calibration" in recipe else []
    if lines and (strength := float(recipe.get("equalise", 0))):
        shown = quantize.batches(lines, BUCKETS, PAD_VALUE)
        equalise(net, (normalise(batch) for batch in shown), strength)
    sections: dict[str, Any] = {}
    for key, section in recipe.items():
        if isinstance(section, Mapping):
            # Later stages than the packed one were not run.
            if "frozen" in section and checkpoint.parent.name in sections:
                continue
            sections[key] = section
    description = Description(
        name=recipe["name"],
        architecture=recipe["architecture"],
        charset=characters,
        height=HEIGHT,
        width_stride=WIDTH_STRIDE,
        pad_value=PAD_VALUE,
        buckets=BUCKETS.widths,
        origin=ORIGIN.format(donor=net.shape.donor or net.shape.name),
        recipe=sections
        | {checkpoint.parent.name: torch.load(checkpoint, weights_only=True)["recipe"]}
        | {"equalise": recipe.get("equalise", 0)}
        | {"keep_float": list(recipe.get("keep_float", ()))},  # fine-tuning needs it to quantise again
        keep_float=tuple(recipe.get("keep_float", ())),
        detector=recipe.get("detector", ""),
        int8_on_request=bool(recipe.get("int8_on_request", False)),
        bigram_weight=float(recipe.get("bigram_weight", 0)),
        lexicon_nats=float(recipe.get("lexicon_nats", 0)),
    )
    write(folder, net, description, lines)


def again(
    spec: Manifest,
    folder: Path,
    images: Sequence[NDArray[np.uint8]],
    keep_float: Sequence[str] | None = None,
    rounded: Path | None = None,
) -> Manifest:
    """Write a copy of a model whose INT8 graph is calibrated on line images uint8 [H,w,3]; return its manifest.

    ``keep_float``: parts of the names of nodes that stay in float32 (default: as in the manifest). ``rounded``: the
    checkpoint of a quantisation-aware stage distilled from the model, to make the INT8 graph from. Scores and
    calibration are dropped, because they belong to the old graph. ValueError if the net is not one of ours, the folder
    exists, or there are no images.
    """
    if folder.exists():
        raise ValueError(f"{folder} is there already")
    if not images:
        raise ValueError(
            "no lines to calibrate on: name folders with --data, or have some drawn with --drawn"
        )
    kept = Description.of(spec).keep_float if keep_float is None else tuple(keep_float)
    recipe, learnt = {**spec.recipe, "keep_float": list(kept)}, None
    if rounded is not None:
        learnt, characters = export.load(rounded)
        if characters != spec.charset:
            raise ValueError(f"{rounded} has another charset than {spec.name}")
        recipe[rounded.parent.name] = torch.load(rounded, weights_only=True)["recipe"]
    description = Description.of(spec, name=folder.name, keep_float=kept, recipe=recipe)
    lines = [fit(image, spec.input.height) for image in images]
    write(folder, from_manifest(spec), description, lines, learnt)
    return manifest.load(folder)


def widened(spec: Manifest, folder: Path, shape: str, seed: int) -> Manifest:
    """Write a copy of a model that has the wider ``shape`` and reads the same; return its manifest.

    It has no INT8 graph, no scores and no calibration. ValueError if the net is not one of ours or cannot be widened
    to this shape, or the folder exists.
    """
    if folder.exists():
        raise ValueError(f"{folder} is there already")
    if shape not in SHAPES:
        raise ValueError(f"there is no shape {shape!r}, only {', '.join(SHAPES)}")
    net = widen(from_manifest(spec), SHAPES[shape], seed)
    description = Description.of(
        spec, name=folder.name, recipe={**spec.recipe, "widen": {"shape": shape, "seed": seed}}
    )
    write(folder, net, description)
    return manifest.load(folder)


def _lines(
    numbers: Mapping[str, Any], characters: str, fonts: Sequence[Path], prose: Sequence[Path]
) -> list[NDArray[np.uint8]]:
    """Return drawn lines uint8 [48,w,3] to calibrate on; ``numbers`` may limit them to the start of the charset."""
    characters = characters[: numbers.get("characters")]
    samples = fresh(characters, numbers["lines"], seed=numbers["seed"], fonts=fonts, prose=prose)
    return [fit(sample.image, HEIGHT) for sample in samples]
