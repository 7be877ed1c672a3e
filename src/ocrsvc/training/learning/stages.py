"""Runs the stages of a recipe: the shards to make, the split into training and dev lines, the start of each stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ocrsvc.training.data.features import BUCKETS, Order
from ocrsvc.training.data.shards import Line, Shards, donor_of
from ocrsvc.training.data.targets import Truths
from ocrsvc.training.learning.classic import numbers
from ocrsvc.training.learning.finetune import as_head
from ocrsvc.training.learning.fit import fit
from ocrsvc.training.learning.state import Recipe, with_minutes
from ocrsvc.training.nets import teacher
from ocrsvc.training.nets.net import SHAPES, WIDTH_STRIDE
from ocrsvc.training.nets.weights import is_folder, load_net
from ocrsvc.training.texts import charset

DEV_REAL = "dev-real"
ROUNDED = "-int8"  # suffix of shards whose features were computed in INT8
_FROZEN = ("all", "low", "none")


def orders(
    recipe: Mapping[str, Any],
    shards: Path,
    *,
    fonts: Sequence[Path] = (),
    prose: Sequence[Path] = (),
    real: Sequence[Path] = (),
    photos: Sequence[Path] = (),
    pictures: Path | None = None,
    through: Path | None = None,
    hold: Path | None = None,
) -> list[Order]:
    """Return the shards of a recipe; those of real lines and ``dev-real`` only if ``real`` or ``photos`` are given.

    ``pictures``: folder of shards whose lines to reuse; ``through``: a model folder whose INT8 convolutions compute
    their features, for additional shards named ``...-int8``. ``hold``: a model folder to distil from (default: donor).
    """
    shape = recipe["features"].get("shape", "small")
    if through is not None and pictures is None:
        raise ValueError("--through looks at the lines of shards that are there: name them with --pictures")
    if pictures is not None:
        sources = [each for each in sorted(pictures.glob("[!.]*")) if not each.name.endswith(ROUNDED)]
        if through is not None:
            return [
                Order(shards / (source.name + ROUNDED), 0, 0, shape=shape, pictures=source, through=through)
                for source in sources
            ]
        return [
            Order(shards / source.name, 0, 0, shape=shape, pictures=source, hold=hold) for source in sources
        ]
    drawn = recipe["features"]["drawn"]
    wanted = [
        Order(
            shards / f"drawn-{i:03d}",
            drawn["seed"] + i,
            drawn["lines"],
            tuple(fonts),
            tuple(prose),
            shape=shape,
            hold=hold,
            shares=drawn.get("shares"),
        )
        for i in range(drawn["shards"])
    ]
    if not real and not photos:
        return wanted
    section = recipe["features"]["real"]
    folders: dict[str, Any] = {
        "real": tuple(real),
        "photos": tuple(photos),
        "held_out": section["held_out"],
        "shape": shape,
        "hold": hold,
    }
    wanted += [
        Order(shards / f"real-{i:03d}", section["seed"] + i, section["lines"], **folders)
        for i in range(section["shards"])
    ]
    return [*wanted, Order(shards / DEV_REAL, section["seed"], section["lines"], **folders, dev=True)]


def names(recipe: Mapping[str, Any]) -> list[str]:
    """Return the names of the recipe's sections that are stages, in its order."""
    return [name for name, section in recipe.items() if isinstance(section, Mapping) and "frozen" in section]


def plan(recipe: Mapping[str, Any], stage: str) -> Recipe:
    """Return the hyperparameters of one stage; ValueError says what is wrong with the recipe or the stage."""
    if stage not in names(recipe):
        known = ", ".join(names(recipe)) or "none: it is no recipe for `ocrsvc train fit`"
        raise ValueError(f"the recipe has no stage {stage!r}; its stages: {known}")
    planned = Recipe(**numbers(stage, Recipe, recipe[stage]))
    if planned.shape not in SHAPES or planned.frozen not in _FROZEN:
        raise ValueError(
            f"stage {stage!r}: shape must be one of {', '.join(SHAPES)}, frozen one of {', '.join(_FROZEN)}"
        )
    return planned


def checkpoint(out: Path, stage: str) -> Path:
    """Return the path of a stage's checkpoint in the run ``out``."""
    return out / stage / "last.pt"


def split(shards: Shards) -> tuple[list[Line], dict[str, list[Line]]]:
    """Return the lines to train on, and by name those of the dev scores: ``dev-real`` and the first drawn shard.

    Both are also scored with INT8 features if there are such shards. Lines of buckets that serving no longer has are
    left out.
    """
    folders = [folder.name for folder in shards.folders]
    drawn = min((name for name in folders if name.startswith("drawn")), default="")
    named = {DEV_REAL: "real", drawn: "drawn", DEV_REAL + ROUNDED: "real_int8", drawn + ROUNDED: "drawn_int8"}
    kept = {folders.index(name): key for name, key in named.items() if name in folders}
    train, dev = [], {key: list[Line]() for key in kept.values()}
    for line in shards.lines:
        if line.length * WIDTH_STRIDE not in BUCKETS.widths:
            continue
        if line.shard in kept:
            if line.truth.text:
                dev[kept[line.shard]].append(line)
        elif line.truth.distil or line.truth.target:
            train.append(line)
    return train, {key: lines for key, lines in dev.items() if lines}


def train(
    recipe: Mapping[str, Any],
    stage: str,
    out: Path,
    *,
    shards: Path | None = None,
    start: Path | None = None,
    hold: Path | None = None,
    minutes: float | None = None,
) -> Path:
    """Train one stage into ``out/<stage>`` and return its checkpoint.

    ``start``: checkpoint or model folder to start from (default: the donor's weights); ``shards``: folder of shards
    (default: ``out/shards``); ``hold``: the model folder that computed their embeddings (default: the donor).
    ValueError or FileNotFoundError says what is missing.
    """
    planned = with_minutes(plan(recipe, stage), minutes)
    source = shards or out / "shards"
    folders = sorted(source.glob("[!.]*"))
    if not folders:
        raise FileNotFoundError(f"no shards in {source}; run `ocrsvc train features` first")
    if start is not None and not start.exists() and not is_folder(start):
        raise FileNotFoundError(f"no checkpoint {start} to start from; train that stage first")
    donor = donor_of(folders[0])
    # No distillation from another net's embeddings: it places characters on other frames (docs/decisions/0015).
    if donor != planned.shape and (planned.embedding or planned.kl or planned.frozen == "all"):
        raise ValueError(
            f"{source} holds features of {donor}: a stage of {planned.shape} needs `embedding: 0`, `kl: 0` and "
            "`frozen` low or none, or shards of its own (`ocrsvc train features ... --pictures`)"
        )
    head = as_head(*load_net(hold)) if hold else teacher.donor_head(donor, charset.load())
    truths = Truths(charset.load(), head)
    cached = Shards(folders, truths)
    lines, dev = split(cached)
    if not lines:
        raise ValueError(f"nothing to train on in {source}: its first drawn shard is kept for the dev score")
    print(f"{len(lines)} lines; dev: {', '.join(f'{len(dev[key])} {key}' for key in dev)}", flush=True)
    return fit(cached, truths, lines, dev, head, planned, out / stage, start)
