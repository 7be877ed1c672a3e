"""What a run of training on live batches is to do: hyperparameters that all such runs share, and all that one needs.

Live batches are of lines that are drawn meanwhile and of real crops, varied as they are used; the run follows the clock
(``live_run``). ``large_plan`` describes the training of all layers, ``attention_plan`` that of an attention decoder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import torch

from ocrsvc.machine.cpu import inspect
from ocrsvc.models import manifest
from ocrsvc.training.data.feed import PAD_VALUE, Order
from ocrsvc.training.data.real_lines import Mix
from ocrsvc.training.drawing.fonts import discover
from ocrsvc.training.learning.classic import numbers
from ocrsvc.training.nets.weights import bare

_MOST_WORKERS = 16
_GPU_THREADS = 2  # one prepares its batch while the GPU computes that of the other
_CPU = torch.device("cpu")
_FEED_COLUMNS = (2048, 16_384)  # pixels of width in what a drawing process delivers at once: least and most
# Processors that multiply bfloat16; others emulate it, several times slower than float32.
_BFLOAT16 = frozenset({"avx512_bf16"})
_CHANGEABLE = ("minutes", "steps", "score_minutes", "dev_lines")  # settings that a resumed run may change


@dataclass(frozen=True)
class LiveRecipe:
    """Hyperparameters that all runs on live batches share, stored in the manifest.

    The schedule follows the clock for ``minutes``; with ``steps``, which are for tests, it follows the steps. ``ema``:
    decay of the averaged weights at each step. A step learns from ``batches`` batches of ``columns`` pixels of width
    each. ``real_share``: share of real crops among its lines. ``passes``: uses of a drawn line. ``pool_columns``:
    pixels of width of the drawn lines in memory. ``strength``, ``end_strength``: of the variation, the latter in the
    last fifth of the run, to be nearer to what serving sees. ``texts``, ``longest``: what drawn lines say, in at most
    so many characters (``Order``). ``shares``: factors on how often kinds of lines are drawn. ``real``, ``real_other``,
    ``stretches``: how real crops are chosen (``Mix``). ``held_out``: the scoring limit. ``score_minutes``: time between
    scores on at most ``dev_lines`` lines of each kind.
    """

    minutes: float = 120
    steps: int = 0
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    clip: float = 1.0
    ema: float = 0.999
    columns: int = 4096
    batches: int = 4
    real_share: float = 0.28
    passes: float = 1.0
    pool_columns: int = 1_000_000
    strength: float = 1.0
    end_strength: float = 0.75
    texts: Literal["corpus", "random"] = "corpus"
    longest: int = 95
    shares: Mapping[str, float] | None = None
    real: Mapping[str, float] | None = None
    real_other: float = 0.05
    stretches: tuple[float, ...] = (1.0, 1.0, 0.8, 0.9, 1.12, 1.28)
    held_out: int = 300
    score_minutes: float = 10
    dev_lines: int = 300
    seed: int = 1

    @property
    def mix(self) -> Mix:
        """Return how real crops are chosen."""
        return Mix(self.real or {}, self.real_other, self.stretches)


R = TypeVar("R", bound=LiveRecipe)


@dataclass(frozen=True)
class LivePlan(Generic[R]):
    """One run: ``start`` and ``hold`` are model folders, ``folder`` is where the checkpoint goes.

    ``threads``: batches that are computed at once, on a CPU each on a core of its own.
    """

    recipe: R
    order: Order
    start: Path
    hold: Path
    folder: Path
    real: tuple[Path, ...] = ()
    photos: tuple[Path, ...] = ()
    dev: tuple[Path, ...] = ()
    workers: int = 1
    threads: int = 1
    device: torch.device = _CPU
    bfloat16: bool = False

    @property
    def checkpoint(self) -> Path:
        """Return the path of the run's checkpoint."""
        return self.folder / "last.pt"

    def described(self) -> dict[str, Any]:
        """Return the settings that must not change between a run and its resumption."""
        settings = asdict(self.recipe)
        for name in _CHANGEABLE:
            del settings[name]
        return {self.folder.name: settings}


@dataclass(frozen=True)
class Options:
    """What the command line says of a run. Unset: ``workers`` and ``minutes`` None, ``threads`` 0, ``hold`` None."""

    real: Sequence[Path] = ()
    photos: Sequence[Path] = ()
    dev: Sequence[Path] = ()
    fonts: Sequence[Path] = ()
    prose: Sequence[Path] = ()
    hold: Path | None = None
    minutes: float | None = None
    workers: int | None = None
    threads: int = 0
    device: str = "auto"


def settings(
    recipe: Mapping[str, Any], section: str, kind: type[R], command: str, options: Options
) -> tuple[R, torch.device]:
    """Return the hyperparameters of a ``section`` of a recipe (the content of its YAML file), and the device.

    The section's subsection ``cuda`` replaces settings on a GPU. ValueError for an invalid recipe.
    """
    if section not in recipe:
        raise ValueError(f"the recipe has no section {section!r}: it is none for `ocrsvc train {command}`")
    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    on = torch.device(device)
    content = dict(recipe[section])
    on_a_gpu = content.pop("cuda", {})
    if on.type == "cuda":
        content |= on_a_gpu
    if options.minutes is not None:
        content |= {"minutes": options.minutes, "steps": 0}
    return kind(**numbers(section, kind, content)), on


def parts(
    recipe: LiveRecipe, start: Path, folder: Path, device: torch.device, options: Options
) -> dict[str, Any]:
    """Return the fields of a ``LivePlan`` but for its recipe.

    Without ``workers`` one process draws lines; on a GPU, one for each core but one. ValueError for a model that pads
    otherwise, FileNotFoundError without a Chinese typeface.
    """
    workers = options.workers
    if workers is None:
        cores = len(os.sched_getaffinity(0))
        workers = 1 if device.type == "cpu" else max(1, min(_MOST_WORKERS, cores - 1))
    spec = manifest.load(bare(start))
    if spec.input.pad_value != PAD_VALUE:
        raise ValueError(f"{spec.name} pads with {spec.input.pad_value}; batches are padded with {PAD_VALUE}")
    least, most = _FEED_COLUMNS
    order = Order(
        library=discover(options.fonts),
        charset=spec.charset,
        prose=tuple(options.prose),
        texts=recipe.texts,
        longest=recipe.longest,
        height=spec.input.height,
        buckets=spec.input.buckets,
        width_stride=spec.input.width_stride,
        columns=max(least, min(most, recipe.columns // 8)),
        seed=recipe.seed,
        shares=recipe.shares,
    )
    cuda = device.type == "cuda"
    return {
        "order": order,
        "start": start,
        "hold": options.hold or start,
        "folder": folder,
        "real": tuple(options.real),
        "photos": tuple(options.photos),
        "dev": tuple(options.dev),
        "workers": workers,
        "threads": options.threads or (_GPU_THREADS if cuda else inspect().effective),
        "device": device,
        "bfloat16": cuda or bool(inspect().flags & _BFLOAT16),
    }
