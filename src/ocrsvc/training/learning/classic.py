"""Implementation of ``ocrsvc train scratch``: from the recipe of a classic CRNN to its model folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from ocrsvc.training.data.feed import PAD_VALUE, Order, lines
from ocrsvc.training.drawing.fonts import discover
from ocrsvc.training.learning import scratch
from ocrsvc.training.nets import vgg
from ocrsvc.training.packing import folder
from ocrsvc.training.texts import charset

_MOST_WORKERS = 16


def plan(
    recipe: Mapping[str, Any],
    out: Path,
    *,
    fonts: Sequence[Path] = (),
    prose: Sequence[Path] = (),
    minutes: float | None = None,
    workers: int | None = None,
    device: str = "auto",
) -> scratch.Plan:
    """Return the run that a recipe (the content of its YAML file) describes; its checkpoint is in ``out/scratch``.

    Without ``minutes`` the schedule follows the recipe's steps. Without ``workers`` one process draws lines; on a GPU,
    one for each core but one. ValueError for an invalid recipe, FileNotFoundError without a Chinese typeface.
    """
    for section in ("name", "charset", "net", "lines", "scratch"):
        if section not in recipe:
            raise ValueError(f"the recipe has no {section!r}: it is none for `ocrsvc train scratch`")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    cores = len(os.sched_getaffinity(0))
    if workers is None:
        workers = 1 if device == "cpu" else max(1, min(_MOST_WORKERS, cores - 1))
    characters = charset.load() if recipe["charset"] == "all" else str(recipe["charset"])
    if not characters or len(set(characters)) != len(characters):
        raise ValueError("the recipe's charset is empty or has a character twice")
    shape = vgg.Shape(**numbers("net", vgg.Shape, recipe["net"]))
    order = Order(
        library=discover(fonts),
        charset=characters,
        prose=tuple(prose),
        height=shape.height,
        width_stride=vgg.WIDTH_STRIDE,
        **numbers("lines", Order, recipe["lines"]),
    )
    steps = scratch.Recipe(**numbers("scratch", scratch.Recipe, recipe["scratch"]))
    return scratch.Plan(shape, order, steps, out / "scratch", minutes, workers, device)


def export(recipe: Mapping[str, Any], plan: scratch.Plan, target: Path) -> None:
    """Write the model folder of the plan's checkpoint; FileNotFoundError if there is none yet.

    The INT8 graph is calibrated on freshly drawn lines, and left out if the recipe has no ``calibration``.
    """
    if not plan.checkpoint.exists():
        raise FileNotFoundError(f"there is no {plan.checkpoint} yet: train first")
    net, characters = scratch.load(plan.checkpoint)
    description = folder.Description(
        name=recipe["name"],
        architecture=recipe.get("architecture", ""),
        charset=characters,
        height=plan.shape.height,
        width_stride=vgg.WIDTH_STRIDE,
        pad_value=PAD_VALUE,
        buckets=plan.order.buckets,
        origin="Trained from scratch by this project's recipe, on lines that it draws.",
        recipe={key: recipe[key] for key in ("net", "lines", "scratch", "calibration") if key in recipe},
        keep_float=tuple(recipe.get("keep_float", ())),
    )
    calibration = recipe.get("calibration", {"lines": 0, "seed": 0})
    drawn = islice(lines(plan.order, calibration["seed"]), calibration["lines"])
    folder.write(target, net, description, [line for line, _ in drawn])


def numbers(name: str, kind: type[Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section of a recipe as keywords of the dataclass ``kind``; ValueError names unknown keys."""
    unknown = sorted(set(content) - set(kind.__dataclass_fields__))
    if unknown:
        raise ValueError(
            f"the section {name!r} of the recipe has {', '.join(unknown)}; "
            f"known are {', '.join(kind.__dataclass_fields__)}"
        )
    return {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
