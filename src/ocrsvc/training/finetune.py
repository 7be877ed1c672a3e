"""Unfreezes the upper convolutions: end-to-end training on fresh lines, the teacher still looking on.

Stem and lower blocks stay as they are; from ``Recipe.first`` of the middle stage upwards everything learns. Lines
are drawn and real crops varied in a second process, so that training never waits for rendering.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ocrsvc.buckets import fit, stack
from ocrsvc.training import charset, export, teacher
from ocrsvc.training.corpus import Corpus
from ocrsvc.training.features import BUCKETS, HEIGHT, PAD_VALUE, normalise
from ocrsvc.training.fit import Loss
from ocrsvc.training.fit import Recipe as FitRecipe
from ocrsvc.training.fonts import discover
from ocrsvc.training.net import WIDTH_STRIDE, Backbone, Crnn
from ocrsvc.training.samples import Sample, crops, drawn, labelled, vary
from ocrsvc.training.synth import Synthesiser
from ocrsvc.training.truths import Truths


@dataclass(frozen=True)
class Recipe:
    """Numbers of one fine-tuning; ``minutes`` bounds the run, the schedule follows the clock."""

    minutes: float = 30
    frames: int = 1600
    learning_rate: float = 4e-4
    backbone_rate: float = 0.4
    head_rate: float = 0.3
    first: int = 3
    real_share: float = 0.4
    ctc: float = 0.6
    kl: float = 1.0
    ema: float = 0.995
    seed: int = 7


@dataclass(frozen=True)
class Source:
    """Where fresh lines come from."""

    fonts: tuple[Path, ...] = ()
    prose: tuple[Path, ...] = ()
    real: tuple[Path, ...] = ()
    photos: tuple[Path, ...] = ()
    held_out: int = 300


Packet = tuple[int, NDArray[np.uint8], list[tuple[str | None, str, bool]]]


def _stream(source: Source, recipe: Recipe, seed: int) -> Iterator[Sample]:
    rng = random.Random(seed)
    lines = drawn(
        Corpus(charset.load(), seed, source.prose), Synthesiser(discover(source.fonts), seed), 10**9
    )
    pool = [sample for folder in source.real for sample in labelled(folder, source.held_out)]
    pool += [sample for folder in source.photos for sample in crops(folder)]
    while True:
        if pool and rng.random() < recipe.real_share:
            sample = rng.choice(pool)
            yield sample if rng.random() < 0.2 else vary(sample, rng)
        else:
            yield next(lines)


def _feed(source: Source, recipe: Recipe, seed: int, queue: Queue[Packet]) -> None:
    waiting: dict[int, list[tuple[NDArray[np.uint8], Sample]]] = {}
    for sample in _stream(source, recipe, seed):
        line = fit(sample.image, HEIGHT)
        if line.shape[1] > BUCKETS.widest:
            continue
        bucket = BUCKETS.of(line.shape[1])
        group = waiting.setdefault(bucket, [])
        group.append((line, sample))
        if len(group) * bucket >= recipe.frames * WIDTH_STRIDE:
            batch = stack([row for row, _ in group], height=HEIGHT, width=bucket, pad_value=PAD_VALUE)
            queue.put((bucket, batch, [(s.text, s.source, s.case_folded) for _, s in group]))
            del waiting[bucket]


class Student:
    """The net with its lower part frozen, beside the teacher's unchanged upper part."""

    def __init__(self, net: Crnn, first: int) -> None:
        self.net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.first = first
        self.original: Backbone = teacher.load_backbone().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.neck = teacher.open_neck()
        net.requires_grad_(False)
        for part in (net.backbone.middle[first:], net.backbone.high, net.neck, net.head):
            part.requires_grad_(True)

    @torch.no_grad()
    def _lower(self, images: Tensor) -> Tensor:
        backbone = self.net.backbone
        return backbone.middle[: self.first](backbone.low(backbone.stem(images)))

    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
        """Embeddings [N,T,120] of the student (with gradient) and of the teacher (at its own padding)."""
        frames = pixels.shape[2] // WIDTH_STRIDE
        with torch.autocast("cpu", torch.bfloat16):
            lower = self._lower(normalise(pixels))
            upper = self.net.backbone.pool(
                self.net.backbone.high(self.net.backbone.middle[self.first :](lower))
            )
            with torch.no_grad():
                other = lower
                if pixels.shape[2] < teacher.MIN_WIDTH_PIXELS:
                    missing = teacher.MIN_WIDTH_PIXELS - pixels.shape[2]
                    padded = np.pad(pixels, ((0, 0), (0, 0), (0, missing), (0, 0)), constant_values=PAD_VALUE)
                    other = self._lower(normalise(padded))
                features = self.original.pool(self.original.high(self.original.middle[self.first :](other)))
        maps = features.float().numpy().transpose(0, 2, 1)[:, :, None]
        goal = self.neck.run(None, {teacher.FEATURES_TENSOR: np.ascontiguousarray(maps)})[0][:, :frames]
        return self.net.neck(upper.float()), torch.from_numpy(goal)


def finetune(checkpoint: Path, source: Source, recipe: Recipe, folder: Path) -> Path:
    """Trains on from a fit (or an earlier fine-tuning) for ``recipe.minutes``; returns the new checkpoint."""
    torch.manual_seed(recipe.seed)
    folder.mkdir(parents=True, exist_ok=True)
    net, characters = export.load(checkpoint)
    kept = torch.load(checkpoint, weights_only=True)["recipe"]
    head = teacher.load_head()
    student = Student(net, recipe.first)
    averaged = deepcopy(net)
    truths = Truths(characters, head)
    loss = Loss(replace(FitRecipe(), ctc=recipe.ctc, kl=recipe.kl), characters, head)
    backbone = [p for p in net.backbone.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": backbone, "scale": recipe.backbone_rate, "weight_decay": 0.0},
        {"params": list(net.neck.parameters()), "scale": 1.0, "weight_decay": 0.01},
        {"params": list(net.head.parameters()), "scale": recipe.head_rate, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98))
    context = get_context("spawn")
    queue: Queue[Packet] = context.Queue(maxsize=8)
    feeder = context.Process(
        target=_feed, args=(source, recipe, recipe.seed + int(time.time()), queue), daemon=True
    )
    feeder.start()
    began = shown = time.monotonic()
    step = lines = 0
    sums: dict[str, float] = {}
    net.neck.train()
    target = folder / "finetuned.pt"
    try:
        while (progress := (time.monotonic() - began) / 60 / recipe.minutes) < 1:
            _, pixels, labels = queue.get(timeout=300)
            embedding, goal = student(pixels)
            batch = truths.batch(goal, labels)
            factor = min(1.0, (step + 1) / 40) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
            for group in optimiser.param_groups:
                group["lr"] = recipe.learning_rate * factor * group["scale"]
            terms = loss(embedding, net.head, batch)
            optimiser.zero_grad(set_to_none=True)
            torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_([p for g in groups for p in g["params"]], 3.0)
            optimiser.step()
            step, lines = step + 1, lines + len(labels)
            decay = min(recipe.ema, step / (step + 10))
            with torch.no_grad():
                for a, b in zip(averaged.parameters(), net.parameters(), strict=True):
                    if b.requires_grad:
                        a.lerp_(b, 1 - decay)
            for name, value in terms.items():
                sums[name] = 0.98 * sums.get(name, float(value.detach())) + 0.02 * float(value.detach())
            if time.monotonic() - shown > 30:
                shown = time.monotonic()
                means = " ".join(f"{name} {value:.3f}" for name, value in sums.items())
                print(
                    f"{progress:4.0%} step {step} {lines / (shown - began):.0f} lines/s {means}", flush=True
                )
                if step % 5 == 0:
                    _save(target, averaged, recipe, kept, characters, step)
    finally:
        feeder.terminate()
    _save(target, averaged, recipe, kept, characters, step)
    return target


def _save(path: Path, net: Crnn, recipe: Recipe, kept: dict[str, Any], characters: str, step: int) -> None:
    building = path.with_suffix(".part")
    content = {
        "average_net": net.state_dict(),
        "recipe": {"width": kept["width"], "hidden": kept["hidden"], "fit": kept, "finetune": asdict(recipe)},
        "charset": characters,
        "step": step,
    }
    torch.save(content, building)
    building.rename(path)
