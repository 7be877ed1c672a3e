"""Trains one stage of a CRNN on shards, with frozen convolutions (from cached features) or with all layers.

Training is resumable: it writes a checkpoint every few minutes and after every epoch, and a seed fixes the batches.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor, nn

from ocrsvc.text import fold
from ocrsvc.training.data.shards import Line, Shards
from ocrsvc.training.data.targets import Truths
from ocrsvc.training.learning.loss import Loss, Weights
from ocrsvc.training.learning.schedule import cosine
from ocrsvc.training.learning.state import Recipe, State, average, learning_rows, start
from ocrsvc.training.nets import rounding, teacher
from ocrsvc.training.nets.net import Crnn

SAVE_EVERY_S = 180.0
SHOW_EVERY_S = 20.0


def embed(net: Crnn, shards: Shards, lines: Sequence[Line], frozen: str, *, bfloat16: bool = False) -> Tensor:
    """Return embeddings [N,T,D] of lines of one length, with gradients for the layers that are not ``frozen``.

    ``bfloat16`` applies to the convolutions; the neck always computes in float32.
    """
    if frozen == "all":
        return net.neck(shards.cached(lines))
    backbone = net.backbone
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        with torch.set_grad_enabled(torch.is_grad_enabled() and frozen == "none"):
            lower = backbone.low(backbone.stem(shards.images(lines)))
        features = backbone.pool(backbone.high(backbone.middle(lower)))
    return net.neck(features.float())


@torch.no_grad()
def score(
    net: Crnn, shards: Shards, truths: Truths, lines: Sequence[Line], frozen: str = "none", frames: int = 2560
) -> dict[str, float]:
    """Return the shares of lines read right: ``exact`` ignores case, spaces and width, ``strict`` does not."""
    exact = strict = 0
    for chunk in Shards.batches(lines, frames, random.Random(0)):
        paths = net.head(embed(net, shards, chunk, frozen)).argmax(-1).tolist()
        for line, path in zip(chunk, paths, strict=True):
            text, truth = truths.read(path), line.truth.text or ""
            exact += fold(text) == fold(truth)
            strict += text.strip() == truth
    count = max(len(lines), 1)
    return {"exact": exact / count, "strict": strict / count}


def rate(progress: float) -> float:
    """Return the factor of the learning rate at 0 to 1 of a run: linear warm-up over 5 %, then a cosine to 1 %."""
    if progress < 0.05:
        return max(progress / 0.05, 0.02)
    return cosine((progress - 0.05) / 0.95)


def fit(
    shards: Shards,
    truths: Truths,
    train: Sequence[Line],
    dev: Mapping[str, Sequence[Line]],
    head: teacher.Head,
    recipe: Recipe,
    folder: Path,
    initial: Path | None = None,
) -> Path:
    """Train one stage, resuming from ``folder/last.pt`` if it exists; return the checkpoint.

    ``head``: the teacher's head for the embeddings in the shards; ``initial``: checkpoint or folder to start from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "last.pt"
    state = start(recipe, truths.charset, None if checkpoint.exists() else initial)
    if checkpoint.exists():
        state.load(checkpoint)
        print(f"going on after step {state.step}", flush=True)
    loss = Loss(Weights(recipe.ctc, recipe.kl, recipe.embedding), truths.charset, head)
    per_epoch = sum(1 for _ in Shards.batches(train, recipe.frames, random.Random(recipe.seed)))
    total = max(1, round(per_epoch * recipe.epochs))
    run = _Run(
        state, recipe, loss, shards, total, learning_rows(truths.charset, recipe.first_row, recipe.rows)
    )
    saved = shown = time.monotonic()
    while run.progress < 1:
        epoch, skip = divmod(state.step, per_epoch)
        rng = random.Random(recipe.seed * 1000 + epoch)
        for done, chunk in enumerate(Shards.batches(train, recipe.frames, rng)):
            if done < skip:
                continue
            run.step(chunk)
            now = time.monotonic()
            if now - shown > SHOW_EVERY_S:
                shown = now
                print(run.line(), flush=True)
            if now - saved > SAVE_EVERY_S:
                saved = now
                state.save(checkpoint, recipe, truths.charset)
            if run.progress >= 1:
                break
        row = {"epoch": state.step / per_epoch, **run.means()}
        with rounding.weights(state.average) if recipe.quantised else nullcontext():
            for name, lines in dev.items():
                scores = score(state.average, shards, truths, lines, recipe.frozen)
                row |= {f"{name}_{kind}": share for kind, share in scores.items()}
        state.log.append(row)
        state.save(checkpoint, recipe, truths.charset)
        print(" ".join(f"{k} {v:.4g}" for k, v in row.items()), flush=True)
    return checkpoint


class _Run:
    """The training steps of one process and their running statistics."""

    def __init__(
        self,
        state: State,
        recipe: Recipe,
        loss: Loss,
        shards: Shards,
        total: int,
        learning: Tensor | None,
    ) -> None:
        self.state, self.recipe, self.loss, self.shards, self.total = state, recipe, loss, shards, total
        self.began, self.before = time.monotonic(), state.seconds
        self.learning = learning
        self.lines = 0
        self.sums: dict[str, float] = {}
        self.summed = 0

    @property
    def progress(self) -> float:
        """Return the progress, 0 to 1: by steps or, if the recipe has a time limit, by time if that is further."""
        steps = self.state.step / self.total
        return max(steps, self.state.seconds / 60 / self.recipe.minutes) if self.recipe.minutes else steps

    def step(self, chunk: Sequence[Line]) -> None:
        """Train on one batch: forward, backward, update, moving average."""
        state, recipe = self.state, self.recipe
        # The loss samples classes: seeding by step makes a resumed run draw the same ones.
        torch.manual_seed(recipe.seed * 1_000_003 + state.step)
        factor = rate(self.progress)
        for group in state.optimiser.param_groups:
            group["lr"] = recipe.learning_rate * factor * group["scale"]
        state.optimiser.zero_grad(set_to_none=True)
        with rounding.weights(state.net) if recipe.quantised else nullcontext():
            embedding = embed(state.net, self.shards, chunk, recipe.frozen, bfloat16=recipe.bfloat16)
            batch = self.shards.batch(chunk)
            terms = self.loss(embedding, state.net.head, batch)
            # PyTorch does not type `backward`.
            torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        if self.learning is not None:
            targets = None if recipe.everywhere else batch.targets
            _keep_rows(state.net.head, targets, self.learning)
        nn.utils.clip_grad_norm_([p for p in state.net.parameters() if p.requires_grad], 5.0)
        state.optimiser.step()
        state.step += 1
        state.seconds = self.before + time.monotonic() - self.began
        average(state, min(recipe.ema, state.step / (state.step + 20)))
        self.lines += len(chunk)
        self.summed += 1
        for name, value in terms.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.detach())

    def means(self) -> dict[str, float]:
        """Return the mean of every term since the last call, and reset the sums."""
        means = {name: value / max(self.summed, 1) for name, value in self.sums.items()}
        self.sums, self.summed = {}, 0
        return means

    def line(self) -> str:
        """Return a progress line: share done, terms of the loss, speed, time left."""
        spent = time.monotonic() - self.began
        done = self.progress
        terms = " ".join(f"{name} {value / self.summed:.3f}" for name, value in self.sums.items())
        left = (self.state.seconds * (1 - done) / done) / 60 if done else 0
        return f"{done:4.0%} step {self.state.step} {terms} · {self.lines / spent:.0f} lines/s · {left:.0f} min left"


def _keep_rows(head: nn.Linear, targets: Tensor | None, learning: Tensor) -> None:
    """Zero the gradient of all rows that are not ``learning`` or, if ``targets`` are given, not among them.

    A row whose character is not in the batch is only pushed away, and Adam makes small pushes large
    (docs/decisions/0024-fine-tuning-without-forgetting.md).
    """
    learns = learning
    if targets is not None:
        learns = torch.zeros(head.out_features)
        learns[torch.unique(targets)] = 1
        learns *= learning
    for parameter in (head.weight, head.bias):
        if parameter.grad is not None:
            parameter.grad.mul_(learns.reshape(-1, *[1] * (parameter.ndim - 1)))
